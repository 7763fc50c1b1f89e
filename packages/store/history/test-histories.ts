/** Histories for tests: made of numbers, and of chance with a seed. */

import { SeededRandom } from '#core';
import type { ObjectId } from '#git';
import { nodeCrypto } from '#targets/node/crypto';
import { ObjectDraft } from '../merge/object-draft.ts';

export interface PlannedCommit {
  /** Indexes of earlier commits. */
  readonly parents: readonly number[];
  readonly seconds: number;
}

export interface History {
  readonly objects: ObjectDraft;
  readonly ids: readonly ObjectId[];
}

export const newDraft = (): ObjectDraft => new ObjectDraft(nodeCrypto, 'SHA-1');

/** Commits of the empty tree, each with its index in its message. */
export function makeHistory(plan: readonly PlannedCommit[], objects = newDraft()): History {
  const ids: ObjectId[] = [];
  for (const [index, { parents, seconds }] of plan.entries()) {
    const who = { name: 'A', email: 'a@example.org', seconds, zoneMinutes: 0 };
    const id = objects.addCommit({
      tree: objects.emptyTree,
      parents: parents.map((parent) => ids[parent]!),
      author: who,
      committer: who,
      extraHeaders: '',
      message: `${index}\n`,
    });
    ids.push(id);
  }
  return { objects, ids };
}

/** A history with the parents of each commit; each a second later than the one before. */
export const historyOf = (...parents: readonly (readonly number[])[]): History =>
  makeHistory(parents.map((list, index) => ({ parents: list, seconds: 1_000 + index })));

/** Merges, criss-crosses, several roots; with wrong clocks in half of them. */
export function randomPlan(seed: number): PlannedCommit[] {
  const random = new SeededRandom(seed);
  const isSkewed = random.chance(0.5);
  const count = 3 + random.below(18);
  const parentsOf = random.chance(0.5) ? anyParents(random) : lanes(random);
  return Array.from({ length: count }, (_, index) => ({
    parents: [...new Set(parentsOf(index))],
    seconds: 1_000 + (isSkewed ? random.below(30) : index * 10),
  }));
}

type ParentsOf = (index: number) => number[];

function anyParents(random: SeededRandom): ParentsOf {
  const reach = 2 + random.below(6);
  return (index) => {
    if (index === 0 || random.chance(0.06)) return [];
    const wanted = 1 + random.below(random.chance(0.2) ? 4 : 3);
    return Array.from({ length: wanted }, () => Math.max(0, index - 1 - random.below(reach)));
  };
}

/** A few writers, who merge what another one has as of its last commit but one, or last. */
function lanes(random: SeededRandom): ParentsOf {
  const tips: number[][] = Array.from({ length: 2 + random.below(2) }, () => []);
  return (index) => {
    const lane = tips[random.below(tips.length)]!;
    const other = tips[random.below(tips.length)]!;
    const parents = lane.slice(-1);
    if (index > 0 && parents.length === 0 && random.chance(0.9)) parents.push(0);
    if (random.chance(0.6)) parents.push(...other.slice(-1 - random.below(2)).slice(0, 1));
    lane.push(index);
    return parents;
  };
}

/** The plan for `git fast-import`: the same objects, byte for byte; marks begin at `firstMark`. */
export function fastImport(plan: readonly PlannedCommit[], firstMark: number): string {
  const commits = plan.map(({ parents, seconds }, index) => {
    const message = `${index}\n`;
    const [first, ...others] = parents.map((parent) => `:${firstMark + parent}`);
    return [
      'reset refs/heads/main\n',
      'commit refs/heads/main',
      `mark :${firstMark + index}`,
      `committer A <a@example.org> ${seconds} +0000`,
      `data ${message.length}\n${message}`,
      ...(first === undefined ? [] : [`from ${first}`]),
      ...others.map((other) => `merge ${other}`),
      '',
    ].join('\n');
  });
  return commits.join('\n');
}
