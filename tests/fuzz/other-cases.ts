/**
 * The parsers that are not of a network protocol: what comes from a disk or an image, from the
 * virtual machine monitor, from whoever boots the image, and through the Web-standard globals.
 */

import {
  err,
  hot,
  instantOfMicros,
  ok,
  type Result,
  TimerQueue,
  type WireFault,
  writeU32be,
} from '#core';
import {
  ControlReader,
  controlFrame,
  emitKvPack,
  type KvEncoding,
  type KvPackInput,
  openKvPack,
  parseTar,
  type TarFile,
} from '#device';
import { createTurn } from '#targets/base/loop';
import { SimulatedProcess, SimulatedStream } from '#targets/process/simulated-base';
import { StreamDevice, type StreamFault } from '#targets/process/stream-device';
import { parseCommandLine, quoteWord } from '#targets/pvh/cmdline';
import { URL } from '#web';
import { emitTar, mendTar } from '../../packages/device/test-tar.ts';
import { type ArgSpecs, parseArguments } from '../../packages/morgana/arguments.ts';
import { atob, btoa } from '../../packages/web/base64.ts';
import { parseMultipart } from '../../packages/web/form-data.ts';
import { installTestPlatform } from '../../packages/web/testing/platform.ts';
import { bytesOf, type WireCase, wireCase } from './wire-case.ts';

// A file in a form asks for the time.
installTestPlatform();

const refused = (b: Uint8Array): Result<never, WireFault> =>
  err({ kind: 'field', offset: 0, value: b[0] ?? 0 });
const textOf = (b: Uint8Array): string => hot.latin1(b, 0, b.length);

/** `parse` returns null, or throws one of `refusals`, for what it doesn't take. */
function textCase<R>(
  name: string,
  parse: (text: string) => R | null,
  format: (repr: R) => string,
  seeds: readonly string[],
  isRefusal: (error: Error) => boolean = () => false,
): WireCase {
  return wireCase<R>({
    name,
    parse(b) {
      try {
        const repr = parse(textOf(b));
        return repr === null ? refused(b) : ok(repr);
      } catch (error) {
        if (error instanceof Error && isRefusal(error)) return refused(b);
        throw error;
      }
    },
    emit: (to, repr) => hot.writeLatin1(to, 0, format(repr)),
    seeds: () => seeds.map((text) => hot.utf8Encode(text)),
  });
}

const kvPack = wireCase<readonly KvPackInput[]>({
  name: 'kv pack',
  parse(b) {
    const opened = openKvPack(b);
    if (!opened.ok) return refused(b);
    const pack = opened.value;
    return ok(
      pack.paths().map((path) => {
        const { bytes, modifiedSeconds, digest, variants } = pack.get(path)!;
        const copies = variants.map((form) => ({ ...form, bytes: form.bytes.slice() }));
        return { path, bytes: bytes.slice(), modifiedSeconds, digest, variants: copies };
      }),
    );
  },
  emit(to, files) {
    const pack = emitKvPack(files);
    hot.copy(to, 0, pack, 0, pack.length);
    return pack.length;
  },
  seeds(random) {
    const bytes = new Uint8Array(random.below(40));
    random.fill(bytes);
    const variants = (['gzip', 'br'] as KvEncoding[]).map((encoding) => ({ encoding, bytes }));
    const file = { bytes, modifiedSeconds: 1_700_000_000, digest: '0123456789abcdef'.repeat(2) };
    const files = [
      { ...file, path: 'index.html', variants },
      { ...file, path: 'a/b.txt', variants: [] },
    ];
    return [emitKvPack(files), emitKvPack([])];
  },
});

/** The frames of a UNIX link, read by the device itself, in pieces that its first byte chooses. */
const linkStream = wireCase<readonly Uint8Array[]>({
  name: 'frames of a UNIX link',
  parse(b) {
    const base = new SimulatedProcess();
    const stream = new SimulatedStream(1);
    const piece = 1 + ((b[0] ?? 0) + (b[3] ?? 0)) * 3;
    stream.cut = (bytes) => Math.min(bytes, piece);
    stream.arriving = b.slice();
    base.addLink(stream);
    const faults: StreamFault[] = [];
    const config = { frameBytesMax: 2_048, receiveBytes: 4_096, transmitBytes: 4_096 };
    const device = new StreamDevice(base, 0, (fault) => faults.push(fault), config);
    const frames: Uint8Array[] = [];
    device.attach({ receive: (frame) => void frames.push(frame.slice()), transmitReady() {} });
    base.onTurn(createTurn(base, new TimerQueue(instantOfMicros(0)), [device]));
    base.run();
    return faults.length === 0 ? ok(frames) : refused(b);
  },
  emit(to, frames) {
    let at = 0;
    for (const frame of frames) {
      writeU32be(to, at, frame.length);
      hot.copy(to, at + 4, frame, 0, frame.length);
      at += 4 + frame.length;
    }
    return at;
  },
  seeds: (random) =>
    [[14], [60, 15, 200], [1514, 14]].map((lengths) => {
      const bytes = new Uint8Array(lengths.reduce((sum, length) => sum + 4 + length, 0));
      random.fill(bytes);
      let at = 0;
      for (const length of lengths) {
        writeU32be(bytes, at, length);
        at += 4 + length;
      }
      return bytes;
    }),
});

