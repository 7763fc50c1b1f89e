/** What a tab has: a store in its memory, and a client that keeps it as the server's. */

import { tools } from 'morgana/browser';
import { counter, defineSchema, form, MemoryBackend, Repository } from 'morgana/store';
import { type SyncClient, syncClient, webSocketChannel } from 'morgana/sync';

export const schema = defineSchema({ counts: { '*': form.content('count', counter) } });
export const SCHEMA_NAME = 'counts 1';

const wait = (millis: number): Promise<void> =>
  new Promise((resolve) => {
    setTimeout(resolve, millis);
  });

/** One tab's, or one Node program's. */
export class Tab {
  readonly client: SyncClient<(typeof schema)['shape']>;
  private readonly repository: Repository<(typeof schema)['shape']>;

  constructor(url: string, name: string) {
    this.repository = Repository.open({
      ...tools,
      backend: new MemoryBackend(),
      author: { name, email: '' },
    }).with(schema);
    this.client = syncClient(this.repository, {
      ...tools,
      schema: SCHEMA_NAME,
      connect: () => webSocketChannel(url, tools.later),
    });
  }

  async add(name: string, count: number): Promise<void> {
    const path = ['counts', name] as const;
    const done = await this.repository.branch('main').withTree([], async (tree) => {
      const before = await tree.find(path);
      return before.ok ? tree.set(path, (before.value ?? 0) + count) : before;
    });
    if (!done.ok) throw new Error(done.error.kind);
  }

  /** Resolves when the state is `state` and, where it is given, the sum of all counts `sum`. */
  async reaches(state: string, sum?: number): Promise<void> {
    for (let tries = 0; tries < 600; tries++) {
      if (this.client.state === state && (sum === undefined || (await this.sum()) === sum)) return;
      await wait(50);
    }
    throw new Error(`${this.client.state}, ${await this.sum()}`);
  }

  async sum(): Promise<number> {
    const counts = await this.counts();
    return Object.values(counts).reduce((sum, count) => sum + count, 0);
  }

  async counts(): Promise<Record<string, number>> {
    const store = this.repository.branch('main');
    const listed = await store.list(['counts']);
    const counts: Record<string, number> = {};
    for (const { step } of listed.ok ? listed.value : []) {
      const found = await store.find(['counts', step]);
      if (found.ok && found.value !== undefined) counts[step] = found.value;
    }
    return counts;
  }

  async head(): Promise<string | null> {
    const head = await this.repository.headOf('main');
    return head.ok ? head.value : null;
  }
}

/** In a page: `tab` of the window. */
export const openTab = (url: string, name: string): void => {
  (globalThis as { tab?: Tab }).tab = new Tab(url, name);
};
