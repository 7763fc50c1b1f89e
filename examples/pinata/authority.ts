/** Who the Piñata trusts, and who it is: made at boot, the authority's key gone right after. */

import type { Clock, Entropy, WallTime } from 'morgana';
import {
  type AuthorityTools,
  CertificateAuthority,
  type Credentials,
  pemEncode,
  primitives,
  privateKeyFromPem,
  TrustAnchors,
} from 'morgana/tls';
import { TEST_AUTHORITY, TEST_KEY } from './test-authority.ts';

const DAY_MILLIS = 86_400_000;

export interface Identities {
  readonly anchors: TrustAnchors;
  /** The authority's certificate, PEM. */
  readonly authority: string;
  /** For the page, for port 10000, and for where it is a client. */
  readonly web: Credentials;
  readonly server: Credentials;
  readonly client: Credentials;
}

export function makeIdentities(
  { clock, entropy }: { readonly clock: Clock; readonly entropy: Entropy },
  isTest: boolean,
): Identities {
  const now = clock.wall();
  const notBefore = (now - DAY_MILLIS) as WallTime;
  const notAfter = (now + 365 * DAY_MILLIS) as WallTime;
  const tools = { crypto: primitives, entropy };
  const authority = isTest
    ? testAuthority(tools)
    : CertificateAuthority.create(tools, { name: 'Piñata CA', notBefore, notAfter });
  const root = authority.certificate.raw;

  const issue = (name: string, purpose: 'serverAuth' | 'clientAuth'): Credentials => {
    const key = primitives.generatePrivateKey('P-256', entropy);
    const options = { names: [name], notBefore, notAfter, spki: key.spki, purposes: [purpose] };
    return { chain: [authority.issue(options), root], key };
  };
  const web = issue('www.pinata.example', 'serverAuth');
  const server = issue('server.pinata.example', 'serverAuth');
  const client = issue('client.pinata.example', 'clientAuth');
  authority.destroy();
  return {
    anchors: new TrustAnchors([root]),
    authority: pemEncode('CERTIFICATE', root),
    web,
    server,
    client,
  };
}

function testAuthority(tools: AuthorityTools): CertificateAuthority {
  const certificate = TrustAnchors.fromPem(TEST_AUTHORITY);
  const key = privateKeyFromPem(tools.crypto, TEST_KEY);
  if (!certificate.ok || !key.ok) throw new Error('the test authority is malformed');
  return new CertificateAuthority(tools, certificate.value.certificates[0]!, key.value);
}
