/**
 * Git's smart HTTP protocol over `fetch`: the program's own in an image, Node's elsewhere. Read
 * first: gitprotocol-http(5); packages/git/protocol/transport.ts. Credentials go to the place they
 * were given for; where the first answer is redirected to another origin, they stay behind.
 */

import { err, hot, ok, type Result } from '#core';
import type { GitService, GitTransport, TransportError } from '#git';
import { joinBytes, lineOf, markBytes, parsePkts } from '#git/wire';

export interface HttpTransportOptions {
  /** "https://host/repo", also with user and password in it. */
  readonly url: string;
  readonly user?: string;
  readonly password?: string;
  /** The global one unless given. */
  readonly fetch?: (url: string, init: RequestInit) => Promise<Response>;
}

/** A shorter request goes in one piece, with its length: some servers take no others. */
const WHOLE_BODY_BYTES_MAX = 1_048_576;
/** Of what a server says about an error. */
const MESSAGE_BYTES_MAX = 1_024;

export class HttpTransport implements GitTransport {
  readonly isStateless = true;
  private readonly request: (url: string, init: RequestInit) => Promise<Response>;
  private url: string;
  private authorization: string | null;
  private readonly abort = new AbortController();

  /** Throws a TypeError for what is no URL. */
  constructor(options: HttpTransportOptions) {
    const url = new URL(options.url);
    const user = options.user ?? decodeURIComponent(url.username);
    const password = options.password ?? decodeURIComponent(url.password);
    url.username = '';
    url.password = '';
    this.url = url.href.replace(/\/+$/, '');
    this.authorization = user === '' && password === '' ? null : basic(user, password);
    this.request = options.fetch ?? ((input, init) => fetch(input, init));
  }

  async discover(
    service: GitService,
    version: 0 | 1 | 2,
  ): Promise<Result<AsyncIterable<Uint8Array>, TransportError>> {
    const place = `/info/refs?service=${service}`;
    const answer = await this.ask(`${this.url}${place}`, { headers: this.headers(version) });
    if (!answer.ok) return answer;
    const response = answer.value;
    const type = `application/x-${service}-advertisement`;
    if (response.headers.get('content-type') !== type) {
      await response.body?.cancel();
      return err({ kind: 'not git', message: `${this.url} speaks no smart protocol of Git's` });
    }
    this.follow(response.url, place);
    return ok(withoutIntro(piecesOf(response)));
  }

  async call(
    service: GitService,
    version: 0 | 1 | 2,
    body: AsyncIterable<Uint8Array>,
  ): Promise<Result<AsyncIterable<Uint8Array>, TransportError>> {
    const headers = this.headers(version);
    headers['content-type'] = `application/x-${service}-request`;
    headers.accept = `application/x-${service}-result`;
    const init = { method: 'POST', headers, body: await bodyOf(body), duplex: 'half' };
    const answer = await this.ask(`${this.url}/${service}`, init as RequestInit);
    if (!answer.ok) return answer;
    const response = answer.value;
    if (response.headers.get('content-type') !== `application/x-${service}-result`) {
      await response.body?.cancel();
      return err({ kind: 'not git', message: `${service} gave something else than a result` });
    }
    return ok(piecesOf(response));
  }

  async close(): Promise<void> {
    this.abort.abort();
  }

  private headers(version: 0 | 1 | 2): Record<string, string> {
    const headers: Record<string, string> = { 'user-agent': 'git/2 (morgana)' };
    if (version > 0) headers['git-protocol'] = `version=${version}`;
    if (this.authorization !== null) headers.authorization = this.authorization;
    return headers;
  }

  private async ask(url: string, init: RequestInit): Promise<Result<Response, TransportError>> {
    let response: Response;
    try {
      response = await this.request(url, { ...init, signal: this.abort.signal });
    } catch (error) {
      return err({ kind: 'unreachable', message: textOf(error) });
    }
    if (response.status === 200) return ok(response);
    const { status } = response;
    const message = (await messageOf(response)) || response.statusText || `status ${status}`;
    if (status === 401 || status === 403) return err({ kind: 'not allowed', status, message });
    if (status === 404) return err({ kind: 'no repository', message });
    return err({ kind: 'not git', message: `${message} (${status})` });
  }

