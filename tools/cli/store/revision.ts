/** A commit as a person names it: a branch, a tag, "HEAD", an id, or the beginning of one. */

import { type ObjectId, parseObjectId } from '#git';
import { Failure } from '../failure.ts';
import { nearNames } from '../near-names.ts';
import { must, safe } from './answers.ts';
import type { OpenStore } from './open.ts';

/** Of an id's beginning. */
const DIGITS_MIN = 4;
const PREFIX = /^[0-9a-f]+$/;

export async function commitNamed(opened: OpenStore, text: string): Promise<ObjectId> {
  const { repository } = opened;
  const found = (await byName(opened, text)) ?? (await byId(opened, text));
  if (found === null) {
    const near = nearNames(text, must(opened, await repository.branches())).map(safe);
    throw new Failure({
      what: `there is no branch, tag or commit '${safe(text)}'`,
      mend:
        near.length > 0
          ? `did you mean ${near.join(' or ')}`
          : 'see "morgana store branches" and "morgana store log"',
    });
  }
  must(opened, await repository.commit(found));
  return found;
}

async function byName(opened: OpenStore, text: string): Promise<ObjectId | null> {
  const { repository } = opened;
  if (text === 'HEAD') return must(opened, await repository.readRef('HEAD'));
  const branch = must(opened, await repository.headOf(text));
  if (branch !== null) return branch;
  const tag = must(opened, await repository.tag(text));
  if (tag !== null) return tag.target;
  const remote = must(opened, await repository.readRef(`refs/remotes/${text}`));
  return remote ?? (text.startsWith('refs/') ? must(opened, await repository.readRef(text)) : null);
}

async function byId({ repository }: OpenStore, text: string): Promise<ObjectId | null> {
  const whole = parseObjectId(text);
  if (whole !== null) return whole;
  const list = repository.backend.objectIds?.bind(repository.backend);
  if (text.length < DIGITS_MIN || !PREFIX.test(text) || list === undefined) return null;
  const found = new Set<ObjectId>();
  for await (const id of list()) {
    if (!id.ok || !id.value.startsWith(text)) continue;
    const object = await repository.backend.readObject(id.value);
    if (object.ok && object.value?.kind === 'commit') found.add(id.value);
  }
  if (found.size > 1) {
    throw new Failure({
      what: `'${text}' begins several commits`,
      mend: 'give more of its digits',
    });
  }
  return [...found][0] ?? null;
}
