/**
 * Parsers of what clients and servers send. For any bytes or text: a representation or a fault,
 * never a throw.
 */

export { type CodingWeights, parseAcceptEncoding, parseWeight } from './accept-encoding.ts';
export {
  CHUNK_EXTENSION_BYTES_MAX,
  ChunkedDecoder,
  type ChunkFault,
  TRAILER_BYTES_MAX,
} from './chunked.ts';
export { emitChunked, emitRequestHead, parseChunked } from './emit.ts';
export {
  type EntityTag,
  formatEntityTags,
  matchesStrongly,
  matchesWeakly,
  parseEntityTags,
  TAGS_MAX,
} from './entity-tag.ts';
export { DATE_SECONDS_MAX, formatHttpDate, parseHttpDate } from './http-date.ts';
export { resolvePath } from './path.ts';
export { type ByteRange, formatRange, parseRange, RANGES_MAX, type RangeRequest } from './range.ts';
export {
  Conditions,
  type HeadFault,
  type HeadLimits,
  parseContentLength,
  RequestHead,
  RequestHeadParser,
} from './request-head.ts';
export {
  type BodyFraming,
  emitResponseHead,
  findHeadEnd,
  parseResponseHead,
  type ResponseFault,
  ResponseHead,
  type ResponseHeadLimits,
} from './response-head.ts';
export { hasToken } from './token-list.ts';
export * from './websocket-frame.ts';
