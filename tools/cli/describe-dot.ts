/** The device graph for Graphviz: arrows point from a device to what it stands on. */

import type { Description } from './description.ts';

export function formatDot(d: Description): string {
  const quote = (text: string): string => JSON.stringify(text);
  const lines = [`digraph ${quote(d.name)} {`, '  rankdir=TB;', '  node [shape=box];'];
  lines.push(`  app [label=${quote(d.name)}, shape=ellipse];`);
  for (const device of d.devices) {
    const id = quote(`device ${device.name}`);
    const label = `${device.name}\n${device.kind}\n${device.implementation}`;
    lines.push(`  ${id} [label=${quote(label)}];`);
    if (device.named) lines.push(`  app -> ${id};`);
    for (const need of device.needs) lines.push(`  ${id} -> ${quote(`device ${need}`)};`);
  }
  return [...lines, '}', ''].join('\n');
}
