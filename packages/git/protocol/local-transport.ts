/**
 * A repository of this program as a server of its own clients: what carries objects from one
 * backend to another without a network. Read first: transport.ts.
 */

import { err, ok, type Result } from '#core';
import type { ReceivePack } from './receive-pack.ts';
import type { GitService, GitTransport, TransportError } from './transport.ts';
import type { UploadPack } from './upload-pack.ts';

export interface LocalTransportOptions<Pusher> {
  readonly uploadPack: UploadPack;
  /** Pushes are refused without it. */
  readonly receivePack?: ReceivePack<Pusher>;
  readonly pusher: Pusher;
}

export class LocalTransport<Pusher = undefined> implements GitTransport {
  readonly isStateless = true;
  private readonly options: LocalTransportOptions<Pusher>;

  constructor(options: LocalTransportOptions<Pusher>) {
    this.options = options;
  }

  async discover(
    service: GitService,
    version: 0 | 1 | 2,
  ): Promise<Result<AsyncIterable<Uint8Array>, TransportError>> {
    const { uploadPack, receivePack } = this.options;
    if (service === 'git-upload-pack') return ok(once(await uploadPack.advertise(version)));
    if (receivePack === undefined) return err(NO_PUSH);
    return ok(once(await receivePack.advertise(version === 1 ? 1 : 0)));
  }

  async call(
    service: GitService,
    version: 0 | 1 | 2,
    body: AsyncIterable<Uint8Array>,
  ): Promise<Result<AsyncIterable<Uint8Array>, TransportError>> {
    const { uploadPack, receivePack, pusher } = this.options;
    if (service === 'git-upload-pack') {
      return ok(uploadPack.serve(body, { version, isStateless: true }));
    }
    return receivePack === undefined ? err(NO_PUSH) : ok(receivePack.serve(body, pusher));
  }

  async close(): Promise<void> {}
}

const NO_PUSH = { kind: 'not allowed', status: 403, message: 'pushes are not taken here' } as const;

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array, void, void> {
  yield bytes;
}
