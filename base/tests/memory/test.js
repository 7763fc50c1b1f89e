// Nearly all of a small machine is the heap, and big buffers give their memory back.
const { totalBytes } = __base.memory;
__base.consoleWrite(`total ${totalBytes} used ${__base.memory.usedBytes()}\n`);
const free = totalBytes - __base.memory.usedBytes();
__base.consoleWrite(`heap for JavaScript: ${free >= 5.5 * 1048576}\n`);
for (let round = 0; round < 50; round++) {
  // The last round's buffer is alive until this one is there.
  const part = new Uint8Array(Math.floor(free * 0.4));
  if (__base.hot.indexOf(part, 0xa5, 0, part.length) !== -1) __base.exit(1);
  part.fill(0xa5);
}
const kept = [];
for (let i = 0; i < 20000; i++) kept.push({ i, text: `object ${i}` });
kept.length = 0;
const most = new Uint8Array(Math.floor(free * 0.8));
__base.consoleWrite(`most of it in one buffer: ${most.length}\n`);