interface ControlPiece {
  readonly client: number;
  /** Empty: the client's end. */
  readonly bytes: Uint8Array;
}

/** What clients sent, with neighbouring pieces of one client put together. */
const controlStream = wireCase<readonly ControlPiece[]>({
  name: 'frames of a control channel',
  parse(b) {
    const pieces: ControlPiece[] = [];
    const reader = new ControlReader({
      piece(client, bytes) {
        const last = pieces.at(-1);
        if (last?.client !== client || last.bytes.length === 0) {
          pieces.push({ client, bytes: bytes.slice() });
          return;
        }
        pieces[pieces.length - 1] = { client, bytes: Buffer.concat([last.bytes, bytes]) };
      },
      end: (client) => void pieces.push({ client, bytes: new Uint8Array(0) }),
    });
    const step = 1 + (b[0] ?? 0) + (b[7] ?? 0);
    for (let at = 0; at < b.length; at += step) {
      const fault = reader.push(b.subarray(at, at + step));
      if (fault !== null) return err(fault);
    }
    return ok(pieces.map(({ client, bytes }) => ({ client, bytes: new Uint8Array(bytes) })));
  },
  emit(to, pieces) {
    const bytes = Buffer.concat(pieces.map(({ client, bytes }) => controlFrame(client, bytes)));
    hot.copy(to, 0, bytes, 0, bytes.length);
    return bytes.length;
  },
  seeds: (random) =>
    [[3], [0, 20, 0], [1, 1, 300]].map((lengths) => {
      const frames = lengths.map((length) => {
        const payload = new Uint8Array(length);
        random.fill(payload);
        return controlFrame(random.below(3), payload);
      });
      return new Uint8Array(Buffer.concat(frames));
    }),
});

/** A form can't be written as it was read: its own bytes stand for it. */
const multipart = wireCase<{ readonly fields: unknown; readonly bytes: Uint8Array }>({
  name: 'multipart form',
  parse(b) {
    try {
      const form = parseMultipart(b, 'multipart/form-data; boundary=xyz');
      const fields = [...form].map(([name, value]) =>
        typeof value === 'string' ? [name, value] : [name, value.name, value.size],
      );
      return ok({ fields, bytes: b.slice() });
    } catch (error) {
      if (error instanceof TypeError && error.message.includes('multipart')) return refused(b);
      throw error;
    }
  },
  emit(to, { bytes }) {
    hot.copy(to, 0, bytes, 0, bytes.length);
    return bytes.length;
  },
  seeds: () =>
    ['name="a"', 'name="f"; filename="g.txt"\r\nContent-Type: text/plain'].map((field) =>
      hot.utf8Encode(`--xyz\r\nContent-Disposition: form-data; ${field}\r\n\r\nb\r\n--xyz--\r\n`),
    ),
});

const SPECS: ArgSpecs = {
  port: { kind: 'port', doc: 'a port', default: 80 },
  name: { kind: 'string', doc: 'a name', default: '' },
  quick: { kind: 'boolean', doc: 'a switch', default: false },
};

const tar = wireCase<readonly TarFile[]>({
  name: 'tar',
  parse: (b) => parseTar(b, 256),
  emit: emitTar,
  repair: mendTar,
  seeds: (random) => {
    const to = new Uint8Array(4_096);
    const files = [
      { path: 'a.pem', bytes: bytesOf(random, 3), modifiedSeconds: 1_700_000_000 },
      { path: 'ö', bytes: new Uint8Array(0), modifiedSeconds: 8 ** 11 },
    ];
    const path = `${'d'.repeat(90)}/${'f'.repeat(90)}`;
    const long = [{ path, bytes: bytesOf(random, 520), modifiedSeconds: 0 }];
    return [files, long].map((list) => to.slice(0, emitTar(to, list)));
  },
});

export const otherCases: readonly WireCase[] = [
  tar,
  kvPack,
  textCase(
    'kernel command line',
    (text) => {
      const parsed = parseCommandLine(text);
      return parsed.ok ? parsed.value.bootArguments : null;
    },
    (words) => `-- ${words.map(quoteWord).join(' ')}`,
    ['virtio_mmio.device=512@0xfeb00000:5 quiet -- --port=80 "two words" --log=tcp:debug', '-- a'],
  ),
  textCase(
    'boot arguments',
    (text) => {
      const parsed = parseArguments(text.split('\n'), SPECS);
      return parsed.ok && !parsed.value.help ? parsed.value.values : null;
    },
    (values) =>
      Object.entries(values)
        .map(([name, value]) => `--${name}=${value}`)
        .join('\n'),
    ['--port=8080\n--name=x', '--quick=true', '--name='],
  ),
  textCase(
    'URL',
    (text) => new URL(text).href,
    (href) => href,
    [
      'http://u:p@Example.org:8080/a/../b?q=1#f',
      'file:///c:/x',
      'data:text/plain,hi',
      'http://[::1]/',
    ],
    (error) => error instanceof TypeError,
  ),
  textCase(
    'base64',
    atob,
    btoa,
    ['aGVsbG8=', 'AA==', ' Zm9v\n', ''],
    (error) => error.name === 'InvalidCharacterError',
  ),
  multipart,
  linkStream,
  controlStream,
];
