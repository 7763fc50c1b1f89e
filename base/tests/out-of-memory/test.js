// Memory that runs out is an error with a name; uncaught, it ends the image.
const size = Number(/size=(\d+)/.exec(__base.cmdline)?.[1] ?? 65536);
const kept = [];
for (;;) kept.push(new Uint8Array(size));
