/**
 * crypto/p256.c on the host against BigInt and @noble/curves, where mistakes in such code are: at
 * the ends of every range, with long runs of equal bits, at sums of equal and of opposite points.
 */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import * as path from 'node:path';
import { test } from 'node:test';
import { p256 } from '@noble/curves/nist.js';
import { SeededRandom } from '#core';
import { here, work } from './vm.ts';

const SEED = 20_261_126;
const SOURCES = path.join(here, '../../.cache/sources');
const { Point } = p256;
type P256Point = InstanceType<typeof Point>;
const P = Point.Fp.ORDER;
const N = Point.Fn.ORDER;
const TOP = 1n << 256n;
const WORDS = [0n, 1n, 2n ** 64n - 1n, 2n ** 63n, 2n ** 32n - 1n, 2n ** 64n - 2n ** 32n];

let program: string | null = null;

function build(): string {
  const output = path.join(work, 'p256_calls');
  const flags = ['-O2', '-std=gnu11', '-Wno-deprecated', `-I${here}/../crypto`];
  flags.push('-fsanitize=address,undefined', '-fno-sanitize-recover=all');
  for (const part of ['include', 'core', 'engine', 'cpu/x86_64', 'plat/process'])
    flags.push(`-I${here}/../${part}`);
  flags.push('-isystem', `${SOURCES}/quickjs-2025-04-26`);
  flags.push('-isystem', `${SOURCES}/mbedtls/include`);
  flags.push('-DMBEDTLS_CONFIG_FILE=<mbedtls_config.h>');
  execFileSync('gcc', [...flags, '-o', output, `${here}/p256_calls.c`]);
  return output;
}

/** One call, and the answer to expect. */
interface Case {
  readonly call: string;
  readonly answer: string;
}

/** The calls that aren't answered as they should be. */
function wrong(cases: readonly Case[]): string[] {
  program ??= build();
  const input = cases.map(({ call }) => `${call}\n`).join('');
  const answers = execFileSync(program, { input, encoding: 'utf8', maxBuffer: 1 << 26 }).split(
    '\n',
  );
  assert.equal(answers.pop(), '');
  assert.equal(answers.length, cases.length);
  return cases
    .map(({ call, answer }, i) => `${call} gave ${answers[i]} for ${answer}`)
    .filter((_, i) => answers[i] !== cases[i]!.answer);
}

const hex = (number: bigint): string => number.toString(16).padStart(64, '0');
const modulo = (a: bigint, m: bigint): bigint => ((a % m) + m) % m;
const pointHex = (point: P256Point): string => (point.is0() ? '00' : point.toHex(false));

/** Numbers of 256 bits, most of them near an edge of something. */
class Numbers {
  readonly random = new SeededRandom(SEED);

  below(limit: number): number {
    return this.random.below(limit);
  }

  any(): bigint {
    const near = BigInt(this.below(9)) - 4n;
    const run = (1n << BigInt(this.below(257))) - 1n;
    const shifted = (run << BigInt(this.below(256))) % TOP;
    switch (this.below(8)) {
      case 0:
        return modulo(P + near, TOP);
      case 1:
        return modulo(N + near, TOP);
      case 2:
        return modulo(near, TOP);
      case 3:
        return shifted;
      case 4:
        return TOP - 1n - shifted;
      case 5:
        return modulo(N / 2n + near, TOP);
      case 6:
        return this.words(() => WORDS[this.below(WORDS.length)]!);
      default:
        return this.words(
          () => BigInt(this.below(2 ** 32)) * 2n ** 32n + BigInt(this.below(2 ** 32)),
        );
    }
  }

  private words(word: () => bigint): bigint {
    return [0, 1, 2, 3].reduce((sum) => (sum << 64n) + word(), 0n);
  }

  in(from: bigint, to: bigint): bigint {
    for (;;) {
      const number = this.any();
      if (number >= from && number < to) return number;
    }
  }
}

