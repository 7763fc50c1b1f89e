/**
 * A repository elsewhere, as `git remote` knows one: what fetches from it and pushes to it. Its
 * branches as they were seen last are refs/remotes/NAME/*. Nothing here is thrown: errors are
 * exchange-error.ts. Read first: ../transport.ts, session.ts. Not here: merging what was fetched.
 */

import { err, ok, type Result } from '#core';
import type { CryptoPrimitives, Zlib } from '#device';
import type { ObjectBackend } from '../../backend.ts';
import { HEADS, REMOTES } from '../../ref-name.ts';
import { Stop } from '../stop.ts';
import type { GitService, GitTransport } from '../transport.ts';
import { type ExchangeError, errorOfStop } from './exchange-error.ts';
import { errorOfRefs, Failed, noSuchRef } from './failed.ts';
import { type FetchOptions, type FetchReport, fetchFrom } from './fetch-from.ts';
import { type PushedRefs, type PushOptions, pushTo } from './push-to.ts';
import { type RemoteRefs, Session, Unreached } from './session.ts';

export interface RemoteOptions {
  readonly backend: ObjectBackend;
  readonly crypto: CryptoPrimitives;
  readonly zlib: Zlib;
  /** A way to the server for one fetch or push: opened for each, and closed behind it. */
  readonly connect: () => GitTransport;
  /** What the server is called here; 'origin' unless given. */
  readonly name?: string;
  /** The newest version of the protocol that is asked for; 2 unless given. */
  readonly version?: 0 | 1 | 2;
  /** As of UploadPackOptions, for pushes. */
  readonly turn?: () => Promise<void>;
  readonly packing?: 'small' | 'quick';
  /** What the server shows to people while it works, as it comes. */
  readonly progress?: (text: string) => void;
}

export interface CloneOptions extends FetchOptions {
  /** The branch to be on; the server's HEAD unless given. */
  readonly branch?: string;
}

/** Another repository, which a transport reaches: refs, fetch, clone and push. */
export class Remote {
  readonly options: RemoteOptions;
  readonly name: string;

  constructor(options: RemoteOptions) {
    this.options = options;
    this.name = options.name ?? 'origin';
  }

  /** Refs that begin with one of `prefixes` (all of them unless given), and what HEAD is. */
  refs(prefixes: readonly string[] = []): Promise<Result<RemoteRefs, ExchangeError>> {
    return this.#with('git-upload-pack', (session) => session.refs(prefixes));
  }

  /** Brings what `refspecs` name ("+refs/heads/*:refs/remotes/NAME/*" unless given). */
  fetch(options: FetchOptions = {}): Promise<Result<FetchReport, ExchangeError>> {
    const refspecs = options.refspecs ?? [`+${HEADS}*:${REMOTES}${this.name}/*`];
    return this.#with('git-upload-pack', (session) =>
      fetchFrom(session, this.options, { ...options, refspecs }),
    );
  }

  /** Moves refs there; the result has each one's fate, refused ones too. */
  push(options: PushOptions): Promise<Result<PushedRefs, ExchangeError>> {
    return this.#with('git-receive-pack', (session) =>
      pushTo(session, this.options, this.name, options),
    );
  }

  /**
   * Fetches into a repository that has no branch yet, makes the server's branch (or the one that
   * is asked for) here too, and sets HEAD to it. An empty server leaves a HEAD as the server's.
   */
  async clone(options: CloneOptions = {}): Promise<Result<FetchReport, ExchangeError>> {
    const fetched = await this.fetch(options);
    if (!fetched.ok) return fetched;
    const { backend } = this.options;
    const { head } = fetched.value;
    const branch = options.branch === undefined ? head : `${HEADS}${options.branch}`;
    if (branch === null) return fetched;
    const there = fetched.value.remoteRefs.find(({ name }) => name === branch);
    if (there === undefined && options.branch !== undefined) {
      return err(noSuchRef(options.branch, fetched.value.remoteRefs));
    }
    if (there !== undefined) {
      const update = { name: branch, from: 'any', to: there.id } as const;
      const moved = await backend.updateRefs([update], `clone: from ${this.name}`);
      if (!moved.ok) return err(errorOfRefs(moved.error));
    }
    const set = await backend.setHead(branch);
    return set.ok ? fetched : err({ kind: 'backend', error: set.error });
  }

  async #with<T>(
    service: GitService,
    work: (session: Session) => Promise<T>,
  ): Promise<Result<T, ExchangeError>> {
    const transport = this.options.connect();
    try {
      // There is no version 2 of pushing.
      const { version = 2 } = this.options;
      const asked = service === 'git-receive-pack' && version === 2 ? 0 : version;
      const session = await Session.open(transport, service, asked);
      const { hash } = this.options.backend;
      if (session.hash !== hash) return err({ kind: 'other hash', theirs: session.hash });
      return ok(await work(session));
    } catch (error) {
      if (error instanceof Stop) return err(errorOfStop(error.reason));
      if (error instanceof Unreached) return err(error.error);
      if (error instanceof Failed) return err(error.error);
      throw error;
    } finally {
      await transport.close();
    }
  }
}
