/**
 * The ways to a running unikernel: its control socket, by name or by path, or its management port
 * over HTTP. All take the same commands (packages/inspect/commands.ts).
 */

import { readFileSync } from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import { err, ok, type Result } from '#core';
import { ControlClient, type OpenRequest } from '#inspect';
import { Failure, usageFailure } from './failure.ts';
import { findUnikernel, runningUnikernels } from './runtime-directory.ts';

type Options = Readonly<Record<string, unknown>>;
/** Takes bytes, borrowed for the call; false asks for a pause, until `resume`. */
export type Take = (bytes: Uint8Array) => boolean;

export interface InspectSource {
  /** As people name it. */
  readonly name: string;
  open(ask: string, options: Options, take: Take): OpenRequest;
  /** After `take` returned false. */
  resume(): void;
  close(): void;
}

const CONNECT_MILLIS_MAX = 5_000;
const ANSWER_BYTES_MAX = 16_777_216;

/** Connects to what `word` names: NAME, unix:PATH or HOST:PORT; null: the only one that runs. */
export async function openSource(
  word: string | null,
  tokenFile: string | null,
): Promise<InspectSource> {
  const found = /^(?:\[([^\]]+)\]|([^:]+)):(\d{1,5})$/.exec(word ?? '');
  if (word?.startsWith('unix:')) return openSocket(word.slice(5), word);
  if (found !== null) {
    if (tokenFile === null) {
      throw usageFailure('a management port wants its token', 'name the file: --token-file=FILE');
    }
    const token = readToken(tokenFile);
    if (!/^[!-~]{16,256}$/.test(token)) {
      throw new Failure({
        what: `${tokenFile} holds no token`,
        mend: 'write 16 characters or more into it, printable ASCII without spaces',
      });
    }
    return new ManagementPort(found[1] ?? found[2]!, Number(found[3]), token);
  }
  const places = word === null ? onlyOne() : findUnikernel(word);
  if (places === null) {
    const names = runningUnikernels().map(({ info }) => info.name);
    throw new Failure({
      what: `no unikernel '${word}' runs here`,
      mend: names.length > 0 ? `these do: ${names.join(', ')}` : 'see "morgana run --help"',
    });
  }
  return openSocket(places.controlSocket, places.info.name);
}

function readToken(file: string): string {
  try {
    return readFileSync(file, 'utf8').trim();
  } catch (error) {
    throw new Failure({ what: `--token-file: ${(error as Error).message}` });
  }
}

function onlyOne() {
  const running = runningUnikernels();
  const [first, second] = running;
  if (first === undefined) {
    throw new Failure({ what: 'no unikernel runs here', mend: 'see "morgana run --help"' });
  }
  if (second === undefined) return first;
  const detail = running.map(({ info }) => `  ${info.name}  ${info.app} on ${info.target}`);
  throw new Failure({ what: `${running.length} unikernels run here`, mend: 'name one', detail }, 1);
}

async function openSocket(file: string, name: string): Promise<InspectSource> {
  const socket = net.connect({ path: file });
  await new Promise<void>((resolve, reject) => {
    const late = setTimeout(() => reject(new Error('it does not answer')), CONNECT_MILLIS_MAX);
    socket.once('connect', resolve);
    socket.once('error', reject);
    socket.once('connect', () => clearTimeout(late));
    socket.once('error', () => clearTimeout(late));
  }).catch((error: Error) => {
    throw new Failure({ what: `${name} can't be reached: ${error.message}` });
  });
  return new ControlSocket(socket, name);
}

class ControlSocket implements InspectSource {
  readonly name: string;
  private readonly socket: net.Socket;
  private readonly client: ControlClient;

  constructor(socket: net.Socket, name: string) {
    this.name = name;
    this.socket = socket;
    this.client = new ControlClient((bytes) => socket.write(bytes));
    socket.on('data', (bytes) => this.client.receive(bytes));
    socket.on('error', (error) => this.client.end(`${name} is lost: ${error.message}`));
    socket.on('close', () => this.client.end(`${name} is gone`));
  }

  open(ask: string, options: Options, take: Take): OpenRequest {
    return this.client.open(ask, options, (bytes) => {
      if (!take(bytes)) this.socket.pause();
    });
  }

  resume(): void {
    this.socket.resume();
  }

  close(): void {
    this.socket.destroy();
  }
}

/** What a command is over HTTP: packages/morgana/management.ts. */
function requestOf(ask: string, options: Options): { method: string; path: string; body: string } {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(options)) query.set(name, String(value));
  const method = ask === 'profile' || ask === 'reload-certificates' ? 'POST' : 'GET';
  if (ask !== 'log') return { method, path: `/${ask}?${query}`, body: '' };
  if (options.levels === undefined) return { method, path: `/log?${query}`, body: '' };
  return { method: 'PUT', path: '/log', body: String(options.levels) };
}

class ManagementPort implements InspectSource {
  readonly name: string;
  private readonly host: string;
  private readonly port: number;
  private readonly token: string;
  private readonly responses = new Set<http.IncomingMessage>();

  constructor(host: string, port: number, token: string) {
    this.host = host;
    this.port = port;
    this.token = token;
    this.name = `${host}:${port}`;
  }

  open(ask: string, options: Options, take: Take): OpenRequest {
    const { method, path, body } = requestOf(ask, options);
    const isStream = ask === 'pcap' || options.follow === true;
    const headers = { authorization: `Bearer ${this.token}`, 'content-length': body.length };
    const { host, port } = this;
    const request = http.request({ host, port, method, path, headers });
    let isEnded = false;
    const answer = new Promise<Result<unknown, string>>((resolve) => {
      request.on('error', (error) =>
        resolve(isEnded ? ok(null) : err(`${this.name}: ${error.message}`)),
      );
      request.on('response', (response) => {
        this.responses.add(response);
        response.on('close', () => this.responses.delete(response));
        void this.read(response, isStream && response.statusCode === 200 ? take : null).then(
          resolve,
        );
      });
    });
    request.end(body);
    const end = (): void => {
      isEnded = true;
      request.destroy();
    };
    return { answer, end };
  }

  resume(): void {
    for (const response of this.responses) response.resume();
  }

  close(): void {
    for (const response of this.responses) response.destroy();
  }

  private read(
    response: http.IncomingMessage,
    take: Take | null,
  ): Promise<Result<unknown, string>> {
    const chunks: Buffer[] = [];
    let size = 0;
    response.on('data', (chunk: Buffer) => {
      if (take !== null) {
        if (!take(chunk)) response.pause();
        return;
      }
      size += chunk.length;
      if (size > ANSWER_BYTES_MAX) response.destroy();
      else chunks.push(chunk);
    });
    return new Promise((resolve) => {
      response.on('close', () => {
        const text = Buffer.concat(chunks).toString();
        if (response.statusCode === 401) resolve(err(`${this.name} refused the token`));
        else if (response.statusCode !== 200) {
          resolve(err(`${this.name} answered ${response.statusCode}: ${text.trim()}`));
        } else resolve(take === null ? parsed(text) : ok(null));
      });
    });
  }
}

function parsed(text: string): Result<unknown, string> {
  try {
    return ok(JSON.parse(text));
  } catch {
    return err('the answer is no JSON');
  }
}
