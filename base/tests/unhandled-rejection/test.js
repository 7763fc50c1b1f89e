// A rejection that nobody handles within the turn ends the image; a handled one does not.
async function refuses() {
  throw new RangeError('refused on purpose');
}
refuses().catch(() => __base.consoleWrite('handled\n'));
const late = refuses();
Promise.resolve().then(() => late.catch(() => __base.consoleWrite('handled late\n')));
const many = Array.from({ length: 300 }, () => refuses());
Promise.allSettled(many).then((all) => __base.consoleWrite(`settled ${all.length}\n`));
let turns = 0;
__base.onTurn(() => {
  if (turns++ === 0) return -1;
  refuses();
  return -1;
});
