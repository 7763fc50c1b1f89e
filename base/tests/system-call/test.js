// Boot arguments: a system call, as JSON: [number, a0, ... a5]. A string of digits is an integer of
// 64 bits; "buffer", "waits" and so on stand for addresses.
const { bootArguments, fault } = __base;
const places = {
  buffer: new Uint8Array(2 * 1048576),
  waits: fault('waits'),
  'profile timer': fault('profile timer'),
  empty: new Uint8Array(64),
};
const words = JSON.parse(bootArguments[0]).map((word) => {
  if (typeof word === 'number') return word;
  return places[word] ?? BigInt(word);
});
__base.consoleWrite('calling\n');
const result = fault('call', ...words, 0, 0, 0, 0, 0, 0);
__base.consoleWrite(`survived ${result}\n`);
__base.exit(0);
