export {
  type BackendError,
  type BrokenRef,
  formatBackendError,
  formatRefConflict,
  isRefConflict,
  type NewObject,
  type ObjectBackend,
  type PackEntry,
  type RefConflict,
  type RefEntry,
  type RefUpdate,
  type RefValue,
  type ShallowUpdate,
  type StageBounds,
  type StagedPack,
} from './backend.ts';
export {
  type BundleFault,
  type BundleRequest,
  type ExportedBundle,
  exportBundle,
  formatBundleFault,
  type ImportedBundle,
  importBundle,
  verifyBundle,
} from './bundle/bundle.ts';
export {
  type CheckOptions,
  type CheckProblem,
  type CheckReport,
  checkRepository,
  formatCheckProblem,
} from './check.ts';
export {
  NAME_BYTES_MAX,
  PARENTS_MAX,
  REF_NAME_BYTES_MAX,
  REF_UPDATES_MAX,
  TAG_CHAIN_MAX,
} from './limits.ts';
export { MemoryBackend, type MemoryBackendOptions } from './memory-backend.ts';
export {
  type FileMode,
  type GitObject,
  hashObject,
  isObjectKind,
  kindOfMode,
  MODE_DIRECTORY,
  MODE_EXECUTABLE,
  MODE_FILE,
  MODE_GROUP_FILE,
  MODE_LINK,
  MODE_SUBMODULE,
  type NamedObject,
  nameObject,
  OBJECT_KINDS,
  type ObjectFault,
  type ObjectKind,
  objectHeader,
} from './object.ts';
export {
  hashOfId,
  ID_BYTES,
  isIdAt,
  type ObjectHash,
  type ObjectId,
  parseObjectId,
  readId,
  readIdText,
  writeId,
} from './object-id.ts';
export { type ObjectLink, objectLinks } from './object-links.ts';
export * from './pack/index.ts';
export { type ExchangeError, formatExchangeError } from './protocol/client/exchange-error.ts';
export type { FetchedRef, FetchOptions, FetchReport } from './protocol/client/fetch-from.ts';
export type { PushedRefFate, PushedRefs, PushOptions } from './protocol/client/push-to.ts';
export { type CloneOptions, Remote, type RemoteOptions } from './protocol/client/remote.ts';
export type { RemoteRefs } from './protocol/client/session.ts';
export {
  DaemonTransport,
  type DaemonTransportOptions,
} from './protocol/daemon-transport.ts';
export { FlowStream } from './protocol/flow-stream.ts';
export { PUSH_PACK_BYTES_MAX } from './protocol/limits.ts';
export { LocalTransport, type LocalTransportOptions } from './protocol/local-transport.ts';
export { isPktEnd, type PktEnd, type PktRead, PktReader } from './protocol/pkt-reader.ts';
export {
  type PushCounters,
  type PushedRef,
  ReceivePack,
  type ReceivePackOptions,
} from './protocol/receive-pack.ts';
export { mapRef, parseRefspec, type Refspec } from './protocol/refspec.ts';
export type { GitService, GitTransport, TransportError } from './protocol/transport.ts';
export { type ServeMode, UploadPack, type UploadPackOptions } from './protocol/upload-pack.ts';
export { HEADS, isBranchName, isRefName, REMOTES, refParents, TAGS } from './ref-name.ts';
export { RefTable } from './ref-table.ts';
export { RefWatchers } from './ref-watchers.ts';
