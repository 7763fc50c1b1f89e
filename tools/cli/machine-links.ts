/**
 * What the cards of a virtual machine are plugged into, checked before QEMU is started: it opens
 * sockets behind its own back and says nothing when it can't, and as root makes a tap device that
 * isn't there.
 */

import { accessSync, constants, lstatSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { formatMac, LINK_EXPECTED, parseLink } from '#targets/node/link';
import { Failure, usageFailure } from './failure.ts';
import type { MachineLink } from './qemu.ts';
import { socketPath } from './runtime-directory.ts';

/** The links as given to --link; one without an address gets a random one. */
export function parseMachineLinks(texts: readonly string[]): readonly MachineLink[] {
  return texts.map((text) => {
    const link = parseLink(text);
    if (link === null) throw usageFailure(`--link=${text}: not a link`, `give it ${LINK_EXPECTED}`);
    const { kind, place, mac } = link;
    return { kind, place: kind === 'tap' ? place : socketPath(place), mac: formatMac(mac) };
  });
}

/** Throws a Failure for the first that can't be had. */
export function checkMachineLinks(links: readonly MachineLink[]): void {
  for (const link of links) {
    if (link.kind === 'tap') checkTap(link);
    else if (link.kind === 'unix') checkListener(link);
    else checkFree(link);
  }
}

const cannot = (link: MachineLink, why: string, mend: string): Failure =>
  new Failure({ what: `the link ${link.kind}:${link.place} can't be had: ${why}`, mend });

function checkTap(link: MachineLink): void {
  const known = readText('/proc/net/dev');
  if (known === null || known.split('\n').some((line) => line.trim().startsWith(`${link.place}:`)))
    return;
  const make = `sudo ip tuntap add dev ${link.place} mode tap user $USER`;
  throw cannot(link, 'there is no such device', `make it: ${make}`);
}

/** Not by a connection: the peer may take one only. */
function checkListener(link: MachineLink): void {
  if (isSocket(link.place) && isBound(path.basename(link.place))) return;
  throw cannot(link, 'nobody listens there', 'start the peer that does first');
}

function checkFree(link: MachineLink): void {
  const directory = path.dirname(path.resolve(link.place));
  try {
    accessSync(directory, constants.W_OK | constants.X_OK);
  } catch {
    throw cannot(link, `nothing can be made in ${directory}`, 'name a directory that is yours');
  }
  const found = lstatSync(link.place, { throwIfNoEntry: false });
  // What an earlier machine left is replaced by QEMU.
  if (found === undefined || (found.isSocket() && !isBound(link.place))) return;
  throw cannot(link, 'that path is taken', 'name a path that is free');
}

const isSocket = (place: string): boolean =>
  lstatSync(place, { throwIfNoEntry: false })?.isSocket() === true;

/** Whether a process has a socket of that path, or path's end, as far as this system tells. */
function isBound(end: string): boolean {
  const bound = readText('/proc/net/unix');
  return (
    bound === null ||
    bound.split('\n').some((line) => line.endsWith(` ${end}`) || line.endsWith(`/${end}`))
  );
}

function readText(file: string): string | null {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return null;
  }
}
