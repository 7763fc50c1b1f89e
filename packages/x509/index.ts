/** Certificates. Read first: README.md, certificate.ts, path.ts, authority.ts. */

export type { CertificateAlgorithm } from './algorithm.ts';
export { TrustAnchors } from './anchors.ts';
export {
  type AuthorityOptions,
  type AuthorityTools,
  CertificateAuthority,
  type LeafOptions,
} from './authority.ts';
export { sameBytes } from './bytes.ts';
export { type Certificate, parseCertificate } from './certificate.ts';
export {
  type CertificateContents,
  createCertificate,
  createRevocationList,
  type RevocationContents,
  randomSerial,
} from './create.ts';
export { parseRevocationList, type RevocationList } from './crl.ts';
export {
  alternativeNames,
  authorityConstraints,
  authorityKey,
  hostName,
  keyIdOf,
  keyUsages,
  leafConstraints,
  nameConstraints,
  type Purpose,
  purposes,
  subjectKey,
} from './extension-writer.ts';
export { type Extension, type Extensions, keyUsage, type NameConstraints } from './extensions.ts';
export type { GeneralName } from './general-name.ts';
export { matchesHost } from './host-match.ts';
export {
  commonName,
  formatName,
  makeName,
  type NameAttributes,
  type NameDer,
} from './name.ts';
export { oid } from './oid.ts';
export { type Path, type PathOptions, validatePath } from './path.ts';
export { formatPathFault, type PathFault, type PathFaultKind } from './path-fault.ts';
export { decodeBase64, type PemBlock, pemDecode, pemEncode } from './pem.ts';
export {
  type CredentialsFault,
  credentialsFromPem,
  type KeyFault,
  type PemCredentials,
  privateKeyFromBlock,
  privateKeyFromPem,
  privateKeyLabel,
  privateKeyToPem,
} from './private-key.ts';
export {
  type CertificateRequest,
  createCertificateRequest,
  parseCertificateRequest,
  verifyRequest,
} from './request.ts';
