/** The suite against booted images, through QEMU's user networking, in the least memory. */

import { before, describe, test } from 'node:test';
import type { HttpLimits } from '#http';
import { buildImage, cannotBoot, serving } from '../../helpers/machine.ts';
import { httpBasics, httpSuite, type ServerUnderTest } from './http-suite.ts';

const APPS = { site: 'examples/static-site', limits: 'tests/interop/http/limits' };
const images = { site: '', limits: '' };

async function startSite(machine: 'microvm' | 'q35'): Promise<ServerUnderTest> {
  return serving({ image: images.site, machine, memoryMib: 8 });
}

/** Limits are microseconds, as the program's arguments. */
async function startLimited(limits: Partial<HttpLimits>): Promise<ServerUnderTest> {
  const bootArguments = Object.entries(limits).map(([name, value]) => `--${name}=${value}`);
  return serving({ image: images.limits, memoryMib: 16, bootArguments });
}

if (cannotBoot !== false) {
  test('HTTP in an image', { skip: cannotBoot }, () => {});
} else {
  describe('images', () => {
    before(async () => {
      images.site = await buildImage(APPS.site);
      images.limits = await buildImage(APPS.limits);
    });
    httpSuite('HTTP on microvm', (limits) =>
      Object.keys(limits).length === 0 ? startSite('microvm') : startLimited(limits),
    );
    httpBasics('HTTP on q35', () => startSite('q35'));
  });
}
