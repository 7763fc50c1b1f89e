/**
 * Brings a new version into a running unikernel of a development build, over its control socket:
 * the other side of packages/morgana/reload-command.ts.
 */

import net from 'node:net';
import { ControlClient } from '#inspect';
import type { UpdateResult } from '../../packages/morgana/live-program.ts';
import type { ReloadRequest } from '../../packages/morgana/reload-command.ts';
import { type ContentFile, emitKvPack } from '../../targets/base/build.ts';

/** More than this at once is not sent: packages/inspect/limits.ts, piecesBytesMax. */
export const RELOAD_BYTES_MAX = 4_000_000;
/** And of the request itself: requestBytesMax, less what the client adds. */
export const REQUEST_BYTES_MAX = 65_000;
/** A `reload(previous)` that takes longer is taken for one that never returns. */
export const ANSWER_MS_MAX = 5_000;

/** What a unikernel runs, as far as a new version of it must know. */
export interface Contents {
  readonly contents: ReadonlyMap<string, readonly ContentFile[]>;
}

/** A request and the bytes ahead of it. */
export interface Reload {
  readonly request: ReloadRequest;
  readonly bytes: Uint8Array;
}

/** What makes `before` into `after`; the code comes in any case when there is some. */
export function reloadOf(
  code: Uint8Array | null,
  before: Contents['contents'],
  after: Contents['contents'],
): Reload {
  const parts = [code ?? new Uint8Array(0)];
  const contents: ReloadRequest['contents'][number][] = [];
  for (const [device, files] of after) {
    const { changed, removed } = changesOf(before.get(device) ?? [], files);
    if (changed.length === 0 && removed.length === 0) continue;
    const pack = emitKvPack(changed);
    parts.push(pack);
    contents.push({ device, packBytes: pack.length, removed });
  }
  const bytes = new Uint8Array(Buffer.concat(parts));
  return { request: { codeBytes: parts[0]!.length, contents }, bytes };
}

function changesOf(
  before: readonly ContentFile[],
  after: readonly ContentFile[],
): { changed: ContentFile[]; removed: string[] } {
  const known = new Map(before.map((file) => [file.path, file]));
  const changed = after.filter((file) => {
    const old = known.get(file.path);
    known.delete(file.path);
    return old?.digest !== file.digest || old.modifiedSeconds !== file.modifiedSeconds;
  });
  return { changed, removed: [...known.keys()] };
}

/** Sends it; what the unikernel says, or why it said nothing. */
export async function sendReload(
  socketPath: string,
  reload: Reload,
  answerMsMax: number = ANSWER_MS_MAX,
): Promise<UpdateResult> {
  const { request, bytes } = reload;
  const restart = (why: string): UpdateResult => ({ kind: 'restart', why });
  if (bytes.length > RELOAD_BYTES_MAX || JSON.stringify(request).length > REQUEST_BYTES_MAX) {
    return restart('the change is too large to be sent');
  }
  const socket = net.connect(socketPath);
  const client = new ControlClient((out) => void socket.write(out));
  socket.on('data', (chunk) => client.receive(chunk));
  socket.on('error', (error) => client.end(error.message));
  socket.on('close', () => client.end('the unikernel closed its control channel'));
  const late = setTimeout(
    () => client.end(`neither it nor its reload(previous) answered for ${answerMsMax / 1_000} s`),
    answerMsMax,
  );
  try {
    const answer = await client.ask('reload', { ...request }, undefined, bytes);
    return answer.ok ? (answer.value as UpdateResult) : restart(answer.error);
  } finally {
    clearTimeout(late);
    socket.destroy();
  }
}
