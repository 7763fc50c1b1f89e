/** What `morgana switch --status` prints. Pure. */

import type { NetworkStatus, PortStatus } from './messages.ts';

export function statusText(status: NetworkStatus): string {
  const lines = [
    `network ${status.name ?? '(without a name)'}, process ${status.pid}`,
    `  switch at ${status.switchSocket}`,
    `  gateway ${gatewayOf(status)}`,
    ...section('names', status.names, ({ name, mac, address }) => [name, address ?? '-', mac]),
    ...section('published', status.published, (p) => [
      `${p.hostAddress}:${p.hostPort}/${p.protocol}`,
      `${p.guest}:${p.guestPort}`,
    ]),
    ...section('ports', status.ports, portRow),
    ...section('counters', pairs(status.counters), (pair) => pair),
    ...section('gateway counters', pairs(status.gateway?.counters ?? {}), (pair) => pair),
  ];
  return `${lines.join('\n')}\n`;
}

function gatewayOf({ gateway }: NetworkStatus): string {
  if (gateway === null) return 'off';
  return gateway.allowsHost ? `${gateway.network}, to this machine's loopback` : gateway.network;
}

function portRow({ port, macs, counters, drops }: PortStatus): string[] {
  const { received = 0, receivedBytes = 0, sent = 0, sentBytes = 0 } = counters;
  const dropped = Object.entries(drops).map(([reason, count]) => `${reason} ${count}`);
  return [
    port,
    `in ${received} (${receivedBytes} bytes)`,
    `out ${sent} (${sentBytes} bytes)`,
    dropped.length === 0 ? '' : `dropped: ${dropped.join(', ')}`,
    macs.join(' '),
  ];
}

const pairs = (counters: Readonly<Record<string, number>>): [string, string][] =>
  Object.entries(counters)
    .filter(([, count]) => count > 0)
    .map(([name, count]) => [name, `${count}`]);

/** A title and a table with columns as wide as they must be; nothing for no rows. */
function section<T>(title: string, rows: readonly T[], cells: (row: T) => string[]): string[] {
  if (rows.length === 0) return [];
  const table = rows.map(cells);
  const widths = table[0]!.map((_, column) => Math.max(...table.map((row) => row[column]!.length)));
  const lines = table.map((row) =>
    `    ${row.map((cell, column) => cell.padEnd(widths[column]!)).join('  ')}`.trimEnd(),
  );
  return [`  ${title}`, ...lines];
}
