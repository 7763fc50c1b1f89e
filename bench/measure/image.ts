/**
 * Bytes of the image as it would be shipped, without the site's content: ours is one file; a
 * rival's is its kernel and its initramfs. Raw and compressed with gzip and xz.
 */
import { stat } from 'node:fs/promises';
import type { MachineName } from '../machines.ts';
import { progress, run } from '../process.ts';
import { addSample, type Line } from '../results.ts';

export interface ImageParts {
  name: MachineName;
  files: readonly string[];
}

export async function measureImage(images: readonly ImageParts[], quick: boolean): Promise<Line[]> {
  const forms = [
    ['image', 'image without the content', bytesOf],
    ['image-gzip', 'the same through gzip -9', (file: string) => compressed('gzip', file)],
    ['image-xz', 'the same through xz -6', (file: string) => compressed('xz', file)],
  ] as const;
  const lines: Line[] = [];
  for (const [id, what, measure] of forms) {
    // xz takes a minute on the rivals' images.
    if (quick && id === 'image-xz') continue;
    progress(what);
    const line: Line = { id, what, unit: 'bytes', net: null, better: 'less', samples: {} };
    for (const image of images) {
      let total = 0;
      for (const file of image.files) total += await measure(file);
      addSample(line, image.name, total);
    }
    lines.push(line);
  }
  return lines;
}

async function bytesOf(file: string): Promise<number> {
  return (await stat(file)).size;
}

async function compressed(program: 'gzip' | 'xz', file: string): Promise<number> {
  const level = program === 'gzip' ? '-9' : '-6';
  const script = '"$0" "$1" -c < "$2" | wc -c';
  return Number(await run('sh', ['-c', script, program, level, file], { timeoutMs: 300_000 }));
}
