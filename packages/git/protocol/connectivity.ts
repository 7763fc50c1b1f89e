/**
 * Whether a push brings all that its refs lead to. What came is followed down to objects that are
 * here already, which are taken for whole: Git goes on to what its refs reach, so that it isn't
 * taken in by what a broken fetch left. Objects that nothing leads to are left out.
 */

import { assert } from '#core';
import type { ObjectKind } from '../object.ts';
import { ID_BYTES, type ObjectId } from '../object-id.ts';
import { objectLinks } from '../object-links.ts';
import type { Quarantine } from './quarantine.ts';
import { got } from './stop.ts';

export type Connectivity =
  /** What came and is needed. */
  | { readonly ok: true; readonly ids: ReadonlySet<ObjectId> }
  | { readonly ok: false; readonly reason: string };

/** An object that something leads to, and what it must be; null: anything. */
interface Lead {
  readonly id: ObjectId;
  readonly kind: ObjectKind | null;
  /** A parent that the pusher's shallow history lacks. */
  readonly isBeyond?: boolean;
}

/** Names of objects that are followed between two turns of the event loop. */
const TURN_LEADS = 1_024;

/**
 * Follows all that `tip` leads to, but for what was followed before and found whole; others get
 * their `turn` meanwhile. Throws Stop when the backend fails. O(objects that came and aren't known
 * to be whole).
 */
export async function followPush(
  quarantine: Quarantine,
  tip: ObjectId,
  whole: ReadonlySet<ObjectId>,
  turn?: () => Promise<void>,
): Promise<Connectivity> {
  let leadsLeft = TURN_LEADS;
  const ids = new Set<ObjectId>();
  const here = new Set<ObjectId>();
  const stack: Lead[] = [{ id: tip, kind: null }];
  for (let lead = stack.pop(); lead !== undefined; lead = stack.pop()) {
    const { id, kind } = lead;
    const came = quarantine.kindOf(id);
    if (came === null) {
      if (here.has(id)) continue;
      const reason = await checkHere(quarantine, lead);
      if (reason !== null) {
        // Git's words, for what makes a whole history end early (receive.shallowUpdate).
        const isOurs = lead.isBeyond === true;
        return { ok: false, reason: isOurs ? 'shallow update not allowed' : reason };
      }
      here.add(id);
      continue;
    }
    if (kind !== null && kind !== came) {
      return { ok: false, reason: `${id} is a ${came} where a ${kind} belongs` };
    }
    if (ids.has(id) || whole.has(id)) continue;
    ids.add(id);
    if (came === 'blob') continue;
    const object = got(await quarantine.readObject(id));
    assert(object !== null, 'it came');
    const leads = objectLinks(object, ID_BYTES[quarantine.hash]);
    if (leads === null) return { ok: false, reason: `${id} is a malformed ${object.kind}` };
    leadsLeft -= leads.length;
    if (leadsLeft < 0) {
      leadsLeft = TURN_LEADS;
      await turn?.();
    }
    const isEnd = quarantine.shallow.has(id);
    for (const next of leads) {
      stack.push(isEnd ? { ...next, isBeyond: next.kind === 'commit' } : next);
    }
  }
  return { ok: true, ids };
}

/** Null: it is here, and what it must be as far as others would stumble over it. */
async function checkHere(quarantine: Quarantine, { id, kind }: Lead): Promise<string | null> {
  const missing = `missing necessary objects: ${id}`;
  if (kind === null || kind === 'blob') return got(await quarantine.hasObject(id)) ? null : missing;
  const object = got(await quarantine.readObject(id));
  if (object === null) return missing;
  return object.kind === kind ? null : `${id} is a ${object.kind} where a ${kind} belongs`;
}
