/**
 * A repository over HTTP: `git clone http://host/path`, and `git push` where that is allowed. Read
 * first: gitprotocol-http(5); packages/git/protocol/upload-pack.ts. Only the smart protocol: a
 * client of the dumb one gets 403. Not here: who may push (the application's `authorise`).
 */

import { hot, type Logger } from '#core';
import type { Endpoint, Flow } from '#device';
import {
  type GitService,
  PUSH_PACK_BYTES_MAX,
  ReceivePack,
  type ReceivePackOptions,
  UploadPack,
  type UploadPackOptions,
} from '#git';
import { markBytes, pktLine } from '#git/wire';
import type { Exchange, HeaderField, HttpHandler, PreparedResponse, RequestHead } from '#http';
import { atob } from '#web';
import { ExchangeBody, PeerGone } from './exchange-body.ts';

/** Who asks, as far as is known. */
export interface GitCaller {
  /** Of Basic credentials; null: none were given. */
  readonly user: string | null;
  readonly password: string | null;
  readonly remote: Endpoint;
  /** The connection, to be asked what it is (a TLS session, say). */
  readonly flow: Flow;
}

/** The name under which the caller may do it; null: not this one. */
export type GitAuthorise = (caller: GitCaller) => Promise<string | null> | string | null;

/** How pushes are taken; the name of the pusher goes to `accept`. */
export interface GitPushOptions
  extends Omit<ReceivePackOptions<string>, 'backend' | 'crypto' | 'zlib' | 'turn'> {
  /** Asked for every request of a push. Compare passwords in constant time. */
  readonly authorise: GitAuthorise;
}

export interface GitHandlerOptions extends UploadPackOptions {
  readonly log: Logger;
  /** Where the repository is: "/repo" for http://host/repo, "" for http://host/. */
  readonly path: string;
  /** Who may read; everybody unless given. */
  readonly read?: GitAuthorise;
  /** Pushes are refused unless given. */
  readonly push?: GitPushOptions;
}

const SERVICES: readonly GitService[] = ['git-upload-pack', 'git-receive-pack'];
const TEXT: HeaderField = ['content-type', 'text/plain; charset=utf-8'];
const CHALLENGE: HeaderField = ['www-authenticate', 'Basic realm="Git", charset="UTF-8"'];
/** gitprotocol-http(5), "Smart Clients": nothing of it may be kept. */
const NO_CACHE: readonly HeaderField[] = [
  ['expires', 'Fri, 01 Jan 1980 00:00:00 GMT'],
  ['pragma', 'no-cache'],
  ['cache-control', 'no-cache, max-age=0, must-revalidate'],
];
/** What stands around a pack in the body of a push: the refs. */
const COMMANDS_BYTES_MAX = 16_777_216;

/** Serves one repository below `path`; takes pushes only where `push` is given. */
export class GitHandler implements HttpHandler {
  private readonly options: GitHandlerOptions;
  private readonly uploadPack: UploadPack;
  private readonly receivePack: ReceivePack<string> | null;

  constructor(options: GitHandlerOptions) {
    this.options = options;
    this.uploadPack = new UploadPack(options);
    const { backend, crypto, zlib, turn, push } = options;
    const tools = { backend, crypto, zlib, ...(turn === undefined ? {} : { turn }) };
    this.receivePack = push ? new ReceivePack({ ...push, ...tools }) : null;
  }

  /** Nothing follows from a head alone: refs move. */
  answer(): PreparedResponse | null {
    return null;
  }

  /** A pack that is too big by less than its own size is refused in Git's words, others by 413. */
  bodyBytesMax(head: RequestHead): number {
    const { packBytesMax = PUSH_PACK_BYTES_MAX } = this.options.push ?? {};
    return head.path.endsWith('/git-receive-pack')
      ? 2 * packBytesMax + COMMANDS_BYTES_MAX
      : COMMANDS_BYTES_MAX;
  }

  /** Whether this request is for the repository; others may be given to another handler. */
  isFor(head: RequestHead): boolean {
    return head.path.startsWith(`${this.options.path}/`);
  }

  counters(): Readonly<Record<string, number>> {
    return { ...this.receivePack?.counters };
  }

  async request(exchange: Exchange): Promise<void> {
    const { head } = exchange;
    const place = this.isFor(head) ? head.path.slice(this.options.path.length) : '';
    const isQuestion = place === '/info/refs';
    const asked = isQuestion ? serviceOf(head) : place.slice(1);
    const service = SERVICES.find((name) => name === asked);
    if (service === undefined) {
      refuse(exchange, isQuestion || isDumb(place) ? 403 : 404, NOT_SMART);
    } else if (service === 'git-receive-pack' && this.receivePack === null) {
      refuse(exchange, 403, 'pushes are not taken here');
    } else if (head.method !== (isQuestion ? 'GET' : 'POST')) {
      refuse(exchange, 405, `${isQuestion ? 'GET' : 'POST'} only`);
    } else if (!isQuestion && head.get('content-type') !== `application/x-${service}-request`) {
      refuse(exchange, 415, `not a request of ${service}`);
    } else await this.serve(exchange, service, isQuestion);
  }

