/**
 * The WinterTC minimum common API for engines without it. Read first: README.md, platform.ts,
 * inject.ts.
 */

export { type BodyContent, Payload } from './body.ts';
export type { ByteSource, ByteStream } from './body-stream.ts';
export { parseDataUrl } from './data-url.ts';
export { Inflating } from './inflate.ts';
export * from './inject.ts';
export { inspect } from './inspect.ts';
export {
  installedNetwork,
  installNetwork,
  installWeb,
  platform,
  type WebNetwork,
  type WebPlatform,
} from './platform.ts';
export { Incoming, type RequestInit } from './request.ts';
export { fetchedResponse } from './response.ts';
export { canonicalUrl } from './url.ts';