const times = (k: bigint, point: P256Point = Point.BASE): P256Point =>
  point.multiplyUnsafe(modulo(k, N));

test('p256 › numbers at the ends of their range › as BigInt computes', () => {
  const numbers = new Numbers();
  const cases: Case[] = [];
  const inverse = (m: bigint): bigint => {
    const field = m === P ? Point.Fp : Point.Fn;
    return field.inv(modulo(TOP, m));
  };
  const inverses = new Map([P, N].map((m) => [m, inverse(m)]));
  for (let round = 0; round < 4_000; round++) {
    for (const [suffix, m] of [
      ['', P],
      ['_n', N],
    ] as const) {
      const a = numbers.in(0n, m);
      const b = round % 9 === 0 ? a : numbers.in(0n, m);
      const wide = numbers.any(); // One factor may be of more than the field.
      const product = hex((wide * b * inverses.get(m)!) % m);
      cases.push({ call: `mul${suffix} ${hex(wide)} ${hex(b)}`, answer: product });
      cases.push({ call: `add${suffix} ${hex(a)} ${hex(b)}`, answer: hex((a + b) % m) });
      if (m === P) cases.push({ call: `sub ${hex(a)} ${hex(b)}`, answer: hex(modulo(a - b, m)) });
    }
  }
  assert.deepEqual(wrong(cases), []);
});

test('p256 › points equal, opposite, infinite › as @noble/curves computes', () => {
  const numbers = new Numbers();
  const cases: Case[] = [];
  for (let round = 0; round < 60; round++) {
    const k = numbers.any();
    const l = [k, -k, 0n, numbers.any()][round % 4]!;
    const left = times(k);
    const right = times(l);
    const sum = pointHex(left.add(right));
    cases.push({ call: `base ${hex(k)}`, answer: pointHex(left) });
    cases.push({ call: `sum ${pointHex(left)} ${pointHex(right)}`, answer: sum });
    cases.push({ call: `twice ${pointHex(left)}`, answer: pointHex(left.double()) });
    const m = numbers.any();
    const product = pointHex(times(m, right));
    cases.push({ call: `times ${hex(m)} ${pointHex(right)}`, answer: product });
    const isScalar = k > 0n && k < N;
    cases.push({ call: `public ${hex(k)}`, answer: isScalar ? pointHex(left) : '' });
  }
  assert.deepEqual(wrong(cases), []);
});

/** Whether the curve has it: 4, x, y with both below p. */
function isOnCurve(x: bigint, y: bigint): boolean {
  return x < P && y < P && modulo(y * y - x ** 3n + 3n * x - p256.Point.CURVE().b, P) === 0n;
}

test('p256 › peers’ points › on the curve and in range, or refused', () => {
  const numbers = new Numbers();
  const cases: Case[] = [];
  for (let round = 0; round < 60; round++) {
    const k = numbers.in(1n, N);
    const peer = times(numbers.in(1n, N)).toAffine();
    const others = [peer.y, P - peer.y, peer.y ^ (1n << BigInt(round * 4)), numbers.any()];
    const x = round % 8 < 6 ? peer.x : numbers.any();
    const y = others[round % 4]!;
    const good = isOnCurve(x, y);
    const answer = good ? hex(times(k, Point.fromAffine({ x, y })).toAffine().x) : '';
    cases.push({ call: `agree ${hex(k)} 04${hex(x)}${hex(y)}`, answer });
  }
  // x of 5 is on the curve: with p added it is the same number in other bytes.
  const five = Point.fromHex(`02${hex(5n)}`).toAffine().y;
  cases.push({ call: `agree ${hex(1n)} 04${hex(5n)}${hex(five)}`, answer: hex(5n) });
  cases.push({ call: `agree ${hex(1n)} 04${hex(5n + P)}${hex(five)}`, answer: '' });
  cases.push({ call: `agree ${hex(1n)} 05${hex(5n)}${hex(five)}`, answer: '' });
  // And one whose y is 5: a root of the cubic, found by its greatest common divisor with x^p - x.
  const x = 0xd7325d7646cd60d80a92738ceb345f844cffaf35841022cab176f692de8de1d7n;
  cases.push({ call: `agree ${hex(1n)} 04${hex(x)}${hex(5n)}`, answer: hex(x) });
  cases.push({ call: `agree ${hex(1n)} 04${hex(x)}${hex(5n + P)}`, answer: '' });
  assert.deepEqual(wrong(cases), []);
});

