/**
 * `git http-backend` behind Node's HTTP or HTTPS server, as a web server runs it: CGI (RFC 3875),
 * one process a request. For repositories below one directory.
 */

import { spawn } from 'node:child_process';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { StockGit } from './git.ts';
import { leashed } from './machine.ts';

export interface HttpBackend {
  readonly url: string;
  /** Requests so far, as "POST /repo/git-upload-pack". */
  readonly requests: string[];
  /** For connections from now on; those that are open end. */
  use(certificate: PemPair): void;
  close(): Promise<void>;
}

/** A chain and its key, PEM. */
export interface PemPair {
  readonly cert: string;
  readonly key: string;
}

/** `user` and `password`: Basic credentials that every request needs. */
export interface HttpBackendOptions {
  readonly user?: string;
  readonly password?: string;
  /** HTTPS with it. */
  readonly certificate?: PemPair;
}

export async function startHttpBackend(
  git: StockGit,
  root: string,
  options: HttpBackendOptions = {},
): Promise<HttpBackend> {
  const requests: string[] = [];
  const { user, password, certificate } = options;
  const wanted =
    user === undefined ? null : `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`;
  const serve = (request: IncomingMessage, response: ServerResponse): void => {
    requests.push(`${request.method} ${request.url}`);
    if (request.url?.startsWith('/moved/')) {
      response.writeHead(302, { location: request.url.slice('/moved'.length) }).end();
    } else if (wanted !== null && request.headers.authorization !== wanted) {
      const head = { 'www-authenticate': 'Basic realm="git"', 'content-type': 'text/plain' };
      response.writeHead(401, head).end('nobody knows you\n');
    } else run(git, root, user, request, response);
  };
  const secure = certificate && createSecureServer(certificate, serve);
  const server = secure ?? createServer(serve);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http${certificate === undefined ? '' : 's'}://127.0.0.1:${port}`,
    requests,
    use: (pair) => {
      secure?.setSecureContext(pair);
      server.closeAllConnections();
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function run(
  git: StockGit,
  root: string,
  user: string | undefined,
  request: IncomingMessage,
  response: ServerResponse,
): void {
  const url = new URL(request.url ?? '/', 'http://localhost');
  const { headers } = request;
  const env = git.env({
    GIT_PROJECT_ROOT: root,
    GIT_HTTP_EXPORT_ALL: '1',
    REQUEST_METHOD: request.method,
    PATH_INFO: url.pathname,
    QUERY_STRING: url.search.slice(1),
    CONTENT_TYPE: headers['content-type'] ?? '',
    REMOTE_ADDR: '127.0.0.1',
    ...(user === undefined ? {} : { REMOTE_USER: user }),
    ...(headers['content-length'] ? { CONTENT_LENGTH: headers['content-length'] } : {}),
    ...(headers['content-encoding']
      ? { HTTP_CONTENT_ENCODING: headers['content-encoding'] as string }
      : {}),
    ...(headers['git-protocol'] ? { GIT_PROTOCOL: headers['git-protocol'] as string } : {}),
  });
  const child = spawn(...leashed('git', ['http-backend']), { env });
  request.pipe(child.stdin);
  child.stdin.on('error', () => {});
  let head: Buffer | null = Buffer.alloc(0);
  child.stdout.on('data', (bytes: Buffer) => {
    if (head === null) {
      if (!response.write(bytes)) {
        child.stdout.pause();
        response.once('drain', () => child.stdout.resume());
      }
      return;
    }
    head = Buffer.concat([head, bytes]);
    const end = head.indexOf('\r\n\r\n');
    if (end < 0) return;
    let status = 200;
    for (const line of head.toString('latin1', 0, end).split('\r\n')) {
      const colon = line.indexOf(':');
      const name = line.slice(0, colon);
      const value = line.slice(colon + 1).trim();
      if (name.toLowerCase() === 'status') status = Number(value.split(' ')[0]);
      else response.setHeader(name, value);
    }
    response.writeHead(status);
    response.write(head.subarray(end + 4));
    head = null;
  });
  child.once('close', () => response.end());
  response.once('close', () => child.kill());
}
