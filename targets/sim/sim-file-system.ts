/**
 * A directory in memory that can lose its power. Every call that changes something is one step;
 * at the step that was asked for, SimCrash is thrown before (or, for bytes, in the midst of) it,
 * and every call thereafter. `crashed` then draws what the disk holds when it comes back: for each
 * file what was synced and, of what was appended since, all, nothing, a beginning, or a beginning
 * with bytes that nobody wrote; for each directory the entries of its last sync and any of the
 * changes since, each by itself. A rename within one directory is one change; between two
 * directories the new name is made first, so that the file is never without one. Required reading:
 * packages/device/file-system.ts. Not here: symbolic links, permissions.
 */

import { err, ok, type Result } from '#core';
import {
  directoryOf,
  type FileEntry,
  type FileError,
  type FileStat,
  type FileSystem,
  isFilePath,
  type OpenFile,
  type OpenMode,
} from '#device';
import {
  type Change,
  contentsOf,
  type DirectoryNode,
  type FileNode,
  SimFile,
  type SimNode,
  statOf,
} from './sim-file.ts';
import type { SimRandom } from './sim-random.ts';

/** The program ended here: its power was lost. Nothing but the test catches it. */
export class SimCrash extends Error {
  override readonly name = 'SimCrash';
}

const MODIFIED_START_NANOS = 1_700_000_000_000_000_000n;
const STEP_NANOS = 1_000_000n;

export class SimFileSystem implements FileSystem {
  readonly name = 'simulated disk';
  /** Steps taken so far: calls that change something, or sync. */
  steps = 0;
  /** The power is lost at this step; never, when it is infinite. */
  crashAt = Number.POSITIVE_INFINITY;
  /** The step at this number fails with EIO, once. */
  failAt = Number.POSITIVE_INFINITY;
  /** The calls that change something fail with this code from now on; '': they don't. */
  failure = '';
  /** Bytes that all files together may have: 'full' above. */
  capacityBytes = Number.POSITIVE_INFINITY;
  /** Files that are open: 0 when everything was closed. */
  openCount = 0;
  private usedBytes = 0;
  private inodes = 1n;
  private readonly random: SimRandom;
  private root: DirectoryNode;

  constructor(random: SimRandom) {
    this.random = random;
    this.root = this.newDirectory();
  }

  open(path: string, mode: OpenMode): Result<OpenFile, FileError> {
    const place = this.place(path);
    if (!place.ok) return place;
    const { parent, name, node } = place.value;
    if (node?.kind === 'directory') {
      const kind = mode === 'read' || mode === 'append' ? 'directory' : 'exists';
      return err({ kind: path === '' ? 'directory' : kind, path });
    }
    if (node !== undefined) {
      if (mode !== 'read' && mode !== 'append') return err({ kind: 'exists', path });
      return ok(this.opened(path, node, mode));
    }
    if (mode === 'read') return err({ kind: 'absent', path });
    const failed = this.step(path);
    if (failed !== null) return err(failed);
    const made: FileNode = {
      kind: 'file',
      inode: this.inodes++,
      bytes: new Uint8Array(64),
      sizeBytes: 0,
      syncedBytes: 0,
      modifiedNanos: this.now(),
    };
    this.change(parent, [[name, made]], null);
    return ok(this.opened(path, made, mode));
  }

  readFile(path: string, sizeBytesMax: number): Result<Uint8Array, FileError> {
    const place = this.place(path);
    if (!place.ok) return place;
    const { node } = place.value;
    if (node === undefined) return err({ kind: 'absent', path });
    if (node.kind === 'directory') return err({ kind: 'directory', path });
    const { sizeBytes } = node;
    if (sizeBytes > sizeBytesMax) return err({ kind: 'too long', path, sizeBytes });
    return ok(node.bytes.slice(0, sizeBytes));
  }

  rename(from: string, to: string): Result<void, FileError> {
    const source = this.existing(from);
    if (!source.ok) return source;
    const target = this.place(to);
    if (!target.ok) return target;
    const { node } = source.value;
    const replaced = target.value.node;
    if (replaced !== undefined && (replaced.kind === 'directory' || node.kind === 'directory')) {
      return err({ kind: replaced.kind === 'directory' ? 'directory' : 'exists', path: to });
    }
    const failed = this.step(to);
    if (failed !== null) return err(failed);
    const made = [target.value.name, node] as const;
    const gone = [source.value.name, null] as const;
    if (source.value.parent === target.value.parent) {
      this.change(target.value.parent, [made, gone], null);
    } else {
      const change = this.change(target.value.parent, [made], null);
      this.change(source.value.parent, [gone], change);
    }
    return ok(undefined);
  }

