/** What can be fuzzed by coverage: the stack's input paths, and each parser of the registry. */

import { registry } from '../registry.ts';
import { netTarget } from './net-target.ts';
import type { GuidedTarget } from './target.ts';
import { tcpTarget } from './tcp-target.ts';
import { wireTarget } from './wire-target.ts';

/** Those that have a corpus. */
export const stackTargets: readonly GuidedTarget[] = [tcpTarget, netTarget];
export const targets: readonly GuidedTarget[] = [...stackTargets, ...registry.map(wireTarget)];
