/**
 * Port forwards: ports of the outside address that stand for ports of inside hosts. As text:
 * "tcp:8080=192.168.7.10:80,udp:5000-5010=192.168.7.10", with the same ports inside when none is
 * given.
 */

import { err, ok, type Result } from '#core';
import {
  formatIpv4Address,
  type Ipv4Address,
  isHostAddress,
  PROTOCOL_TCP,
  PROTOCOL_UDP,
  parseIpv4Address,
} from '#net';
import { portForwardsMax } from '../limits.ts';

export interface PortForward {
  readonly protocol: number;
  /** Both are of it. */
  readonly outsideFirst: number;
  readonly outsideLast: number;
  readonly insideAddress: Ipv4Address;
  readonly insideFirst: number;
}

/** One sentence for a person. */
export type ForwardsFault = { readonly kind: 'forward'; readonly message: string };

const FORM = /^(tcp|udp):(\d{1,5})(?:-(\d{1,5}))?=([\d.]+)(?::(\d{1,5}))?$/;

export function parseForwards(text: string): Result<readonly PortForward[], ForwardsFault> {
  const forwards: PortForward[] = [];
  for (const word of text === '' ? [] : text.split(',')) {
    const found = readForward(word);
    if (found === null) {
      return fault(`'${word}' is not as tcp:8080=192.168.7.10:80 or udp:5000-5010=192.168.7.10`);
    }
    if (forwards.some((other) => overlaps(other, found))) {
      return fault(`'${word}' has a port, outside or inside, that another one has`);
    }
    forwards.push(found);
  }
  if (forwards.length > portForwardsMax) return fault(`more than ${portForwardsMax}`);
  return ok(forwards);
}

function readForward(word: string): PortForward | null {
  const [, protocol, first = '', last = first, host = '', inside = first] = FORM.exec(word) ?? [];
  const insideAddress = parseIpv4Address(host);
  const [outsideFirst, outsideLast, insideFirst] = [Number(first), Number(last), Number(inside)];
  const insideLast = insideFirst + outsideLast - outsideFirst;
  const arePorts =
    outsideFirst >= 1 && outsideLast >= outsideFirst && outsideLast <= 65_535 && insideFirst >= 1;
  if (insideAddress === null || !isHostAddress(insideAddress)) return null;
  if (!arePorts || insideLast > 65_535) return null;
  return {
    protocol: protocol === 'tcp' ? PROTOCOL_TCP : PROTOCOL_UDP,
    outsideFirst,
    outsideLast,
    insideAddress,
    insideFirst,
  };
}

const fault = (message: string): Result<never, ForwardsFault> => err({ kind: 'forward', message });

/** An inside endpoint has one outside port, too: all see it by that (RFC 4787 REQ-1). */
function overlaps(a: PortForward, b: PortForward): boolean {
  if (a.protocol !== b.protocol) return false;
  const isOutside = a.outsideFirst <= b.outsideLast && b.outsideFirst <= a.outsideLast;
  const [aLast, bLast] = [a, b].map((f) => f.insideFirst + f.outsideLast - f.outsideFirst);
  const isInside = a.insideFirst <= bLast! && b.insideFirst <= aLast!;
  return isOutside || (isInside && a.insideAddress === b.insideAddress);
}

export function formatForward(forward: PortForward): string {
  const { outsideFirst, outsideLast, insideAddress, insideFirst } = forward;
  const protocol = forward.protocol === PROTOCOL_TCP ? 'tcp' : 'udp';
  const ports = outsideFirst === outsideLast ? `${outsideFirst}` : `${outsideFirst}-${outsideLast}`;
  return `${protocol}:${ports}=${formatIpv4Address(insideAddress)}:${insideFirst}`;
}

/** The forward of an outside port, or null. O(forwards). */
export function forwardOf(
  forwards: readonly PortForward[],
  protocol: number,
  port: number,
): PortForward | null {
  for (const forward of forwards) {
    const isIn = port >= forward.outsideFirst && port <= forward.outsideLast;
    if (isIn && forward.protocol === protocol) return forward;
  }
  return null;
}

/** The outside port that stands for an inside endpoint, or -1. O(forwards). */
export function forwardedPort(
  forwards: readonly PortForward[],
  protocol: number,
  address: Ipv4Address,
  port: number,
): number {
  for (const forward of forwards) {
    const index = port - forward.insideFirst;
    const isIn = index >= 0 && index <= forward.outsideLast - forward.outsideFirst;
    if (isIn && forward.protocol === protocol && forward.insideAddress === address) {
      return forward.outsideFirst + index;
    }
  }
  return -1;
}
