/** The words of `morgana store` that read. */

import { HEADS } from '#git';
import type { Commit, TreeChange } from '#store';
import { EXIT_OK, Failure } from '../failure.ts';
import { shown } from '../places.ts';
import {
  commitText,
  jsonCommit,
  jsonContents,
  jsonSide,
  modeText,
  must,
  safe,
  shortId,
} from './answers.ts';
import type { OpenStore } from './open.ts';
import { pathOf, pathText } from './path-text.ts';
import { commitNamed } from './revision.ts';

export async function get(opened: OpenStore, word: string, json: boolean): Promise<number> {
  const path = pathOf(word);
  const kind = must(opened, await opened.store.kind(path));
  if (kind === 'tree') {
    const what = path.length === 0 ? 'the root is a tree' : `${pathText(path)} is a tree`;
    throw new Failure({ what, mend: 'name contents: "morgana store list" shows them' });
  }
  const bytes = must(opened, await opened.store.get(path));
  if (json) opened.out.json({ path, ...jsonContents(bytes) });
  else opened.out.bytes(bytes);
  return EXIT_OK;
}

const KINDS = { contents: 'FILE', tree: 'DIR', submodule: 'SUBMODULE' } as const;

export async function list(opened: OpenStore, word: string, json: boolean): Promise<number> {
  const path = pathOf(word);
  await needTree(opened, word);
  const entries = must(opened, await opened.store.list(path));
  if (json) opened.out.json(entries);
  else
    opened.out.text(
      entries.map(({ step, kind }) => `${KINDS[kind]} ${pathText([step])}\n`).join(''),
    );
  return EXIT_OK;
}

export async function tree(opened: OpenStore, word: string, json: boolean): Promise<number> {
  const path = pathOf(word);
  await needTree(opened, word);
  const root = must(opened, await opened.store.findTree(path));
  const lines: string[] = [];
  const items: object[] = [];
  if (root !== undefined) {
    for await (const item of root.walk()) {
      const { path: at, kind, mode, id } = must(opened, item);
      items.push({ path: at, kind, mode: modeText(mode), id });
      const indent = '  '.repeat(at.length - 1);
      lines.push(`${indent}${pathText([at.at(-1)!])}${kind === 'tree' ? '/' : ''}\n`);
    }
  }
  if (json) opened.out.json(items);
  else opened.out.text(lines.join(''));
  return EXIT_OK;
}

async function needTree(opened: OpenStore, word: string): Promise<void> {
  const path = pathOf(word);
  const kind = must(opened, await opened.store.kind(path));
  if (path.length === 0 || kind === 'tree') return;
  const text = pathText(path);
  const what = kind === undefined ? `nothing is at ${text}` : `${text} is no tree`;
  const mend = kind === undefined ? 'see "morgana store tree"' : 'see "morgana store get"';
  throw new Failure({ what, where: `branch ${opened.branch} of ${shown(opened.root)}`, mend });
}

export async function branches(opened: OpenStore, json: boolean): Promise<number> {
  const { repository, backend } = opened;
  const current = must(opened, await repository.currentBranch());
  const found: { name: string; head: string; current: boolean }[] = [];
  for (const name of must(opened, await repository.branches())) {
    const head = must(opened, await repository.headOf(name));
    // Else it was removed meanwhile.
    if (head !== null) found.push({ name, head, current: name === current });
  }
  // As Git: the others are there.
  const broken = await backend.listBrokenRefs(HEADS);
  for (const { name, what } of broken.ok ? broken.value : []) {
    opened.out.note(`warning: ignoring broken ref ${safe(name)}: ${safe(what)}\n`);
  }
  if (json) opened.out.json(found);
  else {
    const lines = found.map(
      (branch) => `${branch.current ? '*' : ' '} ${safe(branch.name)} ${shortId(branch.head)}\n`,
    );
    opened.out.text(lines.join(''));
  }
  return EXIT_OK;
}

