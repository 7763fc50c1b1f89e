/**
 * 'tls.server': TLS for those who connect to us, with certificates from boot-time arguments, from a
 * directory that was linked, from a disk; read again when they change.
 */

import { after, err, ok, type Result, Timer } from '#core';
import { primitives } from '#crypto/platform';
import type { Machine } from '#device';
import { Refusal } from '#inspect';
import type { Connector, ConnectRequest } from '../run.ts';
import { TLS_SERVER_ARGS } from '../standard-args.ts';
import { CredentialShelf } from './credential-shelf.ts';
import { READ_INTERVAL, STAMP_INTERVAL } from './limits.ts';
import {
  argumentAnchors,
  argumentSource,
  blockSource,
  contentSource,
  directorySource,
  type PemGroup,
  type PemSource,
} from './pem-source.ts';
import { TlsServer } from './tls-server.ts';

/** What `morgana inspect --reload-certificates` asks for. */
const RELOAD_COMMAND = 'reload-certificates';

const WHAT_TO_DO =
  'give it --tls-certificate and --tls-key, or build it with --tls-files=DIR; ' +
  '"morgana cert" makes both for development';

export const tlsServerConnector: Connector<'tls.server'> = {
  args: TLS_SERVER_ARGS,
  async connect(request) {
    const { machine } = request;
    const sources = sourcesOf(request);
    const read = await readAll(sources);
    if (!read.ok) return { lacks: read.error };
    if (read.value.length === 0) return { lacks: `no certificate: ${WHAT_TO_DO}` };
    const mark = fingerprint(read.value);
    const shelf = CredentialShelf.from(read.value, primitives);
    if (!shelf.ok) return { lacks: `${shelf.error}: ${WHAT_TO_DO}` };
    const server = await makeTlsServer(request, shelf.value);
    if (!server.ok) return { lacks: server.error };
    const isFixed = sources.every((source) => source.isFixed);
    if (!isFixed) new Reloading(server.value, sources, machine, mark);
    return server.value;
  },
};

/** With `shelf`; without one it is nobody yet, and refuses every client. */
export async function makeTlsServer(
  request: ConnectRequest,
  shelf: CredentialShelf | null,
): Promise<Result<TlsServer, string>> {
  const { machine, log, inspection } = request;
  const clients = await clientsOf(request);
  if (!clients.ok) return clients;
  const { clock, entropy, timers } = machine;
  const logger = log.source('tls');
  for (const text of shelf?.warnings(clock.wall()) ?? []) logger.warn(text);
  const env = { crypto: primitives, clock, entropy, timers };
  const server = new TlsServer({ env, log: logger, shelf, ...clients.value });
  inspection?.commands.inspector.section('tls', () => server.snapshot());
  inspection?.commands.add(RELOAD_COMMAND, async () => {
    if (server.reload === null) throw new Refusal('its certificates came at boot, for good');
    const result = await server.reload();
    if (!result.ok) throw new Refusal(`certificates stay as they were: ${result.error}`);
    return result.value;
  });
  return ok(server);
}

/** In the order in which they count: the first certificate is that of clients who name no host. */
function sourcesOf({ machine, node, args }: ConnectRequest): PemSource[] {
  const files = machine.hostFiles ?? null;
  const sources: PemSource[] = [];
  for (const [argument, label] of [
    ['tls-certificate', 'CERTIFICATE'],
    ['tls-key', 'PRIVATE KEY'],
  ] as const) {
    const text = String(args[argument]);
    if (text !== '') sources.push(argumentSource(argument, text, label, files));
  }
  const directory = files?.contentDirectory(node.name) ?? null;
  const content = directory === null ? machine.content(node.name) : null;
  if (directory !== null) sources.push(directorySource(directory, files!));
  if (content !== null) sources.push(contentSource(node.name, content));
  const disk = machine.blocks.find(({ name }) => name === args['tls-disk']);
  if (disk !== undefined) sources.push(blockSource(disk));
  return sources;
}

