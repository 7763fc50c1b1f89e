/** What a network's switch reads: frames on a stream socket, lines on its control socket. */

import { err, hot, ok, type Result, type WireFault, writeU32be } from '#core';
import { StreamFrames } from '#targets/node/stream-frames';
import { type NetworkRequest, parseRequest } from '../../tools/cli/network/messages.ts';
import { type WireCase, wireCase } from './wire-case.ts';

const refused = (b: Uint8Array): Result<never, WireFault> =>
  err({ kind: 'field', offset: 0, value: b[0] ?? 0 });

/** Runts are frames here; in pieces of a size that the bytes choose. */
const streamFrames = wireCase<readonly Uint8Array[]>({
  name: 'frames of a stream socket',
  parse(b) {
    const got: Uint8Array[] = [];
    const frames = new StreamFrames(0, (bytes, start, end) => {
      got.push(bytes.slice(start, end));
      return true;
    });
    const piece = 1 + ((b[3] ?? 0) % 97);
    for (let at = 0; at < b.length; at += piece) {
      if (frames.push(b.slice(at, at + piece)) !== null) return refused(b);
    }
    return ok(got);
  },
  emit: (to, frames) => emitFrames(to, frames),
  seeds: (random) =>
    [[14], [60, 0, 15, 200], [1_514, 1]].map((lengths) => {
      const frames = lengths.map((length) => new Uint8Array(length));
      for (const frame of frames) random.fill(frame);
      const to = new Uint8Array(4_096);
      return to.slice(0, emitFrames(to, frames));
    }),
});

function emitFrames(to: Uint8Array, frames: readonly Uint8Array[]): number {
  let at = 0;
  for (const frame of frames) {
    writeU32be(to, at, frame.length);
    to.set(frame, at + 4);
    at += 4 + frame.length;
  }
  return at;
}

const networkRequest = wireCase<NetworkRequest>({
  name: "a request on a network's control socket",
  parse(b) {
    const request = parseRequest(hot.latin1(b, 0, b.length));
    return request.ok ? ok(request.value) : refused(b);
  },
  emit: (to, request) => hot.writeLatin1(to, 0, JSON.stringify(request)),
  seeds: () =>
    [
      { id: 1, ask: 'status' },
      { id: 2, ask: 'join', name: 'web', mac: '52:54:00:00:00:01' },
      { id: 3, ask: 'unpublish', hostAddress: '::', hostPort: 80, protocol: 'tcp' },
    ].map((request) => hot.utf8Encode(JSON.stringify(request))),
});

export const switchCases: readonly WireCase[] = [streamFrames, networkRequest];
