/**
 * Pebble, Let's Encrypt's test server for ACME (Debian's package `pebble`), on loopback ports of
 * its own, with a certificate of the tests' own for its HTTPS. It ends with this process.
 */

import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import https from 'node:https';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { wallTimeOfMillis } from '#core';
import type { Entropy } from '#device';
import { nodeCrypto } from '#targets/node/crypto';
import { CertificateAuthority, pemEncode, privateKeyToPem } from '#x509';
import { freePort } from '../cli/cli.ts';
import { leashed } from './machine.ts';

const PEBBLE = '/usr/bin/pebble';
const READY_MILLIS_MAX = 60_000;
const YEAR_MILLIS = 365 * 86_400_000;

export const noPebble: string | false = existsSync(PEBBLE)
  ? false
  : 'pebble is not installed; npm run setup';

export interface PebbleOptions {
  readonly entropy: Entropy;
  /** Where it finds its names: a port on 127.0.0.1. */
  readonly dnsPort: number;
  /** Where it looks for http-01 and tls-alpn-01. */
  readonly httpPort: number;
  readonly tlsPort: number;
  /** MAC keys by their name, base64url; null: no account binding. */
  readonly externalAccounts?: Readonly<Record<string, string>>;
  /** Percent of the good nonces that it refuses. */
  readonly nonceReject?: number;
}

export class Pebble {
  /** The URL of the directory. */
  readonly directory: string;
  /** In PEM: who signed the certificate of its HTTPS. */
  readonly httpsRoot: string;
  private readonly child: ChildProcess;
  private readonly folder: string;
  private readonly managementPort: number;
  private output = '';

  private constructor(
    options: PebbleOptions,
    ports: readonly [number, number],
    folder: string,
    httpsRoot: string,
  ) {
    this.folder = folder;
    this.httpsRoot = httpsRoot;
    this.managementPort = ports[1];
    this.directory = `https://127.0.0.1:${ports[0]}/dir`;
    const words = ['-config', path.join(folder, 'pebble.json')];
    const [command, args] = leashed(PEBBLE, [
      ...words,
      '-dnsserver',
      `127.0.0.1:${options.dnsPort}`,
    ]);
    this.child = spawn(command, args, {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: {
        PEBBLE_VA_NOSLEEP: '1',
        PEBBLE_AUTHZREUSE: '0',
        PEBBLE_WFE_NONCEREJECT: String(options.nonceReject ?? 0),
      },
    });
    for (const stream of [this.child.stdout!, this.child.stderr!]) {
      stream.setEncoding('utf8').on('data', (text: string) => {
        this.output += text;
      });
    }
  }

  static async start(options: PebbleOptions): Promise<Pebble> {
    const folder = mkdtempSync(path.join(tmpdir(), 'morgana-pebble-'));
    const ports = [await freePort(), await freePort()] as const;
    const httpsRoot = writeCertificate(folder, options.entropy);
    const external = options.externalAccounts;
    const pebble = {
      listenAddress: `127.0.0.1:${ports[0]}`,
      managementListenAddress: `127.0.0.1:${ports[1]}`,
      certificate: path.join(folder, 'cert.pem'),
      privateKey: path.join(folder, 'key.pem'),
      httpPort: options.httpPort,
      tlsPort: options.tlsPort,
      externalAccountBindingRequired: external !== undefined,
      externalAccountMACKeys: external ?? {},
    };
    writeFileSync(path.join(folder, 'pebble.json'), JSON.stringify({ pebble }));
    const made = new Pebble(options, ports, folder, httpsRoot);
    await made.ready();
    return made;
  }

  stop(): void {
    this.child.kill();
    rmSync(this.folder, { recursive: true, force: true });
  }

  /** The root of the certificates that it issues, PEM; made anew by each process. */
  root(): Promise<string> {
    return this.ask('/roots/0');
  }

  /** 'Valid' or 'Revoked', with the reason's number. */
  async status(serial: Uint8Array): Promise<{ Status: string; Reason?: number }> {
    // A number, in hexadecimal.
    const hex = Buffer.from(serial).toString('hex').replace(/^0+/, '');
    return JSON.parse(await this.ask(`/cert-status-by-serial/${hex}`));
  }

  private async ready(): Promise<void> {
    for (let waited = 0; waited < READY_MILLIS_MAX; waited += 50) {
      if (this.child.exitCode !== null) break;
      try {
        await this.ask('/roots/0');
        return;
      } catch {
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    }
    this.stop();
    throw new Error(`pebble did not start:\n${this.output}`);
  }

  private ask(target: string): Promise<string> {
    return new Promise((resolve, reject) => {
      const options = { ca: this.httpsRoot, host: '127.0.0.1', port: this.managementPort };
      const request = https.get({ ...options, path: target, agent: false }, (response) => {
        let text = '';
        response.setEncoding('utf8').on('data', (part: string) => {
          text += part;
        });
        response.once('end', () => {
          if (response.statusCode === 200) resolve(text);
          else reject(new Error(`${target}: ${response.statusCode}: ${text}`));
        });
      });
      request.once('error', reject);
    });
  }
}

/** Writes cert.pem and key.pem for 127.0.0.1; the root, PEM. */
function writeCertificate(folder: string, entropy: Entropy): string {
  const tools = { crypto: nodeCrypto, entropy };
  const notBefore = wallTimeOfMillis(Date.now() - 3_600_000);
  const notAfter = wallTimeOfMillis(Date.now() + YEAR_MILLIS);
  const root = CertificateAuthority.create(tools, { name: 'Pebble HTTPS', notBefore, notAfter });
  const key = nodeCrypto.generatePrivateKey('P-256', entropy);
  // The last one: how unikernels on a network of this machine ask for it.
  const names = ['127.0.0.1', 'localhost', 'host.internal'];
  const purposes = ['serverAuth'] as const;
  const leaf = root.issue({ names, notBefore, notAfter, spki: key.spki, purposes });
  writeFileSync(path.join(folder, 'cert.pem'), pemEncode('CERTIFICATE', leaf));
  writeFileSync(path.join(folder, 'key.pem'), privateKeyToPem(key));
  return pemEncode('CERTIFICATE', root.certificate.raw);
}
