export {
  type CommitObject,
  emitCommit,
  formatCommit,
  parseCommit,
} from './commit.ts';
export {
  formatSignature,
  parseSignature,
  type Signature,
  signatureOf,
  timeOfSignature,
} from './signature.ts';
export { emitTag, formatTag, parseTag, type TagObject } from './tag.ts';
export { byteString, compareText, decodeText, encodeText, isCanonicalText } from './text.ts';
export {
  emitTree,
  formatTree,
  isEntryName,
  parseTree,
  type TreeEdit,
  type TreeEntry,
  TreeTable,
} from './tree.ts';
