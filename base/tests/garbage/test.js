// Garbage in cycles is collected before memory runs out.
for (let i = 0; i < 40; i++) {
  const a = { big: new Uint8Array(1048576) };
  a.self = a;
}
__base.consoleWrite('40 MiB of cycles\n');