  private async serve(exchange: Exchange, service: GitService, isQuestion: boolean): Promise<void> {
    // Before anybody asks for the body: a client that waits for 100 (Continue) sends none in vain.
    const caller = await this.admit(exchange, service);
    if (exchange.finished) return;
    if (caller === null) refuse(exchange, 401, 'who are you?', [CHALLENGE]);
    else if (isQuestion) await this.advertise(exchange, service);
    else await this.converse(new ExchangeBody(exchange), service, caller);
  }

  /** The caller's name; null: nobody who may. */
  private async admit(exchange: Exchange, service: GitService): Promise<string | null> {
    const { read, push } = this.options;
    const authorise = service === 'git-receive-pack' ? push?.authorise : read;
    if (authorise === undefined) return service === 'git-upload-pack' ? '' : null;
    const { head, remote, flow } = exchange;
    return authorise({ ...credentialsOf(head), remote, flow });
  }

  private async advertise(exchange: Exchange, service: GitService): Promise<void> {
    const version = versionOf(exchange.head, service);
    const bytes =
      service === 'git-upload-pack'
        ? await this.uploadPack.advertise(version)
        : await this.receivePack!.advertise(version === 1 ? 1 : 0);
    // Version 2 has no use for the line that names the service.
    const intro = version === 2 ? [] : [pktLine(`# service=${service}`), markBytes('flush')];
    const type: HeaderField = ['content-type', `application/x-${service}-advertisement`];
    exchange.begin(200, [type, ...NO_CACHE], null);
    for (const piece of [...intro, bytes]) exchange.write(piece);
    exchange.finish();
  }

  private async converse(body: ExchangeBody, service: GitService, caller: string): Promise<void> {
    const { exchange } = body;
    const version = versionOf(exchange.head, service);
    const answer =
      service === 'git-upload-pack'
        ? this.uploadPack.serve(body.pieces(), { version, isStateless: true })
        : this.receivePack!.serve(body.pieces(), caller);
    const type: HeaderField = ['content-type', `application/x-${service}-result`];
    try {
      for await (const piece of answer) {
        // Late: a body that is too long is told by its own status.
        if (!exchange.responded) exchange.begin(200, [type, ...NO_CACHE], null);
        if (!(await body.write(piece))) return;
      }
      if (!exchange.responded) exchange.begin(200, [type, ...NO_CACHE], null);
      exchange.finish();
    } catch (error) {
      exchange.abort();
      if (!(error instanceof PeerGone)) throw error;
    }
  }
}

const NOT_SMART = "only Git's smart HTTP protocol is spoken here";

const isDumb = (place: string): boolean => /^\/(?:HEAD$|objects\/|refs\/|packed-refs$)/.test(place);

const serviceOf = (head: RequestHead): string | undefined =>
  /(?:^|&)service=([\w-]+)(?:&|$)/.exec(head.query ?? '')?.[1];

/** gitprotocol-http(5): "Git-Protocol: version=2", among others that are passed over. */
function versionOf(head: RequestHead, service: GitService): 0 | 1 | 2 {
  const versions = (head.get('git-protocol') ?? '').split(':').map((part) => part.trim());
  // There is no version 2 of pushing: who asks for it gets the oldest.
  if (versions.includes('version=2')) return service === 'git-upload-pack' ? 2 : 0;
  return versions.includes('version=1') ? 1 : 0;
}

/** RFC 7617 §2: in UTF-8; what is malformed is none. */
function credentialsOf(head: RequestHead): Pick<GitCaller, 'user' | 'password'> {
  const none = { user: null, password: null };
  const given = /^Basic +([\w+/=]+)$/i.exec(head.get('authorization') ?? '')?.[1];
  if (given === undefined) return none;
  let bytes: Uint8Array;
  try {
    const text = atob(given);
    bytes = new Uint8Array(text.length);
    hot.writeLatin1(bytes, 0, text);
  } catch {
    return none;
  }
  const text = hot.utf8Decode(bytes, 0, bytes.length, true) ?? '';
  const colon = text.indexOf(':');
  return colon < 0 ? none : { user: text.slice(0, colon), password: text.slice(colon + 1) };
}

function refuse(
  exchange: Exchange,
  status: number,
  text: string,
  fields: readonly HeaderField[] = [],
): void {
  exchange.respond(status, [TEXT, ...fields], hot.utf8Encode(`${text}\n`));
}
