export * from './control-message.ts';
export { LENGTH_BYTES, LengthReader } from './length-reader.ts';
