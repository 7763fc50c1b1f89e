// What is typed arrives; the UTF-8 of the answer leaves whole.
let typed = '';
__base.consoleWrite('ready\n');
__base.onTurn(() => {
  for (let byte = __base.consoleRead(); byte >= 0; byte = __base.consoleRead()) {
    typed += String.fromCharCode(byte);
  }
  if (!typed.endsWith('\n')) return __base.clockMonotonic() + 1000;
  __base.consoleWrite(`typed ${typed.trim()} – ok\n`);
  __base.exit(0);
});
