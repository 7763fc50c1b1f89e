export {
  type AdvertisedRef,
  type Advertisement,
  advertisementPkts,
  formatOfHash,
  hashOfCapabilities,
  type ListedRef,
  listedRefLine,
  noId,
  parseAdvertisement,
  parseListedRef,
} from './advertisement.ts';
export {
  type BundleHead,
  type BundlePrerequisite,
  emitBundleHead,
  formatBundleHead,
  type ParsedBundleHead,
  parseBundleHead,
} from './bundle.ts';
export {
  type CommitObject,
  emitCommit,
  formatCommit,
  parseCommit,
} from './commit.ts';
export {
  commandPkts,
  DEPTH_INFINITE,
  type Deepening,
  deepeningLines,
  FetchArguments,
  type FetchFlag,
  type FetchRequest,
  fetchRequestLines,
  NO_DEEPENING,
  parseFetchRequest,
  parseFirstWant,
} from './fetch-request.ts';
export {
  emitPktHead,
  emitPkts,
  formatPkts,
  isMark,
  markBytes,
  PKT_BYTES_MAX,
  PKT_HEAD_BYTES,
  PKT_PAYLOAD_BYTES_MAX,
  type Pkt,
  type PktMark,
  parsePkts,
  pktOf,
  readPktLength,
} from './pkt-line.ts';
export { type Capabilities, lineOf, payloadOf, pktLine, pktLines } from './pkt-text.ts';
export {
  type PushReport,
  type PushRequest,
  parsePushReport,
  parsePushRequest,
  pushReportPkts,
  pushRequestPkts,
  type RefCommand,
} from './push-request.ts';
export {
  formatSignature,
  parseSignature,
  type Signature,
  signatureOf,
  timeOfSignature,
} from './signature.ts';
export { emitTag, formatTag, parseTag, type TagObject } from './tag.ts';
export {
  byteString,
  compareText,
  decodeText,
  encodeText,
  isCanonicalText,
  joinBytes,
} from './text.ts';
export {
  emitTree,
  formatTree,
  isEntryName,
  parseTree,
  type TreeEdit,
  type TreeEntry,
  TreeTable,
} from './tree.ts';
