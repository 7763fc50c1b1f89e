/**
 * Devices as a program declares them: a graph whose nodes are specifications (plain data) and whose
 * edges are "needs". Not here: their implementations, which each target chooses at build time.
 */

import type { BlockDevice, KvReadOnly, KvReadWrite, NetDevice, Stack } from '#device';
import type { Repository } from '#store';
import type { VersionedArp } from '#versioned-arp';
import type { TlsClient } from './tls/tls-client.ts';
import type { TlsServer } from './tls/tls-server.ts';

/** Each kind of device and what `start` gets for it. */
export interface DeviceKinds {
  'net.ethernet': NetDevice;
  'net.stack': Stack;
  'net.versionedArp': VersionedArp;
  'kv.directory': KvReadOnly;
  'kv.tar': KvReadOnly;
  'kv.commit': KvReadOnly;
  'kv.store': KvReadWrite;
  disk: BlockDevice;
  'disk.optional': BlockDevice | null;
  'store.block': Repository;
  'store.optional': Repository | null;
  'store.memory': Repository;
  'net.management': ManagementPort;
  'tls.server': TlsServer;
  'tls.acme': TlsServer;
  'tls.client': TlsClient;
}

/** What operators have over the network. */
export interface ManagementPort {
  /** Where it listens; null: off at this boot. */
  readonly port: number | null;
}

export type DeviceKind = keyof DeviceKinds;

export interface DeviceSpec<K extends DeviceKind = DeviceKind> {
  readonly kind: K;
  readonly options: Readonly<Record<string, string | number | boolean>>;
  readonly needs: readonly DeviceSpec[];
  /** "file:line" of the declaration, null when it is implied by another device. */
  readonly declaredAt: string | null;
}

export type DeviceSpecs = { readonly [name: string]: DeviceSpec };

export type DeviceValues<D extends DeviceSpecs> = {
  readonly [N in keyof D]: DeviceKinds[D[N]['kind']];
};

export function declareDevice<K extends DeviceKind>(
  kind: K,
  options: DeviceSpec['options'],
  needs: readonly DeviceSpec[],
  declaredAt: string | null,
): DeviceSpec<K> {
  return { kind, options, needs, declaredAt };
}

/** A device in connecting order: what it needs stands before it, by index. */
export interface DeviceNode {
  /** The name in the configuration, or the kind's when only implied. */
  readonly name: string;
  readonly kind: DeviceKind;
  readonly options: DeviceSpec['options'];
  readonly needs: readonly number[];
  readonly declaredAt: string | null;
  /** True when `start` receives it under `name`. */
  readonly named: boolean;
}

/** The graph flattened so that each device stands once, after all that it needs. O(devices). */
export function deviceOrder(devices: DeviceSpecs): readonly DeviceNode[] {
  const nodes: DeviceNode[] = [];
  const placed = new Map<DeviceSpec, number>();
  const names = new Map(Object.entries(devices).map(([name, spec]) => [spec, name]));
  const place = (spec: DeviceSpec): number => {
    const before = placed.get(spec);
    if (before !== undefined) return before;
    const needs = spec.needs.map(place);
    const name = names.get(spec);
    const { kind, options, declaredAt } = spec;
    nodes.push({ name: name ?? kind, kind, options, needs, declaredAt, named: name !== undefined });
    placed.set(spec, nodes.length - 1);
    return nodes.length - 1;
  };
  for (const spec of Object.values(devices)) place(spec);
  return nodes;
}
