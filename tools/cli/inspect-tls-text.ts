/** What `morgana inspect` shows of a unikernel's TLS: sessions, certificates, failed handshakes. */

import type { TlsServerSnapshot } from '#device';
import type { UnikernelSnapshot } from '#inspect';
import { aligned } from './inspect-text.ts';

const DAY_MILLIS = 86_400_000;
const CERTIFICATES_SHOWN = 8;
const HEAD = ['remote', 'version', 'suite', 'group', 'alpn', 'name', ''];

export function tlsLines(
  tls: TlsServerSnapshot,
  wallMillis: number,
  { connectionsMax }: { readonly connectionsMax: number },
): string[] {
  const { sessions, certificates, counters } = tls;
  const { handshakes = 0, resumed = 0, handshakesFailed = 0 } = counters;
  const rows = sessions.list
    .slice(0, connectionsMax)
    .map((one) => [
      one.remote,
      one.version,
      one.suite,
      one.group ?? '-',
      one.alpn ?? '-',
      one.serverName ?? '-',
      [one.resumed && 'resumed', one.hasClientCertificate && 'client certificate']
        .filter(Boolean)
        .join(', '),
    ]);
  const more = sessions.count - rows.length;
  return [
    `tls: ${sessions.count} sessions, ${handshakes} handshakes, ${resumed} of them resumed`,
    ...certificates
      .slice(0, CERTIFICATES_SHOWN)
      .map(
        ({ names, keyType, notAfterMillis, origin }) =>
          `  certificate for ${names.join(', ')}: ${keyType}, ` +
          `${daysLeft(notAfterMillis - wallMillis)}, from ${origin}`,
      ),
    ...(rows.length > 0 ? aligned([HEAD, ...rows]) : []),
    ...(more > 0 ? [`  and ${more} more`] : []),
    ...(handshakesFailed > 0 ? [`  ${failures(tls)}`] : []),
  ];
}

/** What it asks of others: TLS, and the syslog server. */
export function askingLines({ tlsClient, syslog }: UnikernelSnapshot): string[] {
  const lines: string[] = [];
  if (tlsClient !== undefined) {
    const { handshakes = 0, resumed = 0, handshakesFailed = 0 } = tlsClient;
    lines.push(
      `asking over TLS: ${handshakes} handshakes, ${resumed} of them resumed, ${handshakesFailed} failed`,
    );
  }
  if (syslog !== undefined) {
    const { syslogSent = 0, syslogDropped = 0, syslogConnectFailures = 0, fault } = syslog;
    lines.push(
      `syslog: ${syslogSent} sent, ${syslogDropped} dropped, ${syslogConnectFailures} connections failed` +
        (fault === undefined ? '' : `, now: ${fault}`),
    );
  }
  return lines;
}

const daysLeft = (millis: number): string =>
  millis < 0 ? 'EXPIRED' : `${Math.floor(millis / DAY_MILLIS)} days left`;

function failures({ counters, alertsSent, alertsReceived }: TlsServerSnapshot): string {
  const { handshakesFailed, handshakesTimedOut = 0, handshakesCut = 0 } = counters;
  const alerts = (what: string, counts: Readonly<Record<string, number>>): string[] =>
    Object.entries(counts)
      .sort(([, a], [, b]) => b - a)
      .map(([alert, count]) => `${what} ${alert} ${count}`);
  const parts = [
    ...alerts('sent', alertsSent),
    ...alerts('got', alertsReceived),
    ...(handshakesTimedOut > 0 ? [`too slow ${handshakesTimedOut}`] : []),
    ...(handshakesCut > 0 ? [`cut ${handshakesCut}`] : []),
  ];
  return `${handshakesFailed} handshakes failed: ${parts.join(', ')}`;
}
