/** What a simulated file system is made of, and its open files. Read first: sim-file-system.ts. */

import { assert, err, ok, type Result } from '#core';
import type { FileError, FileStat, OpenFile, OpenMode } from '#device';
import type { SimFileSystem } from './sim-file-system.ts';

export interface FileNode {
  readonly kind: 'file';
  readonly inode: bigint;
  bytes: Uint8Array;
  sizeBytes: number;
  syncedBytes: number;
  modifiedNanos: bigint;
}

/** One change that a crash may undo: an entry of this directory, or two of a rename within it. */
export interface Change {
  readonly entries: readonly (readonly [name: string, node: SimNode | null])[];
  /** A change elsewhere without which this one isn't kept. */
  readonly after: Change | null;
}

export interface DirectoryNode {
  readonly kind: 'directory';
  readonly inode: bigint;
  readonly entries: Map<string, SimNode>;
  synced: Map<string, SimNode>;
  changes: Change[];
  readonly watchers: Set<() => void>;
  modifiedNanos: bigint;
}

export type SimNode = FileNode | DirectoryNode;

export class SimFile implements OpenFile {
  readonly path: string;
  private readonly files: SimFileSystem;
  private readonly node: FileNode;
  private readonly mode: OpenMode;
  private isOpen = true;

  constructor(files: SimFileSystem, path: string, node: FileNode, mode: OpenMode) {
    this.files = files;
    this.path = path;
    this.node = node;
    this.mode = mode;
  }

  read(at: number, into: Uint8Array): Result<number, FileError> {
    assert(this.isOpen && (this.mode === 'read' || this.mode === 'scratch'), 'open for reading');
    this.files.check();
    const { bytes, sizeBytes } = this.node;
    const part = bytes.subarray(Math.min(at, sizeBytes), Math.min(at + into.length, sizeBytes));
    into.set(part);
    return ok(part.length);
  }

  append(bytes: Uint8Array): Result<void, FileError> {
    assert(this.isOpen && this.mode !== 'read', 'open for writing');
    return this.files.appendTo(this.path, this.node, bytes);
  }

  write(at: number, bytes: Uint8Array): Result<void, FileError> {
    assert(this.isOpen && this.mode === 'scratch', 'open for writing over');
    assert(at + bytes.length <= this.node.sizeBytes, 'over what is there');
    const failed = this.files.step(this.path);
    if (failed !== null) return err(failed);
    this.node.bytes.set(bytes, at);
    this.node.syncedBytes = Math.min(this.node.syncedBytes, at);
    return ok(undefined);
  }

  stat(): Result<FileStat, FileError> {
    assert(this.isOpen, 'stat: open');
    this.files.check();
    return ok(statOf(this.node));
  }

  sync(): Result<void, FileError> {
    assert(this.isOpen, 'sync: open');
    const failed = this.files.step(this.path);
    if (failed !== null) return err(failed);
    this.node.syncedBytes = this.node.sizeBytes;
    return ok(undefined);
  }

  close(): void {
    if (this.isOpen) this.files.openCount--;
    this.isOpen = false;
  }
}

export const statOf = (node: SimNode): FileStat => ({
  kind: node.kind,
  sizeBytes: node.kind === 'file' ? node.sizeBytes : 0,
  modifiedNanos: node.modifiedNanos,
  inode: node.inode,
});

/** What is in it and below, parents first. */
export function* contentsOf(
  directory: DirectoryNode,
  prefix: string,
): Generator<{ path: string; bytes: Uint8Array | null }> {
  for (const [name, node] of directory.entries) {
    const path = prefix + name;
    if (node.kind === 'file') {
      yield { path, bytes: node.bytes.subarray(0, node.sizeBytes) };
    } else {
      yield { path, bytes: null };
      yield* contentsOf(node, `${path}/`);
    }
  }
}
