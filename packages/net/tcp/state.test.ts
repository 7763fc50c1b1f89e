import assert from 'node:assert/strict';
import { test } from 'node:test';
import { instantOfMicros, millis } from '#core';
import { Ipv6Address } from '../ipv6-address.ts';
import { halfSipHash, InitialSequence } from './isn.ts';
import { checkLimits, DEFAULT_LIMITS, windowShiftOf } from './limits.ts';
import { canReceive, isFinQueued, nextState, STATE_NAMES, type State } from './state.ts';
import { HERE, HERE6, seededEntropy, THERE } from './test-link.ts';

const EVENTS = ['syn', 'open', 'shutdown', 'finAcked', 'fin', 'gone'] as const;

test('states › every (state, event) pair › what RFC 9293 figure 5 says, or refused', () => {
  const arrows: string[] = [];
  let refused = 0;
  for (const state of STATE_NAMES.keys()) {
    for (const event of EVENTS) {
      try {
        const next = nextState(state as State, event);
        if (event !== 'gone') {
          arrows.push(`${STATE_NAMES[state]} ${event} ${STATE_NAMES[next]}`);
        } else assert.equal(next, 0);
      } catch {
        refused += 1;
      }
    }
  }
  assert.deepEqual(arrows, [
    'SYN_SENT syn SYN_RECEIVED',
    'SYN_SENT open ESTABLISHED',
    'SYN_RECEIVED open ESTABLISHED',
    'ESTABLISHED shutdown FIN_WAIT_1',
    'ESTABLISHED fin CLOSE_WAIT',
    'FIN_WAIT_1 finAcked FIN_WAIT_2',
    'FIN_WAIT_1 fin CLOSING',
    'FIN_WAIT_2 fin TIME_WAIT',
    'CLOSE_WAIT shutdown LAST_ACK',
    'CLOSING finAcked TIME_WAIT',
    'LAST_ACK finAcked CLOSED',
  ]);
  assert.equal(refused, 60 - 11 - 9);
});

test('states › who may still receive, whose FIN is queued', () => {
  const names = (holds: (state: State) => boolean) =>
    STATE_NAMES.filter((_, state) => holds(state as State));
  assert.deepEqual(names(canReceive), ['ESTABLISHED', 'FIN_WAIT_1', 'FIN_WAIT_2']);
  assert.deepEqual(names(isFinQueued), ['FIN_WAIT_1', 'CLOSING', 'LAST_ACK']);
});

test('HalfSipHash-2-4 › the reference vector of 12 bytes, key 00..07', () => {
  const hash = halfSipHash(0x03020100, 0x07060504, 0x03020100, 0x07060504, 0x0b0a0908);
  assert.equal(hash, 0x2f87f057);
});

test('initial sequence numbers › a tick every 4 microseconds; apart for other ports and keys', () => {
  const isn = new InitialSequence(seededEntropy(1));
  const at = (micros: number, ports = 80) => isn.at(instantOfMicros(micros), HERE, THERE, ports);
  assert.equal((at(4_000) - at(0)) % 2 ** 32, 1_000);
  assert.notEqual(at(0), at(0, 81));
  const other = new InitialSequence(seededEntropy(2));
  assert.notEqual(other.at(instantOfMicros(0), HERE, THERE, 80), at(0));
  // 2^32 ticks are under five hours.
  assert.equal(at(2 ** 34), at(0));
  assert.ok(millis(1) === 1_000);
});

test('limits › the defaults hold together; each relation is checked', () => {
  checkLimits(DEFAULT_LIMITS);
  assert.deepEqual([65_535, 65_536, 262_144, 1_048_576].map(windowShiftOf), [0, 1, 3, 5]);
  for (const wrong of [
    { receiveWindowBytes: 4_095 },
    { receiveWindowBytes: 1_048_577 },
    { receiveWindowBytes: 65_537 },
    { listenersMax: 0 },
  ]) {
    assert.throws(() => checkLimits({ ...DEFAULT_LIMITS, ...wrong }), JSON.stringify(wrong));
  }
});

test('initial sequence numbers › IPv6 addresses that differ in any word › apart', () => {
  const isn = new InitialSequence(seededEntropy(1));
  const of = (...words: [number, number, number, number]) =>
    isn.at(instantOfMicros(0), HERE6, new Ipv6Address(...words), 80);
  const numbers = [of(1, 2, 3, 4), of(0, 2, 3, 4), of(1, 0, 3, 4), of(1, 2, 0, 4), of(1, 2, 3, 0)];
  assert.equal(new Set(numbers).size, 5);
  assert.equal(of(1, 2, 3, 4), numbers[0], 'by the words, not by the object');
});
