/**
 * What is in an image, why, and what it costs: plain data, made by a build and carried by the
 * image itself. It stands after the ELF file's last segment, so no loader reads it and it costs
 * the machine no memory: JSON in UTF-8, its length (u32, little-endian), and eight bytes of magic.
 */

import { readFileSync } from 'node:fs';
import type { ArgSpecs } from '../../packages/morgana/arguments.ts';
import type { DeviceKind } from '../../packages/morgana/devices.ts';
import { Failure } from './failure.ts';
import type { PackageCost } from './import-graph.ts';
import { shown } from './places.ts';
import type { Target } from './verbs.ts';

export const DESCRIPTION_FORMAT = 1;

export interface DescribedDevice {
  readonly name: string;
  readonly kind: DeviceKind;
  /** True when the application receives it; false when it only stands under another. */
  readonly named: boolean;
  /** What implements it on this target. */
  readonly implementation: string;
  /** Names of the devices that it stands on. */
  readonly needs: readonly string[];
}

/** A disk that must be attached, unless it is optional. */
export interface DescribedDisk {
  readonly name: string;
  readonly bytesMin: number;
  readonly readOnly: boolean;
  readonly optional?: boolean;
}

export interface DescribedPackage extends PackageCost {
  /** The chain of imports that pulled it in, from the application's side. */
  readonly because: readonly string[];
}

export interface Part {
  /** "base", "engine", "content", or a package of `packages`. */
  readonly name: string;
  readonly bytes: number;
}

export interface Description {
  readonly format: typeof DESCRIPTION_FORMAT;
  readonly name: string;
  readonly kind: 'static' | 'handler' | 'devices';
  readonly target: Target;
  readonly devices: readonly DescribedDevice[];
  readonly packages: readonly DescribedPackage[];
  readonly args: ArgSpecs;
  readonly capabilities: {
    /** Arguments that name ports it listens on, with their defaults. */
    readonly ports: readonly { readonly arg: string; readonly default: number | null }[];
    readonly network: readonly string[];
    readonly disks: readonly DescribedDisk[];
    readonly content: readonly {
      readonly device: string;
      readonly files: number;
      readonly bytes: number;
    }[];
  };
  /** Bytes of the image by part, without this description; null for the node target. */
  readonly image: { readonly bytes: number; readonly parts: readonly Part[] };
}

const MAGIC = 'MORGDESC';
const TRAILER_BYTES = 4 + MAGIC.length;

/** `image` with its description behind it. */
export function appendDescription(image: Uint8Array, description: Description): Uint8Array {
  const json = new TextEncoder().encode(JSON.stringify(description));
  const out = new Uint8Array(image.length + json.length + TRAILER_BYTES);
  out.set(image);
  out.set(json, image.length);
  const lengthAt = image.length + json.length;
  new DataView(out.buffer).setUint32(lengthAt, json.length, true);
  out.set(new TextEncoder().encode(MAGIC), lengthAt + 4);
  return out;
}

/** The description behind an image, or null when there is none that this version reads. */
export function findDescription(image: Uint8Array): Description | null {
  const magicAt = image.length - MAGIC.length;
  if (magicAt < 4) return null;
  const text = new TextDecoder();
  if (text.decode(image.subarray(magicAt)) !== MAGIC) return null;
  const view = new DataView(image.buffer, image.byteOffset, image.byteLength);
  const jsonBytes = view.getUint32(magicAt - 4, true);
  if (jsonBytes > magicAt - 4) return null;
  const json = text.decode(image.subarray(magicAt - 4 - jsonBytes, magicAt - 4));
  return parseDescription(json);
}

export function parseDescription(json: string): Description | null {
  try {
    const value: { format?: unknown } | null = JSON.parse(json);
    return value?.format === DESCRIPTION_FORMAT ? (value as Description) : null;
  } catch {
    return null;
  }
}

/** From a file: an image, or what `describe --json` printed. */
export function readDescription(file: string): Description {
  const bytes = readFileSync(file);
  const found = file.endsWith('.json')
    ? parseDescription(bytes.toString())
    : findDescription(bytes);
  if (found !== null) return found;
  throw new Failure({
    what: `${shown(file)} has no description that this version reads`,
    mend: 'build it again with this version of morgana',
  });
}