  /** Where the first question was redirected to, the others go too. */
  private follow(url: string, place: string): void {
    if (!url.endsWith(place)) return;
    const next = url.slice(0, -place.length);
    if (new URL(next).origin !== new URL(this.url).origin) this.authorization = null;
    this.url = next;
  }
}

/** RFC 7617 §2, in UTF-8. */
function basic(user: string, password: string): string {
  const bytes = hot.utf8Encode(`${user}:${password}`);
  return `Basic ${btoa(hot.latin1(bytes, 0, bytes.length))}`;
}

/**
 * A short body as bytes; a longer one as something that both our fetch (as a stream) and Node's (as
 * an iterable) take.
 */
async function bodyOf(body: AsyncIterable<Uint8Array>): Promise<BodyInit> {
  const source = body[Symbol.asyncIterator]();
  const pieces: Uint8Array[] = [];
  let bytes = 0;
  for (;;) {
    const step = await source.next();
    if (step.done === true) return joinBytes(pieces) as BodyInit;
    pieces.push(step.value);
    bytes += step.value.length;
    if (bytes > WHOLE_BODY_BYTES_MAX) return new LongBody(pieces, source) as unknown as BodyInit;
  }
}

class LongBody {
  readonly locked = false;
  private readonly first: Uint8Array[];
  private readonly source: AsyncIterator<Uint8Array>;

  constructor(first: Uint8Array[], source: AsyncIterator<Uint8Array>) {
    this.first = first;
    this.source = source;
  }

  getReader() {
    return {
      read: async () => {
        const first = this.first.shift();
        return first === undefined ? this.source.next() : { done: false, value: first };
      },
      cancel: async () => void (await this.source.return?.()),
    };
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array, void, void> {
    const reader = this.getReader();
    for (;;) {
      const { done, value } = await reader.read();
      if (done === true) return;
      yield value as Uint8Array;
    }
  }
}

async function* piecesOf(response: Response): AsyncGenerator<Uint8Array, void, void> {
  if (response.body === null) return;
  const reader = response.body.getReader();
  let isDone = false;
  try {
    for (;;) {
      const { done, value } = await reader.read();
      isDone = done;
      if (done) return;
      yield value as Uint8Array;
    }
  } finally {
    if (!isDone) await reader.cancel();
  }
}

const INTRO = '# service=';
/** "001e# service=git-upload-pack\n0000", and the longest that there is. */
const INTRO_BYTES_MAX = 64;

/** gitprotocol-http(5): the line that names the service, and its flush, where they stand first. */
async function* withoutIntro(
  pieces: AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array, void, void> {
  let held: Uint8Array | null = new Uint8Array(0);
  for await (const piece of pieces) {
    if (held === null) {
      yield piece;
      continue;
    }
    held = joinBytes([held, piece]);
    if (held.length < INTRO_BYTES_MAX && !isIntroWhole(held)) continue;
    yield held.subarray(introBytes(held));
    held = null;
  }
  if (held !== null && held.length > 0) yield held.subarray(introBytes(held));
}

const isIntroWhole = (b: Uint8Array): boolean => introBytes(b) > 0;

/** The length of the intro that `b` begins with; 0: none, or not all of it. */
function introBytes(b: Uint8Array): number {
  const end = hot.indexOf(b, 10, 0, b.length) + 1;
  if (end === 0 || end + 4 > b.length) return 0;
  const pkts = parsePkts(b.subarray(0, end));
  const first = pkts.ok && pkts.value.length === 1 ? pkts.value[0] : undefined;
  if (!(first instanceof Uint8Array) || !lineOf(first).startsWith(INTRO)) return 0;
  return hot.equal(b, end, markBytes('flush'), 0, 4) ? end + 4 : 0;
}

/** The first line of what an error's body says, when it is text. */
async function messageOf(response: Response): Promise<string> {
  let text = '';
  try {
    for await (const piece of piecesOf(response)) {
      text += hot.utf8Decode(piece, 0, piece.length, false) ?? '';
      if (text.length > MESSAGE_BYTES_MAX) break;
    }
  } catch {
    // The status says enough.
  }
  const isText = response.headers.get('content-type')?.startsWith('text/plain') === true;
  return isText ? text.split('\n', 1)[0]!.slice(0, MESSAGE_BYTES_MAX).trim() : '';
}

function textOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  // Node's fetch says only that it failed, and why in the cause.
  return error.cause instanceof Error ? error.cause.message : error.message;
}
