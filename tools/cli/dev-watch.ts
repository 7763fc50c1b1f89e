/** Which files a version of an application was made of, and a call whenever one of them changes. */

import { type FSWatcher, readdirSync, statSync, watch } from 'node:fs';
import path from 'node:path';
import { type App, type AppPath, MODULE } from './app.ts';

/** An editor writes a file in several steps: one call for all of them. */
export const SETTLE_MS = 60;

/** What a version was made of, or would have been. All paths absolute. */
interface Watched {
  readonly directories: readonly string[];
  /** Those of the directories whose every file counts. */
  readonly content: readonly string[];
  /** Null when they aren't known, since it couldn't be linked: then any module may mend it. */
  readonly sources: ReadonlySet<string> | null;
}

export class SourceWatcher {
  private readonly changed: () => void;
  private watchers: FSWatcher[] = [];
  private settle: NodeJS.Timeout | null = null;

  constructor(changed: () => void) {
    this.changed = changed;
  }

  /** From now on these, and no others. */
  watch(watched: Watched): void {
    // The old ones close last: with none on a directory, changes not yet told would be lost.
    const old = this.watchers;
    this.watchers = watched.directories.map((directory) =>
      watch(directory, (_, name) => {
        if (name === null || concerns(watched, directory, name)) this.soon();
      }),
    );
    for (const watcher of old) watcher.close();
  }

  /** As if one of them had changed. */
  soon(): void {
    if (this.settle !== null) clearTimeout(this.settle);
    this.settle = setTimeout(() => {
      this.settle = null;
      this.changed();
    }, SETTLE_MS);
  }

  close(): void {
    for (const watcher of this.watchers) watcher.close();
    if (this.settle !== null) clearTimeout(this.settle);
  }
}

const PROJECT_FILE = /^(package|tsconfig)\.json$/;

/** Not: a log that is written beside the sources, which would have it built for ever. */
function concerns(watched: Watched, directory: string, name: string): boolean {
  if (watched.content.includes(directory) || PROJECT_FILE.test(name)) return true;
  if (watched.sources === null) return MODULE.test(name) || !name.includes('.');
  return watched.sources.has(path.join(directory, name));
}

/** Of an application that has never been loaded. */
export function watchedBefore(found: Exclude<AppPath, { kind: 'image' }>): Watched {
  const home =
    found.kind === 'static'
      ? found.directory
      : path.dirname(found.kind === 'handler' ? found.main : found.config);
  return { directories: [home], content: found.kind === 'static' ? [home] : [], sources: null };
}

/** Sources that aren't installed packages, and all content. */
export function watchedOf(app: App, sources: readonly string[] | null): Watched {
  const places = Object.values(app.content);
  const tars = places.filter((place) => !statSync(place).isDirectory());
  const own = [...(sources ?? []), app.main, app.config, ...tars]
    .filter((file) => file !== null)
    .filter((file) => !file.includes('/node_modules/'));
  const directories = places.filter((place) => !tars.includes(place));
  const content = directories.flatMap((directory) => [
    directory,
    ...readdirSync(directory, { withFileTypes: true, recursive: true })
      .filter((entry) => entry.isDirectory())
      .map((entry) => path.join(entry.parentPath, entry.name)),
  ]);
  return {
    directories: [...new Set([...own.map((file) => path.dirname(file)), ...content])],
    content,
    sources: sources === null ? null : new Set(own),
  };
}