  link(from: string, to: string): Result<void, FileError> {
    const source = this.existing(from);
    if (!source.ok) return source;
    const target = this.place(to);
    if (!target.ok) return target;
    if (target.value.node !== undefined) return err({ kind: 'exists', path: to });
    if (source.value.node.kind === 'directory') return err({ kind: 'directory', path: from });
    const failed = this.step(to);
    if (failed !== null) return err(failed);
    this.change(target.value.parent, [[target.value.name, source.value.node]], null);
    return ok(undefined);
  }

  remove(path: string): Result<void, FileError> {
    const found = this.existing(path);
    if (!found.ok) return found;
    const { parent, name, node } = found.value;
    if (node.kind === 'directory') return err({ kind: 'directory', path });
    const failed = this.step(path);
    if (failed !== null) return err(failed);
    this.change(parent, [[name, null]], null);
    return ok(undefined);
  }

  makeDirectory(path: string): Result<void, FileError> {
    const place = this.place(path);
    if (!place.ok) return place;
    if (place.value.node !== undefined) return err({ kind: 'exists', path });
    const failed = this.step(path);
    if (failed !== null) return err(failed);
    this.change(place.value.parent, [[place.value.name, this.newDirectory()]], null);
    return ok(undefined);
  }

  removeDirectory(path: string): Result<void, FileError> {
    const found = this.directory(path);
    if (!found.ok) return found;
    if (found.value.entries.size > 0) return err({ kind: 'not empty', path });
    const place = this.place(path);
    if (!place.ok) return place;
    const failed = this.step(path);
    if (failed !== null) return err(failed);
    this.change(place.value.parent, [[place.value.name, null]], null);
    return ok(undefined);
  }

  touch(path: string): Result<void, FileError> {
    const found = this.existing(path);
    if (!found.ok) return found;
    const failed = this.step(path);
    if (failed !== null) return err(failed);
    found.value.node.modifiedNanos = this.now();
    return ok(undefined);
  }

  list(path: string): Result<readonly FileEntry[], FileError> {
    const found = this.directory(path);
    if (!found.ok) return found;
    const entries = [...found.value.entries].map(([name, { kind }]) => ({ name, kind }));
    // In no order.
    if (entries.length > 1) entries.push(...entries.splice(0, this.random.below(entries.length)));
    return ok(entries);
  }

  stat(path: string): Result<FileStat | null, FileError> {
    const place = this.place(path);
    if (!place.ok) return place.error.kind === 'absent' ? ok(null) : place;
    const { node } = place.value;
    return ok(node === undefined ? null : statOf(node));
  }

  syncDirectory(path: string): Result<void, FileError> {
    const found = this.directory(path);
    if (!found.ok) return found;
    const failed = this.step(path);
    if (failed !== null) return err(failed);
    found.value.synced = new Map(found.value.entries);
    found.value.changes = [];
    return ok(undefined);
  }

  async syncAll(
    files: readonly OpenFile[],
    directories: readonly string[],
  ): Promise<Result<void, FileError>> {
    for (const file of files) {
      const synced = file.sync();
      if (!synced.ok) return synced;
    }
    for (const path of directories) {
      const synced = this.syncDirectory(path);
      if (!synced.ok) return synced;
    }
    return ok(undefined);
  }

  watch(path: string, changed: () => void): Result<() => void, FileError> {
    const found = this.directory(path);
    if (!found.ok) return found;
    const { watchers } = found.value;
    watchers.add(changed);
    return ok(() => watchers.delete(changed));
  }

  /** Every file and directory, parents first; bytes are null for a directory. */
  *contents(): Generator<{ readonly path: string; readonly bytes: Uint8Array | null }> {
    yield* contentsOf(this.root, '');
  }

  /** The disk after the power came back, drawn from `random`; this one ends. */
  crashed(random: SimRandom): SimFileSystem {
    this.crashAt = 0;
    const disk = new SimFileSystem(random);
    const kept = new Map<Change, boolean>();
    disk.root = disk.survivor(this.root, kept, new Map()) as DirectoryNode;
    return disk;
  }

  /** Throws SimCrash once the power is lost. */
  check(): void {
    if (this.steps > this.crashAt) throw new SimCrash(`the power was lost at ${this.crashAt}`);
  }

  /** One step: the crash, or why it fails, or null. */
  step(path: string): FileError | null {
    this.steps++;
    this.check();
    const code = this.steps === this.failAt ? 'EIO' : this.failure;
    return code === '' ? null : { kind: 'device', path, code };
  }

  /** For an open file: a crash may cut it anywhere. */
  appendTo(path: string, node: FileNode, bytes: Uint8Array): Result<void, FileError> {
    this.steps++;
    const isCut = this.steps > this.crashAt;
    const part = isCut ? bytes.subarray(0, this.random.below(bytes.length + 1)) : bytes;
    const code = this.steps === this.failAt ? 'EIO' : this.failure;
    if (code !== '') return err({ kind: 'device', path, code });
    if (this.usedBytes + part.length > this.capacityBytes) return err({ kind: 'full', path });
    this.usedBytes += part.length;
    const end = node.sizeBytes + part.length;
    if (end > node.bytes.length) {
      const grown = new Uint8Array(2 * end);
      grown.set(node.bytes.subarray(0, node.sizeBytes));
      node.bytes = grown;
    }
    node.bytes.set(part, node.sizeBytes);
    node.sizeBytes = end;
    node.modifiedNanos = this.now();
    this.check();
    return ok(undefined);
  }

