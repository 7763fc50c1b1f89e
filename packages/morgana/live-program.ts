/**
 * A program whose own code can be replaced while it runs, in a development build: the application's
 * modules are a script beside the system's, and a later version of it takes over with everything
 * that is open. Read first: docs/decisions on hot reload; `Reload` in index.ts. Not here: how a new
 * version comes in (reload-command.ts), and how scripts are built (tools/cli/build-script.ts).
 *
 * A script is one expression, a function of `require`, `module` and `exports`, as bundlers write
 * them. `require` gives the system's own modules, which exist once; all others belong to the
 * script. Nothing here refers to a version once another has taken over: the engine collects it when
 * nothing of the application does either.
 */

import type { Result } from '#core';
import type { KvReadOnly } from '#device';
import type { FetchApp, HttpServer } from '#http';
import { inspect } from '#web';
import { ChangedContent, type ContentChange } from './changed-content.ts';
import { handlerOf, serveApp } from './handler.ts';
import type { AnyContext, ServeProgram } from './run.ts';
import { serveSite, siteOf } from './static-site.ts';

/** The value of a script's only expression, or why it has none: as Machine's `evaluate`. */
export type Evaluate = (code: Uint8Array) => Result<unknown, string>;

/** The system's modules by their path in this package. */
export type SharedModules = Readonly<Record<string, object>>;

/** What an application's main module exports. */
interface Version {
  readonly default?: FetchApp;
  start?(context: AnyContext): Promise<number | undefined> | Promise<void>;
  reload?(previous: object, context: AnyContext): Promise<void> | void;
}

export interface LiveOptions {
  readonly kind: 'static' | 'handler' | 'devices';
  readonly modules: SharedModules;
  readonly evaluate: Evaluate;
  /** The first version, as `evaluate` takes it; null for a website, which has no code. */
  readonly script: Uint8Array | null;
  /** How a website or a handler is served; absent: in the open. */
  readonly serve?: ServeProgram | undefined;
}

/** What replaces what runs. */
export interface Update {
  /** Null for a website. */
  readonly script: Uint8Array | null;
  /** By the name of its device. */
  readonly contents: ReadonlyMap<string, ContentChange>;
}

export type UpdateResult =
  | { readonly kind: 'reloaded' }
  /** Nothing was replaced, and nothing can be but by starting the machine again. */
  | { readonly kind: 'restart'; readonly why: string }
  /** The new version's mistake; the one before runs on. */
  | { readonly kind: 'failed'; readonly during: 'evaluation' | 'reload'; readonly error: string };

export class LiveProgram {
  private readonly kind: LiveOptions['kind'];
  private readonly modules: SharedModules;
  private readonly evaluate: Evaluate;
  /** Until `start`. */
  private first: Uint8Array | null;
  private current: Version | null = null;
  private context: AnyContext | null = null;
  /** Of a website or a handler. */
  private server: HttpServer | null = null;
  private readonly serve: ServeProgram | undefined;
  private isUpdating = false;

  constructor(options: LiveOptions) {
    this.kind = options.kind;
    this.modules = options.modules;
    this.evaluate = options.evaluate;
    this.first = options.script;
    this.serve = options.serve;
  }

  /** The `start` of a Unikernel: once. */
  async start(context: AnyContext): Promise<number | undefined> {
    const { first } = this;
    this.first = null;
    if (first !== null) this.current = this.open(first);
    this.context = context;
    switch (this.kind) {
      case 'static':
        this.server = await serveSite(context, this.serve);
        return undefined;
      case 'handler':
        this.server = await serveApp(this.current!.default as FetchApp, context, this.serve);
        return undefined;
      case 'devices':
        return (await this.current!.start!(context)) ?? undefined;
    }
  }

  /** Puts `update` in place of what runs, or says why not. One at a time. */
  async update(update: Update): Promise<UpdateResult> {
    if (this.isUpdating) return { kind: 'restart', why: 'the reload before has not returned' };
    if (this.context === null || (this.kind !== 'devices' && this.server === null)) {
      return { kind: 'restart', why: 'the application has not started' };
    }
    this.isUpdating = true;
    try {
      const context = changedContext(this.context, update.contents);
      return this.kind === 'static'
        ? this.replaceSite(context)
        : await this.replaceCode(update.script!, context);
    } finally {
      this.isUpdating = false;
    }
  }

  private replaceSite(context: AnyContext): UpdateResult {
    this.server!.replaceHandler(siteOf(context));
    this.context = context;
    return { kind: 'reloaded' };
  }

  private async replaceCode(script: Uint8Array, context: AnyContext): Promise<UpdateResult> {
    const failed = (during: 'evaluation' | 'reload', error: unknown): UpdateResult => ({
      kind: 'failed',
      during,
      error: inspect(error),
    });
    let next: Version;
    try {
      next = this.open(script);
    } catch (error) {
      return failed('evaluation', error);
    }
    if (typeof next.reload !== 'function') {
      return { kind: 'restart', why: 'the application exports no reload(previous)' };
    }
    try {
      const { server } = this;
      const handler = server && handlerOf(next.default as FetchApp, context);
      await next.reload(this.current!, context);
      if (handler !== null) server!.replaceHandler(handler);
    } catch (error) {
      return failed('reload', error);
    }
    this.current = next;
    this.context = context;
    return { kind: 'reloaded' };
  }

  /** Evaluates a script; gives what its main module exports. */
  private open(script: Uint8Array): Version {
    const evaluated = this.evaluate(script);
    if (!evaluated.ok) throw new SyntaxError(evaluated.error);
    const define = evaluated.value as (
      require: (path: string) => object,
      module: { exports: object },
      exports: object,
    ) => void;
    const module: { exports: object } = { exports: {} };
    define((path) => this.shared(path), module, module.exports);
    return (module.exports as { readonly app: Version }).app;
  }

  private shared(path: string): object {
    if (!Object.hasOwn(this.modules, path)) throw new Error(`the system has no module ${path}`);
    return this.modules[path]!;
  }
}

/** `context` with changed directories in place of those before. */
function changedContext(
  context: AnyContext,
  contents: ReadonlyMap<string, ContentChange>,
): AnyContext {
  const devices: Record<string, KvReadOnly> = {};
  for (const [name, change] of contents) {
    devices[name] = new ChangedContent(context[name] as KvReadOnly, change);
  }
  return { ...context, ...devices };
}
