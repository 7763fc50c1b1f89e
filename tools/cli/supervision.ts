/**
 * What stands in the run-time directory while a unikernel runs: its name, what it is, and a socket
 * on which others talk to it (control-relay.ts). All of it goes when the unikernel does.
 */

import path from 'node:path';
import { ControlRelay } from './control-relay.ts';
import { Failure } from './failure.ts';
import {
  type ClaimedUnikernel,
  claimUnikernel,
  runtimeNameOf,
  socketPath,
  type UnikernelAbout,
} from './runtime-directory.ts';

/**
 * Runs `start` with the path of the socket for the machine's control channel, and its name. That is `wish`,
 * or, when that is null, made of the application's. Where nothing can be put in the run-time
 * directory and no name was asked for, `start` gets null, and `say` the reason.
 */
export async function supervised(
  wish: string | null,
  about: UnikernelAbout,
  say: (text: string) => void,
  start: (channelSocket: string | null, name: string) => Promise<number>,
): Promise<number> {
  const claimed = claim(wish, about, say);
  if (claimed === null) return start(null, runtimeNameOf(about.app));
  try {
    const channelSocket = socketPath(path.join(claimed.directory, 'channel.sock'));
    const { controlSocket } = claimed;
    const relay = await ControlRelay.open({ channelSocket, controlSocket });
    try {
      return await start(channelSocket, claimed.info.name);
    } finally {
      await relay.close();
    }
  } finally {
    claimed.release();
  }
}

function claim(
  wish: string | null,
  about: UnikernelAbout,
  say: (text: string) => void,
): ClaimedUnikernel | null {
  try {
    return claimUnikernel(wish, runtimeNameOf(about.app), about);
  } catch (error) {
    if (wish !== null || !(error instanceof Failure)) throw error;
    say(`it can't be looked into: ${error.message}`);
    return null;
  }
}
