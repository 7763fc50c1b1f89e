/** `morgana store check`: whether everything that a branch or a tag leads to is there and whole. */

import { checkRepository, formatCheckFault } from '#store';
import { EXIT_FAILED, EXIT_OK, Failure } from '../failure.ts';
import { shown } from '../places.ts';
import { safe } from './answers.ts';
import type { OpenStore } from './open.ts';

export async function check({ repository, root, out }: OpenStore, json: boolean): Promise<number> {
  const report = await checkRepository(repository.backend, repository.core.crypto);
  if (json) {
    out.json(report);
    return report.faults.length === 0 ? EXIT_OK : EXIT_FAILED;
  }
  if (report.faults.length === 0) {
    out.text(`${report.objects} objects, all there and whole\n`);
    return EXIT_OK;
  }
  throw new Failure({
    what: `${report.faultCount} of ${report.objects} objects are missing or damaged`,
    where: shown(root),
    mend: 'fetch them from a clone',
    detail: report.faults.map((fault) => safe(formatCheckFault(fault))),
  });
}
