/** What a server of TLS 1.3 chooses from a ClientHello, and refuses: RFC 8446 §4.1, §9.2. */

import { type CryptoPrimitives, type GroupName, type HashName, isHostName } from '#device';
import type { TlsServerConfig } from './config.ts';
import { type Refusal, refuse } from './refusal.ts';
import { type CipherSuite, suiteOfName } from './suites.ts';
import { ByteReader } from './wire/byte-reader.ts';
import { type ClientHello, RANDOM_BYTES } from './wire/client-hello.ts';
import { extensionCode, namedGroup } from './wire/code-points.ts';
import type { KeyShare } from './wire/extension-values.ts';

/** Ours first; null: none in common. */
export function chooseSuite13(config: TlsServerConfig, hello: ClientHello): CipherSuite | null {
  for (const name of config.suites) {
    const suite = suiteOfName(name);
    if (suite.signature === null && hello.suites.includes(suite.code)) return suite;
  }
  return null;
}

export interface GroupChoice {
  readonly group: GroupName;
  /** Null: the client must be asked for one (HelloRetryRequest). */
  readonly share: KeyShare | null;
}

/** Ours first among those that the client sent a share of, else among those that it knows. */
export function chooseGroup(config: TlsServerConfig, hello: ClientHello): GroupChoice | Refusal {
  const { supportedGroups, keyShare } = hello.extensions;
  if (supportedGroups === null || keyShare === null) {
    return refuse('missing_extension', 'supported_groups and key_share are needed');
  }
  // A hello may have thousands of each.
  const offered = new Set(supportedGroups);
  if (keyShare.some(({ group }) => !offered.has(group))) {
    return refuse('illegal_parameter', 'a key share of a group that is not offered');
  }
  const common = config.groups.filter((group) => offered.has(namedGroup[group]));
  for (const group of common) {
    const share = keyShare.find((candidate) => candidate.group === namedGroup[group]);
    if (share !== undefined) return { group, share };
  }
  const [group] = common;
  return group === undefined
    ? refuse('handshake_failure', 'no group in common')
    : { group, share: null };
}

/** Lower case; null for none, and for what is no name of a host (RFC 6066 §3: no addresses). */
export function serverNameOf(hello: ClientHello): string | null {
  const { serverName } = hello.extensions;
  if (serverName === null || !isHostName(serverName)) return null;
  return serverName.toLowerCase();
}

/** Ours first; null: the client or we have none. */
export function chooseAlpn(config: TlsServerConfig, hello: ClientHello): string | null | Refusal {
  const { alpn } = hello.extensions;
  if (alpn === null || config.alpn.length === 0) return null;
  const common = config.alpn.find((protocol) => alpn.includes(protocol));
  return common ?? refuse('no_application_protocol', `none of ${alpn.length} protocols`);
}

/** What a second ClientHello may change, RFC 8446 §4.1.2; padding is RFC 7685's. */
const PADDING = 21;
const CHANGEABLE: readonly number[] = [
  extensionCode.key_share,
  extensionCode.pre_shared_key,
  extensionCode.early_data,
  extensionCode.cookie,
  PADDING,
];

/** A hash of all that a second ClientHello must not change; `body` was parsed without fault. */
export function unchangeableDigest(
  crypto: CryptoPrimitives,
  hash: HashName,
  body: Uint8Array,
): Uint8Array {
  const state = crypto.createHash(hash);
  const from = new ByteReader(body);
  from.take(2 + RANDOM_BYTES);
  from.vector(1);
  from.vector(2);
  from.vector(1);
  state.update(body.subarray(0, from.at));
  from.list(2, 0, () => {
    const startAt = from.at;
    const code = from.u16();
    from.vector(2);
    if (!CHANGEABLE.includes(code)) state.update(body.subarray(startAt, from.at));
  });
  return state.digest();
}
