export { identifierOf } from './certificate.ts';
export { type ChallengeType, type Proof, Proofs, type Responder } from './challenge.ts';
export { runProcedure } from './driver.ts';
export {
  type AcmeError,
  type AnswerFault,
  type CertificateFault,
  type Failure,
  formatAcmeError,
  type TransportError,
} from './error.ts';
export { answerHttp01 } from './http-01.ts';
export { HttpTransport } from './http-transport.ts';
export type { ExternalAccount } from './jose.ts';
export { type KeepOptions, keepCertificate } from './keep.ts';
export { CertificateKeeper, type KeeperOptions } from './keeper.ts';
export { type AcmeLimits, DEFAULT_LIMITS } from './limits.ts';
export { type OrderOptions, OrderProcedure } from './order.ts';
export { RevocationProcedure, type RevocationReason } from './revocation.ts';
export { RolloverProcedure } from './rollover.ts';
export { AcmeSession, type Action, type Procedure, type SessionOptions } from './session.ts';
export { ACME_TLS_ALPN, AlpnAnswers, type AlpnTools, type Certified } from './tls-alpn-01.ts';
export type { AcmeAnswer, AcmeRequest, AcmeTransport, Sending } from './transport.ts';
