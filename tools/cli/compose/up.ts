/** `morgana compose up`: in this terminal, or under a supervisor in the background. */

import { spawn } from 'node:child_process';
import { EXIT_OK, Failure } from '../failure.ts';
import { shown } from '../places.ts';
import { type ComposeProject, loadCompose } from './compose-file.ts';
import { lineFormat } from './output.ts';
import { StopSignal } from './stop-signal.ts';
import { type Output, Supervisor } from './supervisor.ts';

/** In the environment of the supervisor in the background; its parent hears of it by IPC. */
const DETACHED_VARIABLE = 'MORGANA_COMPOSE_DETACHED';

/** What the supervisor in the background tells who started it, until all is up. */
type Told =
  | { readonly kind: 'say'; readonly text: string }
  | { readonly kind: 'up' }
  | {
      readonly kind: 'failed';
      readonly what: string;
      readonly exitCode: number;
      readonly detail: readonly string[];
    }
  | { readonly kind: 'ended'; readonly exitCode: number };

export async function up(file: string | null, detach: boolean): Promise<number> {
  const isSupervisor = process.env[DETACHED_VARIABLE] !== undefined && process.send !== undefined;
  if (isSupervisor) return superviseDetached(file);
  const stop = new StopSignal();
  try {
    const project = await loadCompose(file);
    if (detach) return await startDetached(project, stop);
    const code = await new Supervisor(project, terminal(project, stop), stop, false).run();
    // A build that nobody waits for any more would hold the prompt.
    return stop.isAsked ? process.exit(code) : code;
  } finally {
    stop.close();
  }
}

const say = (text: string): void => {
  process.stderr.write(`morgana: ${text}\n`);
};

function terminal({ config }: ComposeProject, stop: StopSignal): Output {
  const { stdout } = process;
  const format = lineFormat(config.order, stdout.isTTY === true);
  // Its reader has left: nobody would see what runs on.
  stdout.on('error', () => stop.stop(EXIT_OK));
  return {
    line: (line) => void stdout.write(format(line)),
    say,
    up: () => say(`${config.name} is up; Ctrl-C takes it down`),
  };
}

/** Until all is up, or can't be. */
async function startDetached({ config, file }: ComposeProject, stop: StopSignal): Promise<number> {
  const args = [...process.execArgv, process.argv[1]!, 'compose', 'up', `--file=${file}`];
  const child = spawn(process.execPath, args, {
    detached: true,
    stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
    env: { ...process.env, [DETACHED_VARIABLE]: '1' },
  });
  void stop.asked.then(() => child.kill('SIGTERM'));
  void stop.insisted.then(() => child.kill('SIGTERM'));
  const ended = await new Promise<Told>((resolve, reject) => {
    child.once('error', reject);
    child.on('message', (told: Told) => {
      if (told.kind === 'say') say(told.text);
      else resolve(told);
    });
    child.once('exit', (code, signal) =>
      reject(new Failure({ what: `its supervisor ended with ${code ?? signal}` })),
    );
  });
  if (ended.kind === 'failed') {
    throw new Failure({ what: ended.what, detail: ended.detail }, ended.exitCode);
  }
  if (child.connected) child.disconnect();
  child.unref();
  if (ended.kind === 'ended') return ended.exitCode;
  const where = `--file=${shown(file)}`;
  say(`${config.name} is up in the background (process ${child.pid}): morgana compose ps ${where}`);
  return EXIT_OK;
}

/** Nobody would see its trace otherwise. */
const bugOf = ({ message, stack }: Error): Failure =>
  new Failure({ what: message, detail: (stack ?? '').split('\n') });

/** The process in the background. Who started it may leave once all is up, not before. */
async function superviseDetached(file: string | null): Promise<number> {
  const stop = new StopSignal();
  let isUp = false;
  const tell = (told: Told): void => {
    if (process.connected) process.send?.(told, () => {});
  };
  process.once('disconnect', () => {
    if (!isUp) stop.stop(EXIT_OK);
  });
  const output: Output = {
    line: () => {},
    say: (text) => {
      if (!isUp) tell({ kind: 'say', text });
    },
    up: () => {
      isUp = true;
      tell({ kind: 'up' });
    },
  };
  try {
    const exitCode = await new Supervisor(await loadCompose(file), output, stop, true).run();
    tell({ kind: 'ended', exitCode });
    return stop.isAsked && !process.connected ? process.exit(exitCode) : exitCode;
  } catch (error) {
    const known = error instanceof Failure ? error : bugOf(error as Error);
    const { message: what, exitCode, detail } = known;
    tell({ kind: 'failed', what, exitCode, detail });
    return exitCode;
  } finally {
    stop.close();
    if (process.connected) process.disconnect();
  }
}