  private opened(path: string, node: FileNode, mode: OpenMode): OpenFile {
    this.openCount++;
    return new SimFile(this, path, node, mode);
  }

  private now(): bigint {
    return MODIFIED_START_NANOS + BigInt(this.steps) * STEP_NANOS;
  }

  private newDirectory(): DirectoryNode {
    return {
      kind: 'directory',
      inode: this.inodes++,
      entries: new Map(),
      synced: new Map(),
      changes: [],
      watchers: new Set(),
      modifiedNanos: this.now(),
    };
  }

  private change(parent: DirectoryNode, entries: Change['entries'], after: Change | null): Change {
    const change: Change = { entries, after };
    for (const [name, node] of entries) {
      if (node === null) parent.entries.delete(name);
      else parent.entries.set(name, node);
    }
    parent.changes.push(change);
    parent.modifiedNanos = this.now();
    for (const changed of [...parent.watchers]) changed();
    return change;
  }

  /** Where `path` is or would be. */
  private place(
    path: string,
  ): Result<{ parent: DirectoryNode; name: string; node: SimNode | undefined }, FileError> {
    this.check();
    if (!isFilePath(path)) return err({ kind: 'name', path });
    if (path === '') return ok({ parent: this.root, name: '', node: this.root });
    const parent = this.directory(directoryOf(path));
    if (!parent.ok) return err({ ...parent.error, path });
    const name = path.slice(path.lastIndexOf('/') + 1);
    return ok({ parent: parent.value, name, node: parent.value.entries.get(name) });
  }

  private existing(
    path: string,
  ): Result<{ parent: DirectoryNode; name: string; node: SimNode }, FileError> {
    const place = this.place(path);
    if (!place.ok) return place;
    const { parent, name, node } = place.value;
    return node === undefined ? err({ kind: 'absent', path }) : ok({ parent, name, node });
  }

  private directory(path: string): Result<DirectoryNode, FileError> {
    this.check();
    if (!isFilePath(path)) return err({ kind: 'name', path });
    let at: SimNode | undefined = this.root;
    for (const name of path === '' ? [] : path.split('/')) {
      if (at.kind !== 'directory') return err({ kind: 'no directory', path });
      at = at.entries.get(name);
      if (at === undefined) return err({ kind: 'absent', path });
    }
    return at.kind === 'directory' ? ok(at) : err({ kind: 'no directory', path });
  }

  /** What is left of `node`; each node survives once, under however many names. */
  private survivor(
    node: SimNode,
    kept: Map<Change, boolean>,
    done: Map<SimNode, SimNode>,
  ): SimNode {
    const before = done.get(node);
    if (before !== undefined) return before;
    if (node.kind === 'file') {
      const left = this.survivingFile(node);
      done.set(node, left);
      return left;
    }
    const directory = this.newDirectory();
    done.set(node, directory);
    const entries = new Map(node.synced);
    for (const change of node.changes) {
      if (!this.isKept(change, kept)) continue;
      for (const [name, entry] of change.entries) {
        if (entry === null) entries.delete(name);
        else entries.set(name, entry);
      }
    }
    for (const [name, entry] of entries) {
      directory.entries.set(name, this.survivor(entry, kept, done));
    }
    directory.synced = new Map(directory.entries);
    return directory;
  }

  private isKept(change: Change, kept: Map<Change, boolean>): boolean {
    const known = kept.get(change);
    if (known !== undefined) return known;
    const isKept =
      this.random.chance(0.5) && (change.after === null || this.isKept(change.after, kept));
    kept.set(change, isKept);
    return isKept;
  }

  private survivingFile({ bytes, sizeBytes, syncedBytes }: FileNode): FileNode {
    const pending = sizeBytes - syncedBytes;
    const way = pending === 0 ? 0 : this.random.below(4);
    const good = way === 0 ? pending : way === 1 ? 0 : this.random.below(pending + 1);
    // The length was written, the bytes weren't: zeros, or what the disk had there.
    const bad = way === 3 ? this.random.below(pending - good + 1) : 0;
    const left = bytes.slice(0, syncedBytes + good + bad);
    const rest = left.subarray(syncedBytes + good);
    if (this.random.chance(0.5)) rest.fill(0);
    else this.random.fill(rest);
    this.usedBytes += left.length;
    return {
      kind: 'file',
      inode: this.inodes++,
      bytes: left,
      sizeBytes: left.length,
      syncedBytes: left.length,
      modifiedNanos: this.now(),
    };
  }
}
