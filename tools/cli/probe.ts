/** When a freshly booted server answers: asks for its front page until it does. */

import { connect, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';

/**
 * QEMU accepts a connection before the machine listens, and then tries for seconds to get it
 * there: so a new one is tried beside it, often at first.
 */
const EAGER_MS = 20;
const PATIENT_MS = 250;
const EAGER_UNTIL_MS = 1_000;
const OPEN_MAX = 64;

/** Asks for the front page's head: a website answers 200. */
export const HEAD_REQUEST = 'HEAD / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n';
/**
 * Without Host the server itself answers 400 (RFC 9112 §3.2): a handler doesn't see it, and counts
 * no visitor.
 */
export const HOSTLESS_REQUEST = 'HEAD / HTTP/1.1\r\nConnection: close\r\n\r\n';

/** Who is asked, and what. */
export interface Asked {
  readonly host: string;
  readonly port: number;
  readonly request: string;
  /** Over TLS, whoever it is that answers: what comes isn't used. */
  readonly isSecure: boolean;
}

/**
 * Resolves with the milliseconds from `startedMs` (performance.now) to the first byte of an answer
 * to `asked`, or null when `cancelled` says so first or nothing answered for `patienceMs`.
 */
export async function firstByte(
  asked: Asked,
  startedMs: number,
  patienceMs: number,
  cancelled: () => boolean,
): Promise<number | null> {
  const open = new Set<Socket>();
  let answeredMs: number | null = null;
  const elapsedMs = (): number => performance.now() - startedMs;
  while (answeredMs === null && !cancelled() && elapsedMs() < patienceMs) {
    if (open.size < OPEN_MAX) {
      ask(asked, open, () => {
        answeredMs ??= elapsedMs();
      });
    }
    // A handshake costs the one who is asked: all that QEMU has kept come in at once.
    const isEager = elapsedMs() < EAGER_UNTIL_MS && !asked.isSecure;
    const pauseMs = isEager ? EAGER_MS : PATIENT_MS;
    await new Promise((resolve) => setTimeout(resolve, pauseMs));
  }
  for (const socket of open) socket.destroy();
  return answeredMs;
}

/** One try; `answered` is called with its first byte. It is in `open` while it may still answer. */
function ask(
  { host, port, request, isSecure }: Asked,
  open: Set<Socket>,
  answered: () => void,
): void {
  const socket = isSecure
    ? connectTls({ host, port, rejectUnauthorized: false })
    : connect({ host, port });
  open.add(socket);
  socket.once(isSecure ? 'secureConnect' : 'connect', () => socket.write(request));
  socket.once('data', answered);
  socket.once('error', () => socket.destroy());
  socket.once('close', () => open.delete(socket));
}
