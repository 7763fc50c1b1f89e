/** Who wants to know that a ref changed: the bookkeeping of `ObjectBackend.watchRefs`. */

export class RefWatchers {
  readonly #watchers = new Set<{ readonly changed: () => void }>();

  get count(): number {
    return this.#watchers.size;
  }

  /** The result ends it, and may be called again. The same function may be added twice. */
  add(changed: () => void): () => void {
    const watcher = { changed };
    this.#watchers.add(watcher);
    return () => {
      this.#watchers.delete(watcher);
    };
  }

  /** Tells those that are there now; one that is ended meanwhile isn't told. */
  changed(): void {
    for (const watcher of [...this.#watchers]) {
      if (this.#watchers.has(watcher)) watcher.changed();
    }
  }

  clear(): void {
    this.#watchers.clear();
  }
}
