/** What a handshake agreed on, as applications see it. */

import type { GroupName, SignatureScheme } from '#device';
import type { TlsVersion } from './config.ts';
import type { CipherSuiteName } from './wire/code-points.ts';

export interface TlsSession {
  readonly version: TlsVersion;
  readonly suite: CipherSuiteName;
  /** Of this handshake's key agreement; null for a resumption of TLS 1.2, which has none. */
  readonly group: GroupName | null;
  /** What the peer signed with; null when it didn't: resumption, a client without certificate. */
  readonly peerScheme: SignatureScheme | null;
  /** What the client asked for, lower case; null when it named none. */
  readonly serverName: string | null;
  /** The protocol above that was agreed on (RFC 7301). */
  readonly alpn: string | null;
  /** Whether it goes on from an earlier session's secret, so without certificates. */
  readonly resumed: boolean;
  /** The peer's certificates, checked: DER, as sent, leaf first. Empty: it has shown none. */
  readonly peerChain: readonly Uint8Array[];
  /** The server's OCSP response, as it came: not looked at. */
  readonly ocsp: Uint8Array | null;
}
