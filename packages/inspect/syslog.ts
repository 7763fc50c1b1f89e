/**
 * Log lines as syslog messages: RFC 5424 §6, one message for a line of packages/core/log.ts. Pure.
 * Not here: sending them (syslog-sender.ts).
 */

import { hot, type WallTime } from '#core';

/** RFC 5424 §6: local use 0 to 7 are 16 to 23; programs of their own are usually 'daemon', 3. */
const FACILITY_DAEMON = 3;
/** RFC 5424 §6.2.1, table 2. */
const SEVERITIES: Readonly<Record<string, number>> = { debug: 7, info: 6, warn: 4, error: 3 };
const SEVERITY_NOTICE = 5;
/** RFC 5424 §6: HOSTNAME, APP-NAME, MSGID. */
const HOST_CHARACTERS_MAX = 255;
const APP_CHARACTERS_MAX = 48;
const MSGID_CHARACTERS_MAX = 32;
/** RFC 5424 §6.1: every receiver should take 2,048 bytes. */
export const SYSLOG_BYTES_MAX = 2_048;
/** RFC 5424 §6.4: a MSG in UTF-8 begins with it. */
const BOM = '\ufeff';

export interface SyslogOrigin {
  /** What the machine is called, or its address; empty: unknown. */
  readonly hostName: string;
  /** The program's name. */
  readonly app: string;
}

/** "warn stack: text" in its parts; another line is a notice of nobody's. */
function partsOf(line: string): { severity: number; source: string; text: string } {
  const found = /^(debug|info|warn|error) ([^ :]+): (.*)$/s.exec(line);
  if (found === null) return { severity: SEVERITY_NOTICE, source: '', text: line };
  return { severity: SEVERITIES[found[1]!]!, source: found[2]!, text: found[3]! };
}

/**
 * One message, of at most SYSLOG_BYTES_MAX bytes: longer text is cut between characters. `meta`:
 * RFC 5424 §7.3's sequenceId and sysUpTime.
 */
export function emitSyslog(
  line: string,
  { hostName, app }: SyslogOrigin,
  wall: WallTime,
  meta: { readonly sequence: number; readonly uptimeHundredths: number },
): Uint8Array {
  const { severity, source, text } = partsOf(line);
  const priority = FACILITY_DAEMON * 8 + severity;
  const host = field(hostName, HOST_CHARACTERS_MAX);
  const name = field(app, APP_CHARACTERS_MAX);
  const id = field(source, MSGID_CHARACTERS_MAX);
  const data = `[meta sequenceId="${meta.sequence}" sysUpTime="${meta.uptimeHundredths}"]`;
  const head = `<${priority}>1 ${timestamp(wall)} ${host} ${name} - ${id} ${data} `;
  // RFC 5424 §6.4: control characters should not be in it; receivers are free to change them.
  const plain = text.replace(/\p{Cc}/gu, ' ');
  const bytes = hot.utf8Encode(head + BOM + plain);
  return bytes.subarray(0, cutUtf8(bytes, SYSLOG_BYTES_MAX));
}

/** RFC 5424 §6.2.3; NILVALUE where the clock can't be known. */
function timestamp(wall: WallTime): string {
  return wall > 0 ? new Date(wall).toISOString() : '-';
}

/** PRINTUSASCII, or NILVALUE. */
function field(text: string, charactersMax: number): string {
  return text.replace(/[^!-~]/g, '').slice(0, charactersMax) || '-';
}

/** The longest length up to `max` that ends a character. */
function cutUtf8(bytes: Uint8Array, max: number): number {
  if (bytes.length <= max) return bytes.length;
  let end = max;
  while (end > 0 && (bytes[end]! & 0xc0) === 0x80) end -= 1;
  return end;
}

/** RFC 6587 §3.4.1, octet counting: "LENGTH SP MESSAGE". */
export function octetCounted(message: Uint8Array): Uint8Array {
  const head = hot.utf8Encode(`${message.length} `);
  const framed = new Uint8Array(head.length + message.length);
  hot.copy(framed, 0, head, 0, head.length);
  hot.copy(framed, head.length, message, 0, message.length);
  return framed;
}
