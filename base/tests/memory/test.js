// Nearly all of a small machine is the heap, and big buffers give their memory back.
const { totalBytes } = __base.memory;
__base.consoleWrite(`total ${totalBytes} used ${__base.memory.usedBytes()}\n`);
const free = totalBytes - __base.memory.usedBytes();
__base.consoleWrite(`heap for JavaScript: ${free >= 5.5 * 1048576}\n`);
function fillAndForget() {
  const part = new Uint8Array(Math.floor(free * 0.8));
  if (__base.hot.indexOf(part, 0xa5, 0, part.length) !== -1) __base.exit(1);
  part.fill(0xa5);
}
for (let round = 0; round < 20; round++) fillAndForget();
function scatter() {
  const kept = [];
  for (let i = 0; i < 20000; i++) kept.push({ i, text: `object ${i}` });
}
scatter();
fillAndForget();
__base.consoleWrite('most of it in one buffer, again\n');
