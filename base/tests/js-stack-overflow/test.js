// Endless recursion is an error that the script can catch, not a fault.
function deeper(n) {
  return deeper(n + 1) + 1;
}
try {
  deeper(0);
} catch (error) {
  __base.consoleWrite(`caught ${error.name}: ${error.message}\n`);
}
const nested = '['.repeat(100000);
try {
  JSON.parse(nested);
} catch (error) {
  __base.consoleWrite(`caught ${error.message}\n`);
}
try {
  new Function('('.repeat(100000));
} catch (error) {
  __base.consoleWrite(`caught ${error.message}\n`);
}
