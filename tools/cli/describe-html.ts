/** The description as one self-contained page: no script, nothing fetched. */

import { grouped, reason } from './describe-text.ts';
import type { DescribedDevice, Description } from './description.ts';

/**
 * What the image's circle is drawn beside: the bench's rivals, both made from Debian 12's packages
 * by bench/linux-vm.ts, uncompressed as they boot fastest.
 */
const RIVALS = [
  { name: 'Linux + nginx', bytes: 63_408_176 },
  { name: 'Linux + Node 20', bytes: 162_290_628 },
] as const;
const RIVALS_SOURCE =
  'Linux: kernel (vmlinux of linux-image-6.1.0-56-cloud-amd64, 53.2 MB) and nginx in an initramfs ' +
  '(10.2 MB), or Node 20 on a disk (108.6 MB and 0.4 MB of initramfs), without content, as ' +
  '"npm run bench" builds and measures them from Debian 12 packages.';

const escaped = (text: string): string =>
  text.replace(/[&<>"]/g, (c) => ({ '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' })[c]!);

const megabytes = (bytes: number): string => `${(bytes / 1e6).toFixed(bytes < 1e7 ? 2 : 0)} MB`;

/** Circles whose areas are in the proportion of the bytes. */
export function scaleDrawing(name: string, bytes: number): string {
  const shapes = [{ name, bytes, ours: true }, ...RIVALS.map((r) => ({ ...r, ours: false }))];
  const radiusMax = 150;
  const most = Math.max(...shapes.map((shape) => shape.bytes));
  let x = 10;
  const drawn = shapes.map((shape) => {
    const radius = radiusMax * Math.sqrt(shape.bytes / most);
    const width = Math.max(2 * radius, 130);
    const centre = x + width / 2;
    x += width + 20;
    const label = `${escaped(shape.name)}</text><text x="${centre.toFixed(1)}" y="348">`;
    return `<circle class="${shape.ours ? 'ours' : 'rival'}" cx="${centre.toFixed(1)}" cy="${(
      310 - radius
    ).toFixed(1)}" r="${radius.toFixed(2)}"/>
<text x="${centre.toFixed(1)}" y="330">${label}${megabytes(shape.bytes)}</text>`;
  });
  return `<svg viewBox="0 0 ${x.toFixed(0)} 360" role="img" aria-label="image sizes to scale">
${drawn.join('\n')}
</svg>`;
}

/** How far a device is from the application: 1, or one more than the farthest that stands on it. */
function depths(devices: readonly DescribedDevice[]): Map<string, number> {
  const depth = new Map(devices.map((device) => [device.name, 1]));
  for (const device of [...devices].reverse()) {
    for (const need of device.needs) {
      depth.set(need, Math.max(depth.get(need) ?? 1, depth.get(device.name)! + 1));
    }
  }
  return depth;
}

const BOX = { width: 230, height: 62, gapX: 24, gapY: 46 } as const;

function graphDrawing(d: Description): string {
  const depth = depths(d.devices);
  const rows = new Map<number, DescribedDevice[]>();
  for (const device of d.devices) {
    const row = depth.get(device.name)!;
    rows.set(row, [...(rows.get(row) ?? []), device]);
  }
  const widest = Math.max(1, ...[...rows.values()].map((row) => row.length));
  const width = widest * (BOX.width + BOX.gapX);
  const at = new Map<string, { x: number; y: number }>();
  for (const [row, members] of rows) {
    members.forEach((device, i) => {
      const x = ((i + 0.5) * width) / members.length;
      at.set(device.name, { x, y: row * (BOX.height + BOX.gapY) });
    });
  }
  const app = { x: width / 2, y: 0 };
  const lines: string[] = [];
  for (const device of d.devices) {
    const to = at.get(device.name)!;
    if (device.named) lines.push(edge(app, to));
    for (const need of device.needs) lines.push(edge(to, at.get(need)!));
  }
  const boxes = d.devices.map((device) => {
    const { x, y } = at.get(device.name)!;
    return box(x, y, [device.name, device.kind, device.implementation]);
  });
  const height = (Math.max(0, ...rows.keys()) + 1) * (BOX.height + BOX.gapY);
  return `<svg viewBox="0 0 ${width} ${height}" role="img" aria-label="device graph">
${lines.join('\n')}
${box(app.x, app.y, [d.name, d.kind, `target ${d.target}`])}
${boxes.join('\n')}
</svg>`;
}

const edge = (from: { x: number; y: number }, to: { x: number; y: number }): string =>
  `<line x1="${from.x}" y1="${from.y + BOX.height}" x2="${to.x}" y2="${to.y + 1}"/>`;

function box(x: number, y: number, texts: readonly string[]): string {
  const lines = texts.map(
    (text, i) => `<text x="${x}" y="${y + 20 + i * 17}">${escaped(text)}</text>`,
  );
  const left = x - BOX.width / 2;
  return `<rect x="${left}" y="${y + 1}" width="${BOX.width}" height="${BOX.height}" rx="6"/>
${lines.join('\n')}`;
}

const rows = (cells: readonly (readonly string[])[]): string =>
  cells
    .map((row) => `<tr>${row.map((cell) => `<td>${escaped(cell)}</td>`).join('')}</tr>`)
    .join('\n');

const STYLE = `
:root { color-scheme: light dark; }
:root { --ink: #1d2733; --line: #8a97a6; --box: #eef2f6; --ours: #d9480f; --rival: #9fb3c8; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e3e9ef; --line: #6b7885; --box: #1f2933; --rival: #486581; }
}
body { font: 16px/1.5 system-ui, sans-serif; color: var(--ink); }
body { max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
svg { max-width: 100%; height: auto; max-height: 26rem; }
svg text { font: 13px system-ui, sans-serif; text-anchor: middle; fill: var(--ink); }
rect { fill: var(--box); stroke: var(--line); } line { stroke: var(--line); }
.ours { fill: var(--ours); } .rival { fill: var(--rival); }
table { border-collapse: collapse; } td { padding: .15rem 1rem .15rem 0; vertical-align: top; }
.num td:nth-child(2), .num td:nth-child(3) { text-align: right; }
.num { font-variant-numeric: tabular-nums; }
small { color: var(--line); }`;

export function formatHtml(d: Description): string {
  const parts = d.image.parts.map((part) => [part.name, grouped(part.bytes)]);
  const packages = d.packages.map((p) => [p.name, grouped(p.bytes), grouped(p.lines), reason(p)]);
  const args = Object.entries(d.args).map(([name, spec]) => [
    `--${name}`,
    spec.default === undefined ? 'required' : String(spec.default),
    spec.doc,
  ]);
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>${escaped(d.name)}: what is in the image</title>
<style>${STYLE}
</style>
<h1>${escaped(d.name)}</h1>
<h2>Devices</h2>
${graphDrawing(d)}
<h2>Size, to scale</h2>
${scaleDrawing(d.name, d.image.bytes)}
<p><small>Areas are bytes. This image: ${grouped(d.image.bytes)} bytes.
${escaped(RIVALS_SOURCE)}</small></p>
<h2>Image by part</h2>
<table class="num">
${rows([...parts, ['total', grouped(d.image.bytes)]])}
</table>
<h2>Packages</h2>
<table class="num">
${rows([['package', 'bytes', 'lines', 'why'], ...packages])}
</table>
<h2>Boot-time arguments</h2>
<table>
${rows(args)}
</table>
</html>
`;
}
