import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { BAD_REF_NAMES, GOOD_REF_NAMES } from './conformance/refs.ts';
import { REF_NAME_BYTES_MAX, REF_PART_BYTES_MAX } from './limits.ts';
import { isBranchName, isRefName, refParents } from './ref-name.ts';

test('names › told as git check-ref-format tells them', () => {
  for (const path of [...BAD_REF_NAMES, ...GOOD_REF_NAMES]) {
    const name = `refs/${path}`;
    const isGood = GOOD_REF_NAMES.includes(path);
    assert.equal(isRefName(name), isGood, name);
    if (name.includes('\0')) continue;
    const git = spawnSync('git', ['check-ref-format', name]);
    assert.equal(git.status === 0, isGood, `git: ${name}`);
  }
});

test('at the bounds › names; one byte more › none', () => {
  const part = 'p'.repeat(REF_PART_BYTES_MAX);
  assert.equal(isRefName(`refs/${part}`), true);
  assert.equal(isRefName(`refs/${part}p`), false);
  const longest = `refs/${'a/'.repeat(REF_NAME_BYTES_MAX)}`.slice(0, REF_NAME_BYTES_MAX - 1);
  assert.equal(isRefName(`${longest}b`), true);
  assert.equal(isRefName(`${longest}/bc`), false);
});

test('branches › what is behind refs/heads/, without what Git takes for something else', () => {
  assert.equal(isBranchName('main'), true);
  assert.equal(isBranchName('a/b'), true);
  for (const name of ['HEAD', '-x', '', 'a..b', 'a b', '/a']) {
    assert.equal(isBranchName(name), false, name);
  }
  assert.deepEqual(refParents('refs/heads/a/b'), ['refs', 'refs/heads', 'refs/heads/a']);
});
