/**
 * Joins session, keeper and what survives restarts: the one thing that a program calls to have a
 * certificate. Without a device everything is made anew at each boot.
 */

import { err, type Logger, ok, type Result, type TimerQueue } from '#core';
import type { BlockDevice, Clock, CryptoPrimitives, Entropy, PrivateKey } from '#device';
import type { ChallengeType, Responder } from './challenge.ts';
import type { ExternalAccount } from './jose.ts';
import { CertificateKeeper } from './keeper.ts';
import { type AcmeLimits, DEFAULT_LIMITS } from './limits.ts';
import { AcmeSession } from './session.ts';
import { BlockStore } from './store.ts';
import type { Certified } from './tls-alpn-01.ts';
import type { AcmeTransport } from './transport.ts';
import type { KeptState } from './wire/kept-state.ts';
import type { Identifier } from './wire/resources.ts';
import type { AcmeUrl } from './wire/url.ts';

export interface KeepOptions {
  readonly crypto: CryptoPrimitives;
  readonly entropy: Entropy;
  readonly clock: Clock;
  readonly timers: TimerQueue;
  readonly log: Logger;
  readonly transport: AcmeTransport;
  /** Where account and certificate survive a restart; null: nowhere. */
  readonly device: BlockDevice | null;
  readonly directory: AcmeUrl;
  readonly email: string | null;
  readonly agreesToTerms: boolean;
  readonly externalAccount: ExternalAccount | null;
  /** At least one, each once. */
  readonly identifiers: readonly Identifier[];
  readonly challenges: readonly ChallengeType[];
  readonly responder: Responder;
  /** As KeeperOptions has it. */
  readonly install: (certified: Certified) => void;
  readonly limits?: Partial<AcmeLimits>;
}

/** One sentence when the device can't be used. What is kept is in use when it resolves. */
export async function keepCertificate(
  options: KeepOptions,
): Promise<Result<CertificateKeeper, string>> {
  const { crypto, entropy, device, directory, log } = options;
  const limits = { ...DEFAULT_LIMITS, ...options.limits };
  const opened = device === null ? null : await BlockStore.open(device, crypto);
  if (opened?.ok === false) return err(`block device '${device!.name}': ${opened.error}`);
  const store = opened?.value.store ?? null;
  const kept = opened?.value.state ?? null;
  // An account of another authority, and its certificate, are of no use.
  const state = kept?.directory === directory.text ? kept : null;
  const keptKey = state === null ? null : importEc(crypto, state.accountKey);
  const accountKey = keptKey ?? crypto.generatePrivateKey('P-256', entropy);
  const save = async (certified: Certified | null): Promise<void> => {
    const saved = await store?.save(stateOf(directory, accountKey, certified));
    if (saved?.ok === false) log.warn(`not kept, so that a restart begins anew: ${saved.error}`);
  };
  // Before it is used: an account whose key is lost stays at the authority for ever.
  if (keptKey === null) await save(null);
  const session = new AcmeSession({ ...options, limits, accountKey });
  const keeper = new CertificateKeeper({
    ...options,
    limits,
    session,
    save: (certified) => void save(certified),
  });
  keeper.start(state === null ? null : certifiedOf(crypto, state));
  return ok(keeper);
}

function stateOf(
  directory: AcmeUrl,
  accountKey: PrivateKey,
  certified: Certified | null,
): KeptState {
  const certificate =
    certified === null ? null : { chain: certified.chain, key: certified.key.pkcs8() };
  return { directory: directory.text, accountKey: accountKey.pkcs8(), certificate };
}

function importEc(crypto: CryptoPrimitives, pkcs8: Uint8Array): PrivateKey | null {
  const key = crypto.importPrivateKey(pkcs8);
  return key?.curve === 'P-256' ? key : null;
}

function certifiedOf(crypto: CryptoPrimitives, { certificate }: KeptState): Certified | null {
  const key = certificate === null ? null : importEc(crypto, certificate.key);
  return key === null || certificate === null ? null : { chain: certificate.chain, key };
}
