/** Git's protocol for a program's repositories, with the target's own primitives. */

import { nextTurn, type TimerQueue } from '#core';
import { primitives } from '#crypto/platform';
import type { CryptoPrimitives, Zlib } from '#device';
import { type ObjectBackend, Remote, type RemoteOptions } from '#git';
import { zlib as ownZlib } from '#git/zlib/platform';
import { GitHandler, type GitHandlerOptions } from './git-handler.ts';
import { HttpTransport, type HttpTransportOptions } from './http-transport.ts';
import { PulledBranch, type PulledBranchOptions } from './pulled-branch.ts';
import { Webhook, type WebhookOptions } from './webhook.ts';

/** What holds a backend: a repository of morgana/store. */
export interface HasBackend {
  readonly backend: ObjectBackend;
}

type Own = 'backend' | 'crypto' | 'zlib' | 'turn' | 'packing';

/** In an image it is TypeScript that compresses, and an interpreter that runs it. */
const packingBy = ({ name }: Zlib) => (name === 'portable' ? 'quick' : 'small');

export interface ServedGitOptions extends Omit<GitHandlerOptions, Own> {
  /** The program's, so that others get their turn while a pack is made. */
  readonly timers: TimerQueue;
}

/**
 * Serves a repository over HTTP: `git clone http://HOST/PATH`. Everybody may read and nobody push,
 * unless told otherwise.
 */
export const gitHandler = (
  { backend }: HasBackend,
  { timers, ...options }: ServedGitOptions,
): GitHandler =>
  new GitHandler({
    ...options,
    backend,
    crypto: primitives,
    zlib: ownZlib,
    packing: packingBy(ownZlib),
    turn: () => nextTurn(timers),
  });

export interface HttpRemoteOptions extends HttpTransportOptions {
  readonly name?: RemoteOptions['name'];
  readonly progress?: (text: string) => void;
  /** Others than the target's own. */
  readonly crypto?: CryptoPrimitives;
  readonly zlib?: Zlib;
}

/** A repository elsewhere, by its URL: to fetch from, clone, and push to. */
export function httpRemote({ backend }: HasBackend, options: string | HttpRemoteOptions): Remote {
  const given: HttpRemoteOptions = typeof options === 'string' ? { url: options } : options;
  const { name, progress, crypto = primitives, zlib = ownZlib } = given;
  return new Remote({
    backend,
    crypto,
    zlib,
    packing: packingBy(zlib),
    connect: () => new HttpTransport(given),
    ...(name === undefined ? {} : { name }),
    ...(progress === undefined ? {} : { progress }),
  });
}

export interface PullBranchOptions
  extends Omit<PulledBranchOptions, 'backend' | 'connect' | 'crypto' | 'zlib'>,
    HttpTransportOptions {
  /**
   * Where what is pulled is kept, with nothing else, so that it is there again after a restart. In
   * memory unless given.
   */
  readonly repository?: HasBackend | null;
}

/** A branch of a repository elsewhere, kept up to date: `pull` brings it, at first too. */
export const pullBranch = (options: PullBranchOptions): PulledBranch =>
  new PulledBranch({
    ...options,
    backend: options.repository?.backend ?? null,
    crypto: primitives,
    zlib: ownZlib,
    connect: () => new HttpTransport(options),
  });

/** A webhook as GitHub signs it. */
export const webhook = (options: Omit<WebhookOptions, 'crypto'>): Webhook =>
  new Webhook({ ...options, crypto: primitives });