export async function log(
  opened: OpenStore,
  word: string | undefined,
  count: number | null,
  json: boolean,
): Promise<number> {
  const { store } = opened;
  const countMax = count ?? Number.POSITIVE_INFINITY;
  const commits = [];
  if (word !== undefined) {
    const path = pathOf(word);
    commits.push(...must(opened, await store.lastModified(path, { count: countMax })));
    if (commits.length === 0 && countMax > 0) {
      const what = `nothing was ever at ${pathText(path)}`;
      throw new Failure({ what, where: `branch ${safe(opened.branch)} of ${shown(opened.root)}` });
    }
  } else {
    for await (const commit of store.history(count === null ? {} : { countMax: count })) {
      const next = must(opened, commit);
      if (json) commits.push(next);
      else opened.out.text(`${commits.length++ > 0 ? '\n' : ''}${commitText(next)}`);
    }
    if (!json) return EXIT_OK;
  }
  if (json) opened.out.json(commits.map(jsonCommit));
  else opened.out.text(commits.map(commitText).join('\n'));
  return EXIT_OK;
}

const SIGNS = { added: '+', removed: '-', updated: '*' } as const;

export const changeLine = ({ kind, path }: Pick<TreeChange, 'kind' | 'path'>): string =>
  `${SIGNS[kind]} ${pathText(path)}\n`;

/** What makes the tree of `to` of that of `from`; with one revision, of its first parent's. */
export async function diff(
  opened: OpenStore,
  from: string | undefined,
  to: string | undefined,
  json: boolean,
): Promise<number> {
  const { repository } = opened;
  const after = must(
    opened,
    await repository.commit(await commitNamed(opened, to ?? from ?? opened.branch)),
  );
  const [parent] = after.parents;
  const base = to === undefined ? parent : await commitNamed(opened, from!);
  const before = base === undefined ? null : must(opened, await repository.commit(base));
  const start = before === null ? repository.emptyTree() : repository.treeOf(before.tree);
  const changes: ReturnType<typeof jsonChange>[] = [];
  for await (const change of start.diff(repository.treeOf(after.tree))) {
    const next = must(opened, change);
    if (json) changes.push(jsonChange(next));
    else opened.out.text(changeLine(next));
  }
  if (json) opened.out.json(changes);
  return EXIT_OK;
}

const jsonChange = ({ path, kind, before, after }: TreeChange) => {
  return { path, kind, before: jsonSide(before), after: jsonSide(after) };
};

/** The history of all branches as a graph for `dot`, or as its nodes. */
export async function graph(
  opened: OpenStore,
  count: number | null,
  json: boolean,
): Promise<number> {
  const { repository, out } = opened;
  const branches: { name: string; head: string }[] = [];
  const commits = new Map<string, Commit>();
  for (const name of must(opened, await repository.branches())) {
    const store = repository.branch(name);
    let isFirst = true;
    for await (const item of store.history(count === null ? {} : { countMax: count })) {
      const commit = must(opened, item);
      if (isFirst) branches.push({ name, head: commit.id });
      isFirst = false;
      commits.set(commit.id, commit);
    }
  }
  if (json) out.json({ branches, commits: [...commits.values()].map(jsonCommit) });
  else out.text(dotOf(branches, commits.values()));
  return EXIT_OK;
}

function dotOf(
  branches: readonly { readonly name: string; readonly head: string }[],
  commits: Iterable<Commit>,
): string {
  const lines = ['digraph store {', '  node [shape=box, fontname=monospace];', '  rankdir=BT;'];
  for (const { name, head } of branches) {
    const label = JSON.stringify(safe(name));
    lines.push(`  ${label} [shape=ellipse];`, `  ${label} -> "${head}";`);
  }
  for (const { id, message, parents } of commits) {
    const [subject = ''] = message.split('\n', 1);
    const text = JSON.stringify(`${shortId(id)} ${safe(subject)}`);
    lines.push(`  "${id}" [label=${text}];`);
    for (const parent of parents) lines.push(`  "${id}" -> "${parent}";`);
  }
  return `${lines.join('\n')}\n}\n`;
}
