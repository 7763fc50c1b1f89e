import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isLogLevel, LOG_LEVELS_MAX, Log, setLevels } from './log.ts';

test('levels › per source › override the default, whenever they are set', () => {
  const lines: string[] = [];
  const log = new Log((line) => lines.push(line), 'warn');
  const tcp = log.source('tcp');
  tcp.info('hidden');
  log.setLevel('tcp', 'debug');
  tcp.debug('shown');
  log.source('ip').info('hidden');
  log.setLevel('*', 'error');
  log.source('ip').warn('hidden');
  tcp.debug('still shown');
  log.source('ip').error('shown');
  assert.deepEqual(lines, ['debug tcp: shown', 'debug tcp: still shown', 'error ip: shown']);
  assert.equal(tcp.isOn('debug'), true);
  assert.equal(log.source('ip').isOn('warn'), false);
});

test('level off › an error › is not written', () => {
  const log = new Log(() => assert.fail('written'), 'off');
  log.source('x').error('hidden');
});

test('followers › get later lines until they end it; levels by source are told', () => {
  const [lines, followed]: string[][] = [[], []];
  const log = new Log((line) => lines!.push(line), 'info');
  log.source('tcp').info('one');
  const end = log.follow((line) => followed!.push(line));
  log.source('tcp').info('two');
  log.source('tcp').debug('hidden');
  end();
  log.source('tcp').info('three');
  assert.deepEqual(followed, ['info tcp: two']);
  assert.equal(lines!.length, 3);
  log.setLevel('ip', 'off');
  assert.deepEqual(log.levelsBySource(), { '*': 'info', tcp: 'info', ip: 'off' });
});

test('isLogLevel › other text › is refused', () => {
  assert.equal(isLogLevel('info'), true);
  assert.equal(isLogLevel('verbose'), false);
  assert.equal(isLogLevel('toString'), false);
});

test('setLevels › as many sources as may have levels, one more, one of them again', () => {
  const log = new Log(() => {}, 'info');
  for (let i = 1; i < LOG_LEVELS_MAX; i++) assert.equal(setLevels(log, `s${i}:debug`), null);
  assert.match(setLevels(log, 'more:debug')!, /more than 256 sources/);
  assert.equal(setLevels(log, 'warn,s1:off'), null);
  assert.equal(Object.keys(log.levelsBySource()).length, LOG_LEVELS_MAX);
});
