// The image's contents are read-only pages.
const { name, bytes } = __base.payload[0];
__base.consoleWrite(`${name} ${bytes.length} ${bytes[0]}\n`);
bytes[0] = 1;
