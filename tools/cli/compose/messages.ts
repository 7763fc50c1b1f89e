/**
 * What is said on a project's control socket, in JSON, a line each. One question a connection:
 *
 *     {"ask":"ps"}                                     {"value":{...}}
 *     {"ask":"logs","names":[],"tail":10,"follow":true}   {"line":{...}}... {"value":null}
 *     {"ask":"down"}                                   {"value":null}, when all is down
 *
 * or {"error":"..."}. Pure; nobody who asks is believed.
 */

import { err, ok, type Result } from '#core';
import type { LogLine } from './log-file.ts';
import type { UnikernelStatus } from './unikernel.ts';

export interface LogsAsk {
  readonly ask: 'logs';
  /** Of unikernels; none: all. */
  readonly names: readonly string[];
  /** Lines of each; null: all that there are. */
  readonly tail: number | null;
  readonly follow: boolean;
}

export type ComposeAsk = { readonly ask: 'ps' } | { readonly ask: 'down' } | LogsAsk;

export interface MemberStatus extends UnikernelStatus {
  readonly name: string;
  /** What `morgana inspect` calls it. */
  readonly unikernel: string;
  readonly target: string;
  readonly addresses: readonly { readonly network: string; readonly address: string | null }[];
  /** As "127.0.0.1:8080->80/tcp". */
  readonly published: readonly string[];
}

export interface ProjectStatus {
  readonly name: string;
  readonly file: string;
  readonly pid: number;
  readonly detached: boolean;
  readonly networks: readonly { readonly name: string; readonly gateway: string | null }[];
  readonly unikernels: readonly MemberStatus[];
}

export interface NamedLine extends LogLine {
  readonly name: string;
}

export type ComposeAnswer =
  | { readonly line: NamedLine }
  | { readonly value: unknown }
  | { readonly error: string };

/** More names than a project can have. */
const NAMES_MAX = 256;

/** One line, without its newline; or what is wrong with it. */
export function parseComposeAsk(line: string): Result<ComposeAsk, string> {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    return err('not JSON');
  }
  if (typeof value !== 'object' || value === null) return err('not an object');
  const { ask, names, tail, follow } = value as Readonly<Record<string, unknown>>;
  switch (ask) {
    case 'ps':
    case 'down':
      return ok({ ask });
    case 'logs': {
      const isNames =
        Array.isArray(names) &&
        names.length <= NAMES_MAX &&
        names.every((name) => typeof name === 'string');
      if (!isNames) return err('logs needs names');
      if (tail !== null && !(Number.isSafeInteger(tail) && Number(tail) >= 0)) {
        return err('tail is neither a count nor null');
      }
      if (typeof follow !== 'boolean') return err('follow is neither true nor false');
      return ok({ ask, names, tail: tail === null ? null : Number(tail), follow });
    }
    default:
      return err('ask is none of ps, logs, down');
  }
}
