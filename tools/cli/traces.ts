/**
 * Places in an application's scripts, as traces have them, and where that is in its sources: by
 * the source maps of the last few versions, since an old one may still be running.
 */

import { SourceMap, type SourceMapping } from 'node:module';
import path from 'node:path';
import { Transform, type TransformCallback } from 'node:stream';
import { StringDecoder } from 'node:string_decoder';
import { SCRIPT_NAME, type Script } from './build-script.ts';
import { shown } from './places.ts';

const SCRIPTS_MAX = 32;
/** As "<input>:10:5": line and column from 1. */
const PLACE = new RegExp(`${SCRIPT_NAME}:(\\d+)(?::(\\d+))?`, 'g');

/** Whether a line of a trace names a place in a script. */
export const isOfScript = (line: string): boolean => line.search(PLACE) >= 0;

type Placed = Pick<Script, 'firstLine' | 'lineCount' | 'sourceMap' | 'home'>;

export class Traces {
  /** The latest first. */
  private readonly scripts: (Placed & { readonly map: SourceMap })[] = [];

  /** Remembers a version; the oldest goes when there are more than a few. */
  add(script: Placed): void {
    this.scripts.unshift({ ...script, map: new SourceMap(JSON.parse(script.sourceMap)) });
    if (this.scripts.length > SCRIPTS_MAX) this.scripts.pop();
  }

  /** `text` with the places that are known in the sources'. */
  explain(text: string): string {
    return text.replace(PLACE, (place, lineText: string, columnText?: string) => {
      const line = Number(lineText) - 1;
      const script = this.scripts.find(
        ({ firstLine, lineCount }) => line >= firstLine && line < firstLine + lineCount,
      );
      if (script === undefined) return place;
      const found = script.map.findEntry(line - script.firstLine, Number(columnText ?? 1) - 1);
      if (!('originalSource' in found)) return place;
      const { originalSource, originalLine, originalColumn } = found as SourceMapping;
      const file = shown(path.resolve(script.home, originalSource));
      return `${file}:${originalLine + 1}:${originalColumn + 1}`;
    });
  }
}

/** Passes a console on, with its lines explained. */
export class ExplainedLines extends Transform {
  private readonly traces: Traces;
  private readonly decoder = new StringDecoder('utf8');
  private rest = '';

  constructor(traces: Traces) {
    super();
    this.traces = traces;
  }

  override _transform(chunk: Buffer, _: BufferEncoding, done: TransformCallback): void {
    const text = this.rest + this.decoder.write(chunk);
    const end = text.lastIndexOf('\n') + 1;
    this.rest = text.slice(end);
    done(null, this.traces.explain(text.slice(0, end)));
  }

  override _flush(done: TransformCallback): void {
    done(null, this.traces.explain(this.rest + this.decoder.end()));
  }
}
