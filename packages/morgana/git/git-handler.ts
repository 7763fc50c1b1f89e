/**
 * A repository over HTTP: `git clone http://host/path`, and `git push` where that is allowed. Read
 * first: gitprotocol-http(5); packages/git/protocol/upload-pack.ts. Only the smart protocol: a
 * client of the dumb one gets 403. Not here: who may push (the application's `authorise`).
 */

import { hot, type Logger } from '#core';
import type { CryptoPrimitives, Zlib } from '#device';
import { type GitService, type ObjectBackend, UploadPack } from '#git';
import { markBytes, pktLine } from '#git/wire';
import type { Exchange, HeaderField, HttpHandler, PreparedResponse, RequestHead } from '#http';
import { ExchangeBody, PeerGone } from './exchange-body.ts';

export interface GitHandlerOptions {
  readonly backend: ObjectBackend;
  readonly crypto: CryptoPrimitives;
  readonly zlib: Zlib;
  readonly log: Logger;
  /** Where the repository is: "/repo" for http://host/repo, "" for http://host/. */
  readonly path: string;
}

const SERVICES: readonly GitService[] = ['git-upload-pack', 'git-receive-pack'];
const TEXT: HeaderField = ['content-type', 'text/plain; charset=utf-8'];
/** gitprotocol-http(5), "Smart Clients": nothing of it may be kept. */
const NO_CACHE: readonly HeaderField[] = [
  ['expires', 'Fri, 01 Jan 1980 00:00:00 GMT'],
  ['pragma', 'no-cache'],
  ['cache-control', 'no-cache, max-age=0, must-revalidate'],
];

export class GitHandler implements HttpHandler {
  private readonly options: GitHandlerOptions;
  private readonly uploadPack: UploadPack;

  constructor(options: GitHandlerOptions) {
    this.options = options;
    this.uploadPack = new UploadPack(options);
  }

  /** Nothing follows from a head alone: refs move. */
  answer(): PreparedResponse | null {
    return null;
  }

  /** Whether this request is for the repository; others may be given to another handler. */
  isFor(head: RequestHead): boolean {
    return head.path.startsWith(`${this.options.path}/`);
  }

  async request(exchange: Exchange): Promise<void> {
    const { head } = exchange;
    const place = this.isFor(head) ? head.path.slice(this.options.path.length) : '';
    if (head.method === 'GET' && place === '/info/refs') return this.advertise(exchange);
    const service = SERVICES.find((name) => place === `/${name}`);
    if (service === undefined) refuse(exchange, isDumb(place) ? 403 : 404, NOT_SMART);
    else if (head.method !== 'POST') refuse(exchange, 405, `POST ${service}`);
    else if (head.get('content-type') !== `application/x-${service}-request`) {
      refuse(exchange, 415, `not a request of ${service}`);
    } else await this.serve(exchange);
  }

  private async advertise(exchange: Exchange): Promise<void> {
    const service = /(?:^|&)service=([\w-]+)(?:&|$)/.exec(exchange.head.query ?? '')?.[1];
    if (service !== 'git-upload-pack') {
      refuse(exchange, 403, service === undefined ? NOT_SMART : `${service} isn't offered here`);
      return;
    }
    const version = versionOf(exchange.head);
    const bytes = await this.uploadPack.advertise(version);
    // Version 2 has no use for the line that names the service.
    const intro = version === 2 ? [] : [pktLine(`# service=${service}`), markBytes('flush')];
    const type: HeaderField = ['content-type', `application/x-${service}-advertisement`];
    exchange.begin(200, [type, ...NO_CACHE], null);
    for (const piece of [...intro, bytes]) exchange.write(piece);
    exchange.finish();
  }

  private async serve(exchange: Exchange): Promise<void> {
    const body = new ExchangeBody(exchange);
    const mode = { version: versionOf(exchange.head), isStateless: true };
    const answer = this.uploadPack.serve(body.pieces(), mode);
    const type: HeaderField = ['content-type', 'application/x-git-upload-pack-result'];
    try {
      exchange.begin(200, [type, ...NO_CACHE], null);
      for await (const piece of answer) if (!(await body.write(piece))) return;
      exchange.finish();
    } catch (error) {
      exchange.abort();
      if (!(error instanceof PeerGone)) throw error;
    }
  }
}

const NOT_SMART = "only Git's smart HTTP protocol is spoken here";

const isDumb = (place: string): boolean => /^\/(?:HEAD$|objects\/|refs\/|packed-refs$)/.test(place);

/** gitprotocol-http(5): "Git-Protocol: version=2", among others that are passed over. */
function versionOf(head: RequestHead): 0 | 1 | 2 {
  const versions = (head.get('git-protocol') ?? '').split(':').map((part) => part.trim());
  if (versions.includes('version=2')) return 2;
  return versions.includes('version=1') ? 1 : 0;
}

function refuse(exchange: Exchange, status: number, text: string): void {
  exchange.respond(status, [TEXT], hot.utf8Encode(`${text}\n`));
}
