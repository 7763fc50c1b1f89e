/**
 * 'net.management': what operators have of a program over its network. Off unless boot-time
 * arguments turn it on: a port with a token (management-handler.ts), and the log by syslog.
 */

import { assert } from '#core';
import type { Stack } from '#device';
import { HttpServer } from '#http';
import { parseSyslogServer, SyslogSender } from '#inspect';
import type { ManagementPort } from './devices.ts';
import {
  FAILURES_WAITING_MAX,
  ManagementHandler,
  TOKEN_CHARACTERS_MAX,
  TOKEN_CHARACTERS_MIN,
} from './management-handler.ts';
import type { Connector, ConnectRequest } from './run.ts';
import { MANAGEMENT_ARGS } from './standard-args.ts';

/**
 * A few operators and collectors. One more evicts a connection that waits for a request or was
 * answered; one whose answer is late for a wrong token stays, so these must be fewer.
 */
export const CONNECTIONS_MAX = 32;
const BODY_BYTES_MAX = 16_384;

assert(FAILURES_WAITING_MAX <= CONNECTIONS_MAX / 2);

export const managementConnector: Connector<'net.management'> = {
  args: MANAGEMENT_ARGS,
  async connect(request) {
    const { args } = request;
    const wrong = startSyslog(request, String(args.syslog));
    if (wrong !== null) return { lacks: wrong };
    const port = Number(args['management-port']);
    const token = String(args['management-token']);
    if (port === 0) {
      if (token !== '') return { lacks: '--management-token needs --management-port' };
      return { port: null };
    }
    if (token.length < TOKEN_CHARACTERS_MIN || token.length > TOKEN_CHARACTERS_MAX) {
      const range = `${TOKEN_CHARACTERS_MIN} to ${TOKEN_CHARACTERS_MAX}`;
      return { lacks: `--management-port needs --management-token of ${range} characters` };
    }
    if (!/^[!-~]+$/.test(token)) {
      return { lacks: '--management-token may have printable ASCII without spaces only' };
    }
    return listen(request, port, token);
  },
};

async function listen(
  { machine, needs, inspection, log }: ConnectRequest,
  port: number,
  token: string,
): Promise<ManagementPort | { readonly lacks: string }> {
  if (inspection === null) return { lacks: 'nothing of the program can be inspected' };
  const { commands } = inspection;
  const { timers, clock } = machine;
  const logger = log.source('management');
  const handler = new ManagementHandler(commands, token, timers, logger);
  commands.inspector.section('management', () => ({ ...handler.counters }));
  commands.managementPort = port;
  const limits = { connectionsMax: CONNECTIONS_MAX, bodyBytesMax: BODY_BYTES_MAX };
  const server = new HttpServer({ handler, timers, clock, log: logger, limits });
  const listening = await (needs[0] as Stack).listen(port, (flow) => server.accept(flow));
  if (!listening.ok) return { lacks: `port ${port}: ${listening.error.kind}` };
  logger.info(`management on port ${port}`);
  return { port };
}

/** One sentence when `text` names no server; empty: there is to be none. */
function startSyslog(request: ConnectRequest, text: string): string | null {
  if (text === '') return null;
  const server = parseSyslogServer(text);
  if (server === null) return `--syslog=${text}: expected udp://, tcp:// or tls://ADDRESS[:PORT]`;
  const { machine, needs, name, inspection, log, args, secure } = request;
  if (server.protocol === 'tls' && secure === null) {
    return `--syslog=${text} needs CAs to trust: build it with --ca, or give its configuration ca`;
  }
  const stack = needs[0] as Stack;
  const connectSecure = secure?.over(stack.connect.bind(stack)) ?? null;
  const { timers, clock } = machine;
  const origin = () => ({
    hostName: String(args.hostname ?? '') || (stack.addresses()[0]?.split('/')[0] ?? ''),
    app: name,
  });
  const sender = new SyslogSender({
    stack,
    connectSecure,
    timers,
    clock,
    log,
    server,
    origin,
  });
  inspection?.commands.inspector.section('syslog', () => ({
    ...sender.counters,
    ...(sender.fault === null ? {} : { fault: sender.fault }),
  }));
  return null;
}
