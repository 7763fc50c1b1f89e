/** A real syslog server: rsyslogd with a configuration of its own. */

import { readFileSync } from 'node:fs';
import type { Workspace } from '../cli/cli.ts';

export const SHAPE =
  '%pri% %protocol-version% %timestamp:::date-rfc3339% %hostname% %app-name% %msgid% ' +
  '%structured-data% %msg%';

/** The command line of a server on `address`, whose messages come to FILE in lines of SHAPE. */
export function rsyslogCommand(
  work: Workspace,
  address: string,
  udpPort: number,
  tcpPort: number,
): string[] {
  work.write(
    'rsyslog.conf',
    [
      `global(workDirectory="${work.directory}")`,
      'module(load="imudp")',
      'module(load="imtcp")',
      `input(type="imudp" address="${address}" port="${udpPort}")`,
      `input(type="imtcp" address="${address}" port="${tcpPort}")`,
      `template(name="shape" type="string" string="${SHAPE}\\n")`,
      `*.* action(type="omfile" file="${work.path('messages')}" template="shape")`,
      '',
    ].join('\n'),
  );
  return ['rsyslogd', '-n', '-f', work.path('rsyslog.conf'), '-i', work.path('rsyslog.pid')];
}

/** What came, from `app` only: the server also tells about itself. */
export function messages(work: Workspace, app: string): string[] {
  try {
    const lines = readFileSync(work.path('messages'), 'utf8').split('\n');
    return lines.filter((line) => line.split(' ')[4] === app);
  } catch {
    return [];
  }
}

/** Likewise over TLS (RFC 5425) with the certificate and key syslog.pem and syslog.key. */
export function rsyslogTlsCommand(work: Workspace, address: string, port: number): string[] {
  const file = (name: string): string => `"${work.path(name)}"`;
  work.write(
    'rsyslog.conf',
    [
      `global(workDirectory=${file('.')} DefaultNetstreamDriver="gtls"`,
      `  DefaultNetstreamDriverCAFile=${file('ca.pem')}`,
      `  DefaultNetstreamDriverCertFile=${file('syslog.pem')}`,
      `  DefaultNetstreamDriverKeyFile=${file('syslog.key')})`,
      'module(load="imtcp" StreamDriver.Name="gtls" StreamDriver.Mode="1"',
      '  StreamDriver.AuthMode="anon")',
      `input(type="imtcp" address="${address}" port="${port}")`,
      `template(name="shape" type="string" string="${SHAPE}\\n")`,
      `*.* action(type="omfile" file=${file('messages')} template="shape")`,
      '',
    ].join('\n'),
  );
  return ['rsyslogd', '-n', '-f', work.path('rsyslog.conf'), '-i', work.path('rsyslog.pid')];
}
