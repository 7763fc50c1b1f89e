/**
 * Runs every test file under node's own runner, three at a time: files named on the command line,
 * else all. Many wait for machines and for lost packets, so two would leave two cores idle. Ends
 * with the runner's own count.
 */

import { spawnSync } from 'node:child_process';
import { globSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const ROOMS = 'base,packages,targets,tools,tests,bench,examples,scripts';
const named = process.argv.slice(2);
const files = named.length > 0 ? named : globSync(`{${ROOMS}}/**/*.test.ts`).sort();
const flags = ['--test', '--test-concurrency=3', '--test-timeout=240000'];
// Hundreds of processes load the same modules: each file is stripped of types and compiled once.
const cache = fileURLToPath(new URL('../.cache/node', import.meta.url));
const env = { NODE_COMPILE_CACHE: cache, ...process.env };
const options = { stdio: 'inherit', env } as const;
const { status, signal } = spawnSync(process.execPath, [...flags, ...files], options);
if (signal !== null) process.stderr.write(`error: the tests ended with ${signal}\n`);
process.exitCode = status ?? 1;
