/**
 * Runs a program as a Node process on our own stack: its interfaces are the links that its command
 * line names, and what follows `--` are boot-time arguments, as on target process:
 *
 *     node app.mjs --link=unix:/run/switch --link=tap:tap0,mac=52:54:00:00:00:01 -- --port=80
 *
 * MORGANA_TAP_LINK is the path of tap-link, which links to tap devices need; without it the one in
 * PATH is taken. When a link is closed, or lies, the process ends with 122: a peer that comes back
 * finds a machine that was started again, as one of target process.
 */

import type { Program } from '#device';
import { type Link, openLink, parseLink } from './link.ts';
import { NodeLoop } from './loop.ts';
import {
  bareMachine,
  contentOfProcess,
  controlOfProcess,
  disksOfProcess,
  EXIT,
  start,
} from './machine.ts';
import { formatStreamFault, StreamNetDevice } from './stream-net-device.ts';

interface Words {
  readonly links: readonly Link[];
  readonly bootArguments: readonly string[];
}

/** The command line's words; a string is the one that is wrong. */
export function parseWords(words: readonly string[]): Words | string {
  const end = words.includes('--') ? words.indexOf('--') : words.length;
  const links: Link[] = [];
  for (const word of words.slice(0, end)) {
    const link = word.startsWith('--link=') ? parseLink(word.slice('--link='.length)) : null;
    if (link === null) return word;
    links.push(link);
  }
  return { links, bootArguments: words.slice(end + 1) };
}

function fail(message: string, code: number): never {
  process.stderr.write(`error: ${message}\n`);
  return process.exit(code);
}

/** Opens the links, all at once, and runs `program`: see `start` of machine.ts. */
export async function launch(
  program: Program,
  words: readonly string[] = process.argv.slice(2),
): Promise<void> {
  const parsed = parseWords(words);
  if (typeof parsed === 'string') {
    const known = '--link=tap:NAME, unix:PATH or unix-listen:PATH[,mac=...]; then -- and arguments';
    return fail(`'${parsed}': expected ${known}`, EXIT.usage);
  }
  const tapLink = process.env.MORGANA_TAP_LINK ?? 'tap-link';
  const loop = new NodeLoop();
  const interfaces = await Promise.all(
    parsed.links.map(async (link) => {
      const socket = await openLink(link, tapLink).catch((error: Error) =>
        fail(`the link ${link.name} can't be had: ${error.message}`, EXIT.unavailable),
      );
      return new StreamNetDevice(loop, socket, link.mac, (fault) =>
        fail(`the link ${link.name} ${formatStreamFault(fault)}`, EXIT.deviceFailed),
      );
    }),
  );
  const { bootArguments } = parsed;
  const options = {
    bootArguments,
    content: contentOfProcess(),
    disks: disksOfProcess(),
    control: controlOfProcess(),
  };
  start(loop, bareMachine(loop, options, interfaces), program);
}
