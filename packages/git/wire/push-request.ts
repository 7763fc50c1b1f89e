/**
 * What a client asks of receive-pack: which refs to move, before the pack; and the report that it
 * gets. Read first: gitprotocol-pack(5), "Pushing Data To a Server". Offsets of faults count
 * pkt-lines.
 */

import { err, ok, type Result, type WireFault } from '#core';
import { REF_UPDATES_MAX } from '../limits.ts';
import { hashOfId, type ObjectId, parseObjectId } from '../object-id.ts';
import { SHALLOWS_MAX } from '../protocol/limits.ts';
import { isRefName } from '../ref-name.ts';
import { noId } from './advertisement.ts';
import { isMark, type Pkt } from './pkt-line.ts';
import { type Capabilities, lineFault, lineOf, payloadOf, wordsOf } from './pkt-text.ts';

/** A ref to be moved; null: it isn't there, or shall not be. */
export interface RefCommand {
  readonly name: string;
  readonly from: ObjectId | null;
  readonly to: ObjectId | null;
}

export interface PushRequest {
  readonly commands: readonly RefCommand[];
  readonly capabilities: Capabilities;
  /** Where the client's own history ends. */
  readonly shallow: readonly ObjectId[];
}

/** Takes the lines of a push up to its flush, one by one. */
export class PushArguments {
  readonly commands: RefCommand[] = [];
  readonly shallow: ObjectId[] = [];
  capabilities: Capabilities = [];

  /** Null: taken. */
  take(line: string): 'malformed' | 'too many' | null {
    if (line.startsWith('shallow ')) {
      const id = parseObjectId(line.slice(8));
      if (id === null) return 'malformed';
      if (this.shallow.length >= SHALLOWS_MAX) return 'too many';
      this.shallow.push(id);
      return null;
    }
    const nul = this.commands.length === 0 ? line.indexOf('\0') : -1;
    if (nul >= 0) this.capabilities = wordsOf(line.slice(nul + 1));
    const command = parseCommand(nul < 0 ? line : line.slice(0, nul));
    if (command === null) return 'malformed';
    if (this.commands.length >= REF_UPDATES_MAX) return 'too many';
    this.commands.push(command);
    return null;
  }
}

function parseCommand(line: string): RefCommand | null {
  const first = line.indexOf(' ');
  const second = line.indexOf(' ', first + 1);
  if (first < 0 || second < 0) return null;
  const from = parseObjectId(line.slice(0, first));
  const to = parseObjectId(line.slice(first + 1, second));
  const name = line.slice(second + 1);
  if (from === null || to === null || from.length !== to.length || !isRefName(name)) return null;
  const none = noId(hashOfId(from));
  return { name, from: from === none ? null : from, to: to === none ? null : to };
}

/** All pkt-lines of a push up to the flush (the last one) behind its commands. */
export function parsePushRequest(pkts: readonly Pkt[]): Result<PushRequest, WireFault> {
  const taken = new PushArguments();
  if (pkts.at(-1) !== 'flush') return err(lineFault(pkts.length, undefined));
  for (let i = 0; i < pkts.length - 1; i++) {
    const pkt = pkts[i]!;
    if (isMark(pkt) || taken.take(lineOf(pkt)) !== null) return err(lineFault(i, pkt));
  }
  const { commands, capabilities, shallow } = taken;
  return ok({ commands, capabilities, shallow });
}

/** `none` is the id that stands for nothing (noId). */
export function pushRequestPkts(request: PushRequest, none: ObjectId): Pkt[] {
  const shallow = request.shallow.map((id) => payloadOf(`shallow ${id}`));
  const commands = request.commands.map(({ name, from, to }, i) => {
    const line = `${from ?? none} ${to ?? none} ${name}`;
    return payloadOf(i === 0 ? `${line}\0${request.capabilities.join(' ')}` : line);
  });
  return [...shallow, ...commands, 'flush'];
}

/** What became of a push: whether its pack was taken, and of each ref null or why not. */
export interface PushReport {
  /** Null: taken. */
  readonly unpack: string | null;
  readonly refs: readonly { readonly name: string; readonly refusal: string | null }[];
}

/** gitprotocol-pack(5), "Report Status". */
export function parsePushReport(pkts: readonly Pkt[]): Result<PushReport, WireFault> {
  const refs: { name: string; refusal: string | null }[] = [];
  let unpack: string | null | undefined;
  if (pkts.at(-1) !== 'flush') return err(lineFault(pkts.length, undefined));
  for (let i = 0; i < pkts.length - 1; i++) {
    const pkt = pkts[i]!;
    const line = isMark(pkt) ? '' : lineOf(pkt);
    const [word, name = '', ...rest] = line.split(' ');
    if (i === 0 && word === 'unpack') unpack = line === 'unpack ok' ? null : line.slice(7);
    else if (i > 0 && word === 'ok' && isRefName(name)) refs.push({ name, refusal: null });
    else if (i > 0 && word === 'ng' && isRefName(name))
      refs.push({ name, refusal: rest.join(' ') });
    else if (word !== 'option' || i === 0) return err(lineFault(i, pkt));
  }
  return unpack === undefined ? err(lineFault(0, undefined)) : ok({ unpack, refs });
}

export function pushReportPkts(report: PushReport): Pkt[] {
  const lines = [`unpack ${report.unpack ?? 'ok'}`];
  for (const { name, refusal } of report.refs) {
    lines.push(refusal === null ? `ok ${name}` : `ng ${name} ${refusal}`);
  }
  return [...lines.map(payloadOf), 'flush'];
}
