/** The verbs and their flags: the whole surface of the command line. */

import { COMPOSE_UNIKERNELS_MAX } from '../../packages/morgana/compose-limits.ts';
import {
  choiceFlag,
  countFlag,
  decimalFlag,
  diskFlag,
  integerFlag,
  leaseFlag,
  linkFlag,
  networkFlag,
  publishFlag,
  publishToFlag,
  secondsFlag,
  switchFlag,
  textFlag,
} from './flags.ts';

export const TARGETS = ['pvh', 'process', 'node'] as const;
export type Target = (typeof TARGETS)[number];
/** What is linked: a target, with what --net chooses on node. */
export type Platform = Target | 'node-direct';
export const NETS = ['host', 'direct'] as const;
/** --net is a choice on node only: elsewhere our own stack is all there is. */
export const platformOf = (target: Target, net: (typeof NETS)[number]): Platform =>
  target === 'node' && net === 'direct' ? 'node-direct' : target;
export const targetOf = (platform: Platform): Target =>
  platform === 'node-direct' ? 'node' : platform;
/** Whether what is linked can be looked into. */
const inspectFlag = choiceFlag(['on', 'off'], 'on');
/** TLS: for those who connect, whose certificates are linked, whom the program trusts itself. */
const tlsFlags = {
  tls: switchFlag,
  'tls-files': textFlag,
  acme: switchFlag,
  ca: textFlag,
} as const;
export const TEMPLATES = ['static', 'handler', 'devices'] as const;

/**
 * `wordsMax`: how many words that aren't flags; `rest`: whether boot-time arguments (of
 * `store`: words that begin with '-') may follow '--'.
 */
export const VERBS = {
  new: {
    wordsMax: 1,
    rest: false,
    flags: { template: choiceFlag(TEMPLATES, 'static') },
  },
  dev: {
    wordsMax: 1,
    rest: true,
    flags: {
      name: textFlag,
      target: choiceFlag(TARGETS, 'node'),
      port: integerFlag(1, 65_535, 8_080),
      net: choiceFlag(NETS, 'host'),
      ...tlsFlags,
      publish: publishFlag,
      link: linkFlag,
      network: networkFlag,
      'allow-host': switchFlag,
      disk: diskFlag,
      memory: integerFlag(3, 4_096, 32),
      machine: choiceFlag(['microvm', 'q35'], 'microvm'),
      accelerator: choiceFlag(['auto', 'kvm', 'tcg'], 'auto'),
    },
  },
  build: {
    wordsMax: 1,
    rest: false,
    flags: {
      target: choiceFlag(TARGETS, 'pvh'),
      net: choiceFlag(NETS, 'host'),
      inspect: inspectFlag,
      management: switchFlag,
      ...tlsFlags,
      output: textFlag,
      json: switchFlag,
    },
  },
  run: {
    wordsMax: 1,
    rest: true,
    flags: {
      name: textFlag,
      target: choiceFlag(TARGETS, 'pvh'),
      net: choiceFlag(NETS, 'host'),
      publish: publishFlag,
      network: networkFlag,
      'allow-host': switchFlag,
      link: linkFlag,
      disk: diskFlag,
      inspect: inspectFlag,
      management: switchFlag,
      ...tlsFlags,
      memory: integerFlag(3, 4_096, 16),
      machine: choiceFlag(['microvm', 'q35'], 'microvm'),
      accelerator: choiceFlag(['auto', 'kvm', 'tcg'], 'auto'),
      'keep-image': textFlag,
    },
  },
  compose: {
    // A word of its own, and the names of unikernels.
    wordsMax: 1 + COMPOSE_UNIKERNELS_MAX,
    rest: false,
    flags: {
      file: textFlag,
      project: textFlag,
      detach: switchFlag,
      follow: switchFlag,
      tail: countFlag(100_000),
      json: switchFlag,
    },
  },
  inspect: {
    wordsMax: 1,
    rest: false,
    flags: {
      json: switchFlag,
      once: switchFlag,
      connections: integerFlag(1, 100_000, 200),
      interval: integerFlag(1, 60, 1),
      log: textFlag,
      follow: switchFlag,
      profile: secondsFlag,
      output: textFlag,
      pcap: textFlag,
      port: integerFlag(1, 65_535, 0),
      'snap-bytes': integerFlag(1, 65_550, 0),
      interface: integerFlag(0, 15, 0),
      'reload-certificates': switchFlag,
      'token-file': textFlag,
    },
  },
  switch: {
    wordsMax: 0,
    rest: false,
    flags: {
      socket: textFlag,
      network: textFlag,
      gateway: textFlag,
      publish: publishToFlag,
      lease: leaseFlag,
      'allow-host': switchFlag,
      pcap: textFlag,
      loss: decimalFlag(100, 'a percentage'),
      delay: decimalFlag(60_000, 'milliseconds'),
      jitter: decimalFlag(60_000, 'milliseconds'),
      rate: decimalFlag(100_000, 'megabits a second'),
      seed: integerFlag(0, 999_999_999, 1),
      linger: integerFlag(0, 86_400, 0),
      status: switchFlag,
      json: switchFlag,
    },
  },
  store: {
    // A word of its own, and what it takes.
    wordsMax: 3,
    rest: true,
    flags: {
      root: textFlag,
      branch: textFlag,
      json: switchFlag,
      message: textFlag,
      author: textFlag,
      file: textFlag,
      count: countFlag(1_000_000),
      reset: switchFlag,
      'keep-both': switchFlag,
      port: integerFlag(0, 65_535, 0),
      push: switchFlag,
      'object-format': choiceFlag(['sha1', 'sha256'], 'sha1'),
    },
  },
  cert: {
    wordsMax: 100,
    rest: false,
    flags: {
      out: textFlag,
      ca: textFlag,
      days: integerFlag(1, 825, 365),
      key: choiceFlag(['P-256', 'P-384', 'Ed25519', 'RSA-2048'], 'P-256'),
      for: choiceFlag(['server', 'client', 'both'], 'server'),
      json: switchFlag,
    },
  },
  describe: {
    wordsMax: 2,
    rest: false,
    flags: {
      target: choiceFlag(TARGETS, 'pvh'),
      net: choiceFlag(NETS, 'host'),
      inspect: inspectFlag,
      management: switchFlag,
      ...tlsFlags,
      json: switchFlag,
      dot: switchFlag,
      html: textFlag,
      diff: switchFlag,
    },
  },
} as const;

export type Verb = keyof typeof VERBS;
export const isVerb = (word: string): word is Verb => Object.hasOwn(VERBS, word);
