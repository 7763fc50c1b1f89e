/** Asks a project that is up. What is said: messages.ts. */

import net from 'node:net';
import { Failure } from '../failure.ts';
import { MESSAGE_CHARACTERS_MAX } from './limits.ts';
import { LineSplitter } from './line-splitter.ts';
import type { ComposeAnswer, ComposeAsk, NamedLine } from './messages.ts';
import type { ProjectPlaces } from './project-directory.ts';

/** The answer's value; a Failure when there is none within `patienceMs`, 0: ever. */
export function askProject(
  { info, controlSocket }: ProjectPlaces,
  ask: ComposeAsk,
  patienceMs: number,
  line: (line: NamedLine) => void = () => {},
): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const socket = net.connect(controlSocket);
    const fail = (what: string): void => {
      reject(new Failure({ what }));
      socket.destroy();
    };
    const hangs = `the project '${info.name}' (process ${info.pid}) does not answer`;
    const late = patienceMs === 0 ? undefined : setTimeout(() => fail(hangs), patienceMs);
    const splitter = new LineSplitter(MESSAGE_CHARACTERS_MAX, (text) => {
      const answer = JSON.parse(text) as ComposeAnswer;
      if ('line' in answer) return line(answer.line);
      if ('error' in answer) return fail(answer.error);
      resolve(answer.value);
      socket.destroy();
    });
    socket.once('connect', () => socket.write(`${JSON.stringify(ask)}\n`));
    socket.on('data', (chunk: Buffer) => splitter.push(chunk));
    socket.on('error', () => fail(hangs));
    socket.on('close', () => {
      clearTimeout(late);
      reject(new Failure({ what: `the project '${info.name}' closed the connection` }));
    });
  });
}