async function readAll(sources: readonly PemSource[]): Promise<Result<PemGroup[], string>> {
  const groups: PemGroup[] = [];
  for (const source of sources) {
    const read = await source.read();
    if (!read.ok) return read;
    groups.push(...read.value);
  }
  return ok(groups);
}

type Clients = Pick<ConstructorParameters<typeof TlsServer>[0], 'clientAuth' | 'clientAnchors'>;

async function clientsOf({ machine, args }: ConnectRequest): Promise<Result<Clients, string>> {
  const clientAuth = (['none', 'optional', 'required'] as const).find(
    (one) => one === args['tls-client-auth'],
  );
  const text = String(args['tls-client-ca']);
  if (clientAuth === undefined) {
    return err(`--tls-client-auth=${args['tls-client-auth']}: expected none, optional or required`);
  }
  if (clientAuth === 'none') {
    if (text === '') return ok({ clientAuth, clientAnchors: null });
    return err('--tls-client-ca needs --tls-client-auth=optional or required');
  }
  if (text === '') return err(`--tls-client-auth=${clientAuth} needs --tls-client-ca`);
  const anchors = await argumentAnchors('tls-client-ca', text, machine.hostFiles ?? null);
  return anchors.ok ? ok({ clientAuth, clientAnchors: anchors.value }) : anchors;
}

/** Looks whether certificates have changed, and takes those that are there then. */
class Reloading {
  private readonly server: TlsServer;
  private readonly sources: readonly PemSource[];
  private readonly machine: Machine;
  private readonly timer = new Timer(() => void this.look());
  private readonly canTell: boolean;
  private stamp: string;
  /** What is on the shelf now. */
  private current: string;
  private reading: Promise<Result<string, string>> | null = null;

  constructor(server: TlsServer, sources: readonly PemSource[], machine: Machine, mark: string) {
    this.current = mark;
    this.server = server;
    this.sources = sources;
    this.machine = machine;
    this.canTell = sources.every(({ isFixed, stamp }) => isFixed || stamp !== undefined);
    this.stamp = this.stampNow();
    server.reload = () => this.reload();
    this.rest();
  }

  private rest(): void {
    const { timers } = this.machine;
    timers.arm(this.timer, after(timers.now, this.canTell ? STAMP_INTERVAL : READ_INTERVAL));
  }

  private stampNow(): string {
    return this.sources.map(({ stamp }) => stamp?.() ?? '').join('\0');
  }

  private async look(): Promise<void> {
    const stamp = this.stampNow();
    if (!this.canTell || stamp !== this.stamp) {
      this.stamp = stamp;
      await this.reload();
    }
    this.rest();
  }

  /** One sentence: what became of it. One at a time. */
  private reload(): Promise<Result<string, string>> {
    this.reading ??= this.readAgain().finally(() => {
      this.reading = null;
    });
    return this.reading;
  }

  private async readAgain(): Promise<Result<string, string>> {
    const { server, sources, machine } = this;
    const read = await readAll(sources);
    if (!read.ok) return this.failed(read.error);
    const text = fingerprint(read.value);
    if (text === this.current) return ok('nothing has changed');
    const shelf = CredentialShelf.from(read.value, primitives);
    if (!shelf.ok) return this.failed(shelf.error);
    this.current = text;
    server.counts.reloads += 1;
    server.replaceShelf(shelf.value);
    const names = shelf.value.snapshot().flatMap((one) => one.names);
    const what = `certificates read again, for ${names.join(', ')}`;
    server.log.info(what);
    for (const warning of shelf.value.warnings(machine.clock.wall())) server.log.warn(warning);
    return ok(what);
  }

  /** Those before stay: a half-written file is no reason to stop. */
  private failed(why: string): Result<string, string> {
    this.server.counts.reloadsFailed += 1;
    this.server.log.error(`certificates stay as they were: ${why}`);
    return err(why);
  }
}

/** Of everything that was read; no secret can be told from it. */
function fingerprint(groups: readonly PemGroup[]): string {
  const hash = primitives.createHash('SHA-256');
  for (const { blocks } of groups) for (const { bytes } of blocks) hash.update(bytes);
  return hash.digest().join(' ');
}
