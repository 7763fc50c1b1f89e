/**
 * The WinterTC minimum common API for engines without it. Read first: README.md, platform.ts,
 * inject.ts.
 */

export { type BodyContent, Payload } from './body.ts';
export type { ByteSource, ByteStream } from './body-stream.ts';
export * from './inject.ts';
export { inspect } from './inspect.ts';
export { installWeb, type WebPlatform } from './platform.ts';
export { Incoming } from './request.ts';
export { canonicalUrl } from './url.ts';
