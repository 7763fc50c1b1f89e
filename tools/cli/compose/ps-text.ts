/** What `compose ps` prints for people. */

import { printable } from '../printable.ts';
import type { MemberStatus, ProjectStatus } from './messages.ts';

const HEAD = ['NAME', 'TARGET', 'STATE', 'HEALTH', 'ADDRESSES', 'PUBLISHED', 'UP'];

/** A table; `nowMillis` since 1970. */
export function psText(status: ProjectStatus, nowMillis: number): string {
  const rows = [HEAD, ...status.unikernels.map((one) => rowOf(one, nowMillis))];
  const widths = HEAD.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  const lines = rows.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column]!))
      .join('  ')
      .trimEnd(),
  );
  return `${lines.map(printable).join('\n')}\n`;
}

const rowOf = (one: MemberStatus, nowMillis: number): string[] => [
  one.name,
  one.target,
  stateText(one),
  one.health ?? '-',
  listed(one.addresses.map(({ network, address }) => `${network}:${address ?? '?'}`)),
  listed(one.published),
  one.state === 'running' && one.startedMillis !== null
    ? uptime(nowMillis - one.startedMillis)
    : '-',
];

const listed = (values: readonly string[]): string => values.join(',') || '-';

function stateText({ state, exitCode, restarts }: MemberStatus): string {
  if (state === 'ended' && exitCode !== null) return `ended (${exitCode})`;
  return restarts > 0 ? `${state} (restart ${restarts})` : state;
}

/** "42s", "12m", "3h", "2d": the largest unit that there is one of. */
function uptime(millis: number): string {
  const seconds = Math.max(0, Math.floor(millis / 1_000));
  if (seconds < 60) return `${seconds}s`;
  if (seconds < 3_600) return `${Math.floor(seconds / 60)}m`;
  return seconds < 86_400 ? `${Math.floor(seconds / 3_600)}h` : `${Math.floor(seconds / 86_400)}d`;
}
