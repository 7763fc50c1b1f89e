import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BUNDLE_LINES_MAX } from '../limits.ts';
import { parseObjectId } from '../object-id.ts';
import { type BundleHead, emitBundleHead, formatBundleHead, parseBundleHead } from './bundle.ts';

const bytesOf = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text, 'latin1'));
const A = 'a'.repeat(40);
const LONG = 'c'.repeat(64);

test('heads of both versions › written, read › the same, with where the pack begins', () => {
  const heads: BundleHead[] = [
    {
      hash: 'SHA-1',
      prerequisites: [],
      refs: [{ name: 'refs/heads/main', id: parseObjectId(A)! }],
    },
    {
      hash: 'SHA-256',
      prerequisites: [
        { id: parseObjectId(LONG)!, comment: 'größe' },
        { id: parseObjectId(LONG)!, comment: '' },
      ],
      refs: [{ name: 'HEAD', id: parseObjectId(LONG)! }],
    },
  ];
  for (const head of heads) {
    const bytes = emitBundleHead(head);
    const parsed = parseBundleHead(Uint8Array.from([...bytes, ...bytesOf('PACK')]));
    assert.deepEqual(parsed, { ok: true, value: { ...head, packAt: bytes.length } });
    for (let count = 0; count < bytes.length; count++) {
      const cut = parseBundleHead(bytes.slice(0, count));
      assert.equal(!cut.ok && cut.error.kind, 'short');
    }
  }
  assert.equal(formatBundleHead(heads[1]!), 'HEAD upon 2 commits');
});

test('malformed heads › a fault', () => {
  for (const text of [
    '# v4 git bundle\n\n',
    '# v3 git bundle\n@filter=blob:none\n\n',
    '# v2 git bundle\n@object-format=sha1\n\n',
    'constructor\n\n',
    '__proto__\n\n',
    `# v3 git bundle\n@constructor\n${A} refs/heads/main\n\n`,
    `# v2 git bundle\n${A}\n\n`,
    `# v2 git bundle\n${A.slice(1)} refs/heads/main\n\n`,
    `# v2 git bundle\n${A}x refs/heads/main\n\n`,
    `# v2 git bundle\n${LONG} refs/heads/main\n\n`,
    `# v2 git bundle\n${A} refs/heads/main\n-${A} late\n\n`,
  ]) {
    const parsed = parseBundleHead(bytesOf(text));
    assert.equal(!parsed.ok && parsed.error.kind, 'field', text);
  }
});

test('lines at the bound › read; one more › a fault', () => {
  const of = (count: number) => bytesOf(`# v2 git bundle\n${`${A} r\n`.repeat(count)}\n`);
  assert.equal(parseBundleHead(of(BUNDLE_LINES_MAX - 2)).ok, true);
  assert.equal(parseBundleHead(of(BUNDLE_LINES_MAX - 1)).ok, false);
});