test('p256 › signatures › nonces out of range and s of 0 are drawn again', () => {
  const numbers = new Numbers();
  const cases: Case[] = [];
  for (let round = 0; round < 40; round++) {
    const d = numbers.in(1n, N);
    const bad = [0n, N, N + 1n, TOP - 1n][round % 4]!;
    const k = numbers.in(1n, N);
    const r = modulo(times(k).toAffine().x, N);
    // A digest that makes s zero with the first nonce.
    const first = numbers.in(1n, N);
    const e = round % 3 === 0 ? modulo(-times(first).toAffine().x * d, N) : numbers.any();
    const isUsed = round % 3 !== 0 || modulo(e + r * d, N) === 0n;
    const nonces = isUsed ? `${hex(bad)} ${hex(k)}` : `${hex(first)} ${hex(k)}`;
    const s = modulo(Point.Fn.inv(k) * (e + r * d), N);
    if (r === 0n || s === 0n) continue;
    const answer = `${hex(r)}${hex(s)}`;
    cases.push({ call: `sign ${hex(d)} ${hex(e)} ${nonces}`, answer });
  }
  assert.deepEqual(wrong(cases), []);
});

test('p256 › verify › equal and opposite halves of the sum, x above the order', () => {
  const numbers = new Numbers();
  const cases: Case[] = [];
  const verify = (key: P256Point, e: bigint, r: bigint, s: bigint, answer: boolean): void => {
    const call = `verify ${pointHex(key)} ${hex(e)} ${hex(r)}${hex(s)}`;
    cases.push({ call, answer: answer ? '01' : '00' });
  };
  for (let round = 0; round < 40; round++) {
    const d = numbers.in(1n, N);
    const u2 = numbers.in(1n, N);
    const u1 = [u2 * d, -u2 * d, 0n, numbers.any()][round % 4]!;
    const sum = times(u1 + u2 * d);
    const r = sum.is0() ? 1n : modulo(sum.toAffine().x, N);
    const s = modulo(r * Point.Fn.inv(u2), N);
    const e = modulo(u1 * s, N);
    const key = times(d);
    verify(key, e, r, s, !sum.is0());
    verify(key, e, r, N - s, !sum.is0());
    verify(key, e, 0n, s, false);
    verify(key, e, r, 0n, false);
    verify(key, e, N, s, false);
    verify(key, e, r, N, false);
    verify(key, e, TOP - 1n, TOP - 1n, false);
    if (r + N < TOP) verify(key, e, r + N, s, false);
    if (s + N < TOP) verify(key, e, r, s + N, false);
  }
  // R with an x between n and p, and the key that such a signature is of.
  for (let r = 1n, found = 0; found < 4; r++) {
    if (
      Point.Fp.pow(modulo((r + N) ** 3n - 3n * (r + N) + Point.CURVE().b, P), (P - 1n) / 2n) !== 1n
    )
      continue;
    found++;
    const point = Point.fromHex(`02${hex(r + N)}`);
    const [s, e] = [numbers.in(1n, N), numbers.in(1n, N)];
    const key = times(Point.Fn.inv(r), times(s, point).add(times(-e)));
    verify(key, e, r, s, true);
    verify(key, e, r + N, s, false);
  }
  assert.deepEqual(wrong(cases), []);
});
