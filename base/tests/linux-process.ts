/** Images on process-test.elf as Linux processes, and how they end. */
import { spawn } from 'node:child_process';
import * as fs from 'node:fs';
import * as net from 'node:net';
import * as path from 'node:path';
import { payloadOf } from './pack.mjs';
import { imageFile, source, work } from './vm.ts';

const LIFE_MILLIS_MAX = 120_000;

export interface ProcessEnd {
  readonly code: number | null;
  readonly signal: string | null;
  readonly text: string;
  readonly complaint: string;
}

/** The image of a behaviour; `base` an ELF of build/base. */
export function processImage(behaviour: string, base = 'process.elf'): string {
  const file = imageFile(payloadOf([source(behaviour)]), base);
  fs.chmodSync(file, 0o755);
  return file;
}

export function runProcess(image: string, words: readonly string[]): Promise<ProcessEnd> {
  const child = spawn(image, words, { stdio: ['ignore', 'pipe', 'pipe'] });
  let text = '';
  let complaint = '';
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk;
  });
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
    complaint += chunk;
  });
  const timer = setTimeout(() => child.kill('SIGKILL'), LIFE_MILLIS_MAX);
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code, signal) => {
      clearTimeout(timer);
      resolve({ code, signal, text, complaint });
    });
  });
}

/** A UNIX socket that takes connections and says nothing. */
export async function silentPeer(): Promise<{ path: string; close(): void }> {
  const place = path.join(work, 'peer');
  const sockets: net.Socket[] = [];
  const server = net.createServer((socket) => {
    sockets.push(socket);
    socket.on('error', () => socket.destroy());
  });
  await new Promise<void>((resolve) => server.listen(place, resolve));
  return {
    path: place,
    close: () => {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}
