/** Changes to the hellos of TLS 1.2, for somebody between both ends. */

import { strict as assert } from 'node:assert';
import type { PairOptions } from './test-session.ts';
import { changing, type Tamper } from './test-tamper.ts';
import { type ClientHello, emitClientHello, parseClientHello } from './wire/client-hello.ts';
import {
  type ClientHelloExtensions,
  clientHelloExtensions,
  type ServerHelloExtensions,
  serverHelloExtensions,
} from './wire/extensions.ts';
import { handshakeType } from './wire/handshake.ts';
import { emitServerHello, parseServerHello, type ServerHello } from './wire/server-hello.ts';

/** A server that speaks TLS 1.2 only. */
export const OLD = { server: { versions: ['TLS 1.2'] } } as const satisfies PairOptions;

export const clientHello = (change: (hello: ClientHello) => Partial<ClientHello>): Tamper =>
  changing(handshakeType.client_hello, parseClientHello, emitClientHello, (hello) => ({
    ...hello,
    ...change(hello),
  }));

export const clientExtensions = (change: Partial<ClientHelloExtensions>): Tamper =>
  clientHello(({ extensions }) => ({
    extensions: clientHelloExtensions.of({ ...extensions, ...change }, extensions.others),
  }));

export const serverHello = (change: (hello: ServerHello) => Partial<ServerHello>): Tamper =>
  changing(handshakeType.server_hello, parseServerHello, emitServerHello, (hello) => {
    assert(hello.kind === 'hello');
    return { ...hello, ...change(hello) };
  });

export const serverExtensions = (change: Partial<ServerHelloExtensions>): Tamper =>
  serverHello(({ extensions }) => ({
    extensions: serverHelloExtensions.of({ ...extensions, ...change }, extensions.others),
  }));

/** RFC 7627: a client that hasn't heard of it. */
export const withoutMaster = clientExtensions({ extendedMasterSecret: null });
