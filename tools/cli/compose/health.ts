/**
 * Whether a unikernel does its work: one question, one answer. When to ask, and how often it may be
 * wrong: unikernel.ts.
 */

import http from 'node:http';
import net from 'node:net';
import type { HealthCheck } from '../../../packages/morgana/compose.ts';

/** How a unikernel's ports are reached from here. */
export interface Reach {
  /** Opens a connection to its port and closes it again; null, or what was wrong. */
  connect(port: number, timeoutMs: number, signal: AbortSignal): Promise<string | null>;
  /** Where on this machine connections to its port are taken; a string: why nowhere. */
  place(port: number): Promise<Place | string>;
}

export interface Place {
  readonly host: string;
  readonly port: number;
}

/** The timeout of a question unless the file has one. */
export const TIMEOUT_MILLIS = 2_000;
const HTTP_PORT = 80;
const STATUS_GOOD_MIN = 200;
const STATUS_GOOD_MAX = 399;

/**
 * Asks once; null: it is healthy. Of `log`, which can't be asked, the answer is always null. An
 * aborted question is answered at once, with anything.
 */
export async function askHealth(
  health: HealthCheck,
  reach: Reach,
  signal: AbortSignal,
): Promise<string | null> {
  const timeoutMs = health.timeoutMs ?? TIMEOUT_MILLIS;
  if ('log' in health) return null;
  if ('tcp' in health) return reach.connect(health.tcp, timeoutMs, signal);
  const place = await reach.place(health.port ?? HTTP_PORT);
  return typeof place === 'string' ? place : askHttp(place, health.http, timeoutMs, signal);
}

export function askHttp(
  place: Place,
  path: string,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<string | null> {
  return new Promise((resolve) => {
    const request = http.get({ ...place, path, agent: false, signal });
    const answered = ({ statusCode: status = 0 }: http.IncomingMessage): void => {
      const isGood = status >= STATUS_GOOD_MIN && status <= STATUS_GOOD_MAX;
      resolve(isGood ? null : `${path} was answered with ${status}`);
      request.destroy();
    };
    request.on('response', answered);
    // 101, which isn't a response to Node.
    request.on('upgrade', answered);
    const late = setTimeout(() => {
      resolve(`${path} was not answered within ${timeoutMs} ms`);
      request.destroy();
    }, timeoutMs);
    request.on('error', (error) => resolve(`${path} was not answered: ${reasonOf(error)}`));
    request.on('close', () => {
      clearTimeout(late);
      // Whatever else ends it: nobody waits for ever.
      resolve(`${path} was not answered`);
    });
  });
}

export function askConnect(
  place: Place,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<string | null> {
  return new Promise((resolve) => {
    const socket = net.connect({ ...place, signal });
    const finish = (wrong: string | null): void => {
      clearTimeout(late);
      socket.destroy();
      resolve(wrong);
    };
    const late = setTimeout(() => finish(`no connection within ${timeoutMs} ms`), timeoutMs);
    socket.once('connect', () => finish(null));
    socket.once('error', (error) => finish(reasonOf(error)));
  });
}

const REASONS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'the connection is refused',
  ECONNRESET: 'the connection is reset',
};
const reasonOf = (error: NodeJS.ErrnoException): string =>
  REASONS[error.code ?? ''] ?? error.message;
