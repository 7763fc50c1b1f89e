import assert from 'node:assert/strict';
import { test } from 'node:test';
import { wallTimeOfMillis } from '#core';
import { emitSyslog, octetCounted, SYSLOG_BYTES_MAX } from './syslog.ts';
import { parseSyslogServer } from './syslog-sender.ts';

const WALL = wallTimeOfMillis(Date.UTC(2003, 9, 11, 22, 14, 15, 3));
const ORIGIN = { hostName: '10.0.2.15', app: 'site' };
const META = { sequence: 7, uptimeHundredths: 123 };
const text = (line: string, origin = ORIGIN, wall = WALL) =>
  Buffer.from(emitSyslog(line, origin, wall, META)).toString();

test('RFC 5424 §6 › header, structured data, BOM, text', () => {
  assert.equal(
    text('error stack: räksmörgås'),
    '<27>1 2003-10-11T22:14:15.003Z 10.0.2.15 site - stack ' +
      '[meta sequenceId="7" sysUpTime="123"] \ufeffräksmörgås',
  );
});

test('severities › by level; another line is a notice', () => {
  const priorities = ['debug', 'info', 'warn', 'error'].map((level) =>
    text(`${level} x: y`).slice(0, 4),
  );
  assert.deepEqual(priorities, ['<31>', '<30>', '<28>', '<27>']);
  assert.match(text('no level here'), /^<29>1 \S+ \S+ site - - \[.*\] \ufeffno level here$/);
});

test('fields › without what they may not have, or too much of it; NIL when nothing is left', () => {
  const long = text('info a: b', { hostName: 'h'.repeat(300), app: 'a'.repeat(60) });
  assert.match(long, / h{255} a{48} - a /);
  const odd = text('info a: b', { hostName: 'ö \n', app: 'x y]"z' });
  assert.match(odd, /Z - xy\]"z - a /);
  assert.match(text('info a: b', ORIGIN, wallTimeOfMillis(0)), /^<30>1 - 10\.0\.2\.15 /);
});

test('control characters › do not reach the receiver', () => {
  assert.ok(text('info a: b\n<0>1 forged\x1b[2J\u0085').endsWith('\ufeffb <0>1 forged [2J '));
});

test('a long text › is cut between characters; at the bound it is whole', () => {
  const around = Buffer.byteLength(text('info a: '));
  const whole = emitSyslog(`info a: ${'x'.repeat(SYSLOG_BYTES_MAX - around)}`, ORIGIN, WALL, META);
  assert.equal(whole.length, SYSLOG_BYTES_MAX);
  for (let more = 1; more <= 4; more++) {
    const filler = 'x'.repeat(SYSLOG_BYTES_MAX - around - more);
    const cut = emitSyslog(`info a: ${filler}\u{1f990}\u{1f990}`, ORIGIN, WALL, META);
    const decoded = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(cut);
    assert.equal(cut.length, more === 4 ? SYSLOG_BYTES_MAX : SYSLOG_BYTES_MAX - more);
    assert.ok(decoded.endsWith(more === 4 ? '\u{1f990}' : 'x'));
  }
});

test('RFC 6587 §3.4.1 › a length counts bytes', () => {
  assert.equal(Buffer.from(octetCounted(Buffer.from('hé'))).toString(), '3 hé');
});

test('servers › read, or refused', () => {
  assert.deepEqual(parseSyslogServer('udp://10.0.0.1'), {
    protocol: 'udp',
    host: '10.0.0.1',
    port: 514,
  });
  assert.deepEqual(parseSyslogServer('tcp://[2001:db8::1]:6514'), {
    protocol: 'tcp',
    host: '2001:db8::1',
    port: 6514,
  });
  assert.deepEqual(parseSyslogServer('tcp://logs.example:1'), {
    protocol: 'tcp',
    host: 'logs.example',
    port: 1,
  });
  assert.deepEqual(parseSyslogServer('tls://logs.example'), {
    protocol: 'tls',
    host: 'logs.example',
    port: 6514,
  });
  for (const wrong of [
    '',
    '10.0.0.1',
    'dtls://a',
    'udp://',
    'udp://a:0',
    'udp://a:65536',
    'udp://::1',
    'udp://a/b',
    'udp://[::1',
  ]) {
    assert.equal(parseSyslogServer(wrong), null, wrong);
  }
});
