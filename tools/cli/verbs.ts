/** The verbs and their flags: the whole surface of the command line. */

import {
  choiceFlag,
  diskFlag,
  integerFlag,
  linkFlag,
  publishFlag,
  switchFlag,
  textFlag,
} from './flags.ts';

export const TARGETS = ['pvh', 'process', 'node'] as const;
export type Target = (typeof TARGETS)[number];
export const TEMPLATES = ['static', 'handler', 'devices'] as const;

/**
 * `wordsMax`: how many words that aren't flags; `rest`: whether boot-time arguments may follow
 * '--'.
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
    flags: { port: integerFlag(1, 65_535, 8_080) },
  },
  build: {
    wordsMax: 1,
    rest: false,
    flags: { target: choiceFlag(TARGETS, 'pvh'), output: textFlag, json: switchFlag },
  },
  run: {
    wordsMax: 1,
    rest: true,
    flags: {
      target: choiceFlag(TARGETS, 'pvh'),
      publish: publishFlag,
      link: linkFlag,
      disk: diskFlag,
      memory: integerFlag(3, 4_096, 16),
      machine: choiceFlag(['microvm', 'q35'], 'microvm'),
      accelerator: choiceFlag(['auto', 'kvm', 'tcg'], 'auto'),
      'keep-image': textFlag,
    },
  },
  describe: {
    wordsMax: 2,
    rest: false,
    flags: {
      target: choiceFlag(TARGETS, 'pvh'),
      json: switchFlag,
      dot: switchFlag,
      html: textFlag,
      diff: switchFlag,
    },
  },
} as const;

export type Verb = keyof typeof VERBS;
export const isVerb = (word: string): word is Verb => Object.hasOwn(VERBS, word);
