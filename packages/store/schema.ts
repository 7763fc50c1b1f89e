/**
 * Which contents a store has where, known to the compiler and while running:
 *
 *     const visits = form.content('visits', counter);
 *     defineSchema({ contacts: { '*': contact }, visits, pages: { '**': stock.text } })
 *
 * A step is named, or "*" for any one, or "**" for any steps from there on. A path that isn't in
 * the schema, and a value of another type than the path's, are type errors; where a path comes
 * from outside they are 'bad path'. Read first: content/content-type.ts.
 */

import { assert } from '#core';
import type { AnyContentType, ContentType } from './content/content-type.ts';
import type { Path } from './path.ts';

/** Contents, or steps to more of them. */
export type Shape = AnyContentType | Steps;
export interface Steps {
  readonly [step: string]: Shape;
}

/** The paths of contents. */
export type PathOf<S> =
  S extends ContentType<infer _>
    ? readonly []
    : {
        [K in keyof S & string]: K extends '**'
          ? readonly string[]
          : readonly [K extends '*' ? string : K, ...PathOf<S[K]>];
      }[keyof S & string];

/** The paths of trees: of everything above contents. */
export type TreePathOf<S> =
  S extends ContentType<infer _>
    ? never
    :
        | readonly []
        | {
            [K in keyof S & string]: K extends '**'
              ? readonly string[]
              : readonly [K extends '*' ? string : K, ...TreePathOf<S[K]>];
          }[keyof S & string];

/** The type of the contents at a path of PathOf<S>. */
export type ContentAt<S, P extends readonly unknown[]> = P extends readonly []
  ? S extends ContentType<infer T>
    ? T
    : never
  : P extends readonly [infer Head, ...infer Rest]
    ? Head extends keyof S
      ? ContentAt<S[Head], Rest>
      : '*' extends keyof S
        ? ContentAt<S['*'], Rest>
        : ContentBelow<S>
    : ContentBelow<S>;

type ContentBelow<S> = '**' extends keyof S
  ? S['**'] extends ContentType<infer T>
    ? T
    : never
  : never;

/** The shape of the tree at a path of TreePathOf<S>. */
export type ShapeAt<S, P extends readonly unknown[]> = P extends readonly []
  ? S
  : P extends readonly [infer Head, ...infer Rest]
    ? Head extends keyof S
      ? ShapeAt<S[Head], Rest>
      : '*' extends keyof S
        ? ShapeAt<S['*'], Rest>
        : ShapeBelow<S>
    : ShapeBelow<S>;

type ShapeBelow<S> = '**' extends keyof S ? S : never;

const isContentType = (shape: Shape): shape is AnyContentType =>
  typeof (shape as AnyContentType).decode === 'function';

/** A shape as it is asked: from the root down, a step at a time. */
export class Schema<S extends Shape = Shape> {
  readonly shape: S;
  /** The contents here; null where steps go on. */
  readonly contents: AnyContentType | null;
  readonly #named = new Map<string, Schema>();
  readonly #any: Schema | null;
  /** Whether a type whose equal changes add up is here or below. */
  readonly mayAddUp: boolean;

  constructor(shape: S) {
    this.shape = shape;
    this.contents = isContentType(shape) ? shape : null;
    let any: Schema | null = null;
    for (const [step, below] of this.contents === null ? Object.entries(shape) : []) {
      if (step === '**') {
        assert(isContentType(below), '"**" leads to contents');
        any = new AnyDepth(below);
      } else if (step === '*') any = new Schema(below);
      else this.#named.set(step, new Schema(below));
    }
    assert(!('*' in shape && '**' in shape), '"*" or "**", not both');
    this.#any = any;
    const below = any === null ? [...this.#named.values()] : [...this.#named.values(), any];
    this.mayAddUp = this.contents?.addsUp ?? below.some((schema) => schema.mayAddUp);
  }

  /** What is a step further down; null when nothing can be there. */
  step(step: string): Schema | null {
    return this.#named.get(step) ?? this.#any;
  }

  at(path: Path): Schema | null {
    let here: Schema | null = this;
    for (let i = 0; i < path.length && here !== null; i++) here = here.step(path[i]!);
    return here;
  }

  /** The type of contents at a path; null when there can't be any. */
  typeAt(path: Path): AnyContentType | null {
    return this.at(path)?.contents ?? null;
  }

  /** Whether steps go on from here. */
  get hasSteps(): boolean {
    return this.#any !== null || this.#named.size > 0;
  }
}

/** Contents of one type here and at any depth below. */
class AnyDepth extends Schema {
  override step(_step: string): Schema {
    return this;
  }

  override get hasSteps(): boolean {
    return true;
  }
}

/** Names the type of a schema; checks its form. */
export const defineSchema = <const S extends Steps>(steps: S): Schema<S> => new Schema(steps);
