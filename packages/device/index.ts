export {
  addressFamily,
  formatIpv4Text,
  formatIpv6Text,
  parseIpv4Text,
  parseIpv6Text,
} from './address-text.ts';
export {
  type BlockDevice,
  type BlockError,
  checkBlockRange,
  checkBlocks,
  formatBlockError,
} from './block.ts';
export {
  AEAD_NONCE_BYTES,
  AEAD_TAG_BYTES,
  CheckedAead,
  CheckedPrivateKey,
  CheckedPublicKey,
  keyInfo,
  type RawAead,
  type RawSigner,
  type RawVerifier,
} from './checked-keys.ts';
export {
  CONTROL_QUEUE_BYTES_LOW,
  CONTROL_QUEUE_BYTES_MAX,
  type ControlChannel,
  type ControlHandler,
} from './control.ts';
export {
  CONTROL_HEAD_BYTES,
  CONTROL_PAYLOAD_BYTES_MAX,
  type ControlFrames,
  ControlReader,
  controlFrame,
  controlMark,
  emitControlHead,
} from './control-framing.ts';
export type {
  Aead,
  AeadName,
  CryptoPrimitives,
  CurveName,
  GroupName,
  HashName,
  HashState,
  KeyAgreement,
  KeyInfo,
  PrivateKey,
  PrivateKeyType,
  PublicKey,
  SignatureAlgorithm,
  SignatureScheme,
} from './crypto.ts';
export type { DatagramHandler, DatagramSocket } from './datagram.ts';
export {
  DerReader,
  derBits,
  derElement,
  derInteger,
  TAG_BIT_STRING,
  TAG_OCTET_STRING,
  TAG_OID,
  TAG_SEQUENCE,
} from './der.ts';
export type { Clock, Console, Entropy } from './environment.ts';
export { evaluateScript } from './evaluate.ts';
export {
  directoryOf,
  FILE_NAME_BYTES_MAX,
  FILE_PATH_BYTES_MAX,
  type FileEntry,
  type FileError,
  type FileKind,
  type FileStat,
  type FileSystem,
  formatFileError,
  isFilePath,
  makeDirectories,
  type OpenFile,
  type OpenMode,
  writeNewFile,
} from './file-system.ts';
export type { Endpoint, Flow, FlowEnd, FlowHandler } from './flow.ts';
export { isHostName, isNeverHost } from './host-name.ts';
export type {
  AddressSnapshot,
  CertificateSnapshot,
  ConnectionSnapshot,
  InspectRequest,
  LeaseSnapshot,
  MemoryAccountSnapshot,
  NeighborSnapshot,
  RouterSnapshot,
  RouteSnapshot,
  StackSnapshot,
  TlsServerSnapshot,
  TlsSessionSnapshot,
} from './inspect.ts';
export {
  asPlainRsa,
  CURVES,
  type Curve,
  curveOf,
  drawPrivateKey,
  emitPkcs8,
  emitSpki,
  isPointForm,
  isScalar,
  KEY_25519_BYTES,
  type PrivateParts,
  type PssLimits,
  type PublicParts,
  parsePkcs8,
  parseSpki,
  RSA_BITS_MAX,
  RSA_BITS_MIN,
  RSA_EXPONENT_BYTES_MAX,
  rsaBits,
} from './key-format.ts';
export {
  KV_CHANGES_MAX,
  type KvChange,
  type KvEncoding,
  type KvEntry,
  type KvError,
  type KvReadOnly,
  type KvReadWrite,
} from './kv.ts';
export { emitKvPack, formatKvPackFault, type KvPackInput, openKvPack } from './kv-pack.ts';
export { comparePaths, isKvPath, isShownPath } from './kv-path.ts';
export { formatKvTarFault, type KvTarFault, kvFilesOfTar, openKvTar } from './kv-tar.ts';
export type { HostFile, HostFiles, Machine, Program } from './machine.ts';
export type { ChecksumRequest, NetDevice, NetHandler, NetOffload } from './net.ts';
export {
  emitPcapRecord,
  PCAP_HEAD_BYTES,
  PCAP_RECORD_BYTES,
  pcapHead,
} from './pcap.ts';
export {
  algorithmFor,
  ecdsaFromDer,
  ecdsaToDer,
  HASH_BYTES,
  keyFits,
} from './signature-format.ts';
export { SLOW_MICROS, SlowCounts } from './slow-counts.ts';
export type {
  ConnectError,
  Connecting,
  ConnectSecure,
  ListenError,
  Listener,
  NameError,
  Stack,
  TlsFault,
} from './stack.ts';
export { looksLikeTar, parseTar, TAR_BLOCK_BYTES, type TarFile } from './tar.ts';
export {
  type CpuProfile,
  type HeapKind,
  type HeapVitals,
  isProfileHz,
  type LoopVitals,
  PROFILE_HZ_MAX,
  PROFILE_HZ_MIN,
  type ProfileNode,
  SLOW_ENTRIES,
  type Vitals,
} from './vitals.ts';
export { type Inflated, ZLIB_LEVEL, type Zlib, type ZlibFault, type ZlibLevel } from './zlib.ts';
