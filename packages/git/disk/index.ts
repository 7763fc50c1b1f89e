export {
  type Config,
  type ConfigEntry,
  configBoolean,
  configValue,
  emitConfig,
  formatConfig,
  parseConfig,
} from './config.ts';
export { DiskBackend, type DiskBackendOptions } from './disk-backend.ts';
export type { GcOptions, GcReport } from './gc.ts';
export type { HostProcess } from './gc-lock.ts';
export { type InitOptions, initRepository } from './init.ts';
export { type Elsewhere, findLayout, type Layout } from './layout.ts';
export { formatOpenFault, type OpenFault } from './open-fault.ts';
export {
  emitPackedRefs,
  formatPackedRefs,
  type PackedRef,
  type PackedRefs,
  parsePackedRefs,
} from './packed-refs.ts';
export {
  emitAlternates,
  emitCommonDir,
  emitGitdirFile,
  emitRefFile,
  formatAlternates,
  formatRefFile,
  parseAlternates,
  parseCommonDir,
  parseGitdirFile,
  parseRefFile,
} from './ref-file.ts';
export type { Pause } from './ref-watch.ts';
export {
  emitReflogLine,
  formatReflogLine,
  parseReflog,
  parseReflogLine,
  type ReflogEntry,
} from './reflog.ts';
export type { RefAuthor, ReflogPolicy } from './reflog-files.ts';
export { emitShallowFile, formatShallowFile, parseShallowFile } from './shallow-file.ts';
