/** The words of `morgana store` that look after a repository: `check` and `gc`. */

import { checkRepository, formatBackendError, formatCheckProblem } from '#git';
import { nodeCrypto } from '#targets/node/crypto';
import { EXIT_FAILED, EXIT_OK, Failure } from '../failure.ts';
import { shown } from '../places.ts';
import { safe } from './answers.ts';
import type { OpenStore } from './open.ts';

/** As `git gc`. */
const PRUNE_MILLIS = 14 * 86_400_000;

export async function check({ backend, root, out }: OpenStore, json: boolean): Promise<number> {
  const checked = await checkRepository(backend, { crypto: nodeCrypto });
  if (!checked.ok)
    throw new Failure({ what: formatBackendError(checked.error), where: shown(root) });
  const { objects, problems, problemCount } = checked.value;
  if (json) {
    out.json(checked.value);
    return problemCount === 0 ? EXIT_OK : EXIT_FAILED;
  }
  if (problemCount === 0) {
    out.text(`${objects} objects, all there and whole\n`);
    return EXIT_OK;
  }
  throw new Failure({
    what: `${problemCount} problems with ${objects} objects`,
    where: shown(root),
    mend: 'fetch what is missing or damaged from a clone',
    detail: problems.map((problem) => safe(formatCheckProblem(problem))),
  });
}

export async function gc({ backend, root, out }: OpenStore, json: boolean): Promise<number> {
  const collected = await backend.gc({ pruneBefore: Date.now() - PRUNE_MILLIS });
  if (!collected.ok) {
    throw new Failure({ what: formatBackendError(collected.error), where: shown(root) });
  }
  const { objects, packBytes, looseRemoved, packsRemoved, refsPacked } = collected.value;
  if (json) out.json(collected.value);
  else {
    const instead = `instead of ${packsRemoved} packs and ${looseRemoved} objects`;
    const refs = refsPacked === 0 ? '' : `; ${refsPacked} refs packed`;
    out.text(`${objects} objects in a pack of ${packBytes} bytes, ${instead}${refs}\n`);
  }
  return EXIT_OK;
}
