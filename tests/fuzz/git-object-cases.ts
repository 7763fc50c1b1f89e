/** Git's objects, and the heads of its bundles. */

import { err, ok, type Result, type WireFault } from '#core';
import { MODE_DIRECTORY, MODE_FILE, type ObjectId } from '#git';
import {
  type BundleHead,
  type CommitObject,
  decodeText,
  emitBundleHead,
  emitCommit,
  emitTag,
  emitTree,
  encodeText,
  formatBundleHead,
  formatCommit,
  formatSignature,
  formatTag,
  formatTree,
  parseBundleHead,
  parseCommit,
  parseSignature,
  parseTag,
  parseTree,
  type Signature,
  type TagObject,
  type TreeEntry,
} from '#git/wire';
import { type WireCase, wireCase } from './wire-case.ts';

const A = 'a'.repeat(40) as ObjectId;
const B = '0123456789'.repeat(4) as ObjectId;
const LONG = 'c'.repeat(64) as ObjectId;
const ada = {
  name: 'Ada Größe',
  email: 'ada@example.org',
  seconds: 1_800_000_000,
  zoneMinutes: -90,
};

const put = (to: Uint8Array, bytes: Uint8Array): number => {
  to.set(bytes);
  return bytes.length;
};

const tree = wireCase<readonly TreeEntry[]>({
  name: 'git tree',
  parse: (b) => parseTree(b, 20),
  emit: (to, entries) => put(to, emitTree(entries, 20)),
  format: formatTree,
  seeds: () => [
    emitTree([], 20),
    emitTree(
      [
        { mode: MODE_FILE, name: 'a.b', id: A },
        { mode: MODE_DIRECTORY, name: 'a', id: B },
        { mode: MODE_FILE, name: 'größe\udcff', id: A },
      ],
      20,
    ),
  ],
});

const commit = wireCase<CommitObject>({
  name: 'git commit',
  parse: (b) => parseCommit(b, 20),
  emit: (to, repr) => put(to, emitCommit(repr)),
  format: formatCommit,
  seeds: () =>
    ['', 'gpgsig -----BEGIN\n x\n \n -----END\n'].map((extraHeaders) =>
      emitCommit({
        tree: A,
        parents: extraHeaders === '' ? [] : [A, B],
        author: ada,
        committer: { ...ada, zoneMinutes: 60 },
        extraHeaders,
        message: 'one\n\nmore \udcff\n',
      }),
    ),
});

const tag = wireCase<TagObject>({
  name: 'git tag',
  parse: (b) => parseTag(b, 20),
  emit: (to, repr) => put(to, emitTag(repr)),
  format: formatTag,
  seeds: () =>
    [ada, null].map((tagger) =>
      emitTag({ object: A, kind: 'commit', name: 'v1', tagger, extraHeaders: '', message: 'm\n' }),
    ),
});

const signature = wireCase<Signature>({
  name: 'git signature',
  isTotal: true,
  parse: (b) => ok(parseSignature(decodeText(b, 0, b.length))),
  emit: (to, repr) => put(to, encodeText(formatSignature(repr))),
  format: formatSignature,
  seeds: () => [encodeText(formatSignature(ada)), encodeText(' <> 0 -0000')],
});

const bundle = wireCase<BundleHead>({
  name: 'git bundle head',
  parse(b): Result<BundleHead, WireFault> {
    const head = parseBundleHead(b);
    if (!head.ok) return err(head.error);
    const { hash, prerequisites, refs } = head.value;
    return ok({ hash, prerequisites, refs });
  },
  emit: (to, repr) => put(to, emitBundleHead(repr)),
  format: formatBundleHead,
  seeds: () => [
    emitBundleHead({ hash: 'SHA-1', prerequisites: [], refs: [{ name: 'HEAD', id: A }] }),
    emitBundleHead({
      hash: 'SHA-256',
      prerequisites: [{ id: LONG, comment: 'one' }],
      refs: [{ name: 'refs/heads/größe', id: LONG }],
    }),
  ],
});

export const gitObjectCases: readonly WireCase[] = [tree, commit, tag, signature, bundle];
