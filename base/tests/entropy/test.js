// Entropy from the CPU, or the agreed exit code where it has none.
const out = new Uint8Array(64).fill(0xa5);
if (!__base.entropyFill(out)) {
  __base.consoleWrite(`no entropy, untouched: ${out.every((byte) => byte === 0xa5)}\n`);
  __base.exit(123);
}
const other = new Uint8Array(64);
__base.entropyFill(other);
const distinct = new Set([...out, ...other]).size;
__base.consoleWrite(`entropy: ${distinct > 40 && out.join() !== other.join()}\n`);
