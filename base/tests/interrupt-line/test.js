// The serial port's transmitter interrupt, edge triggered on line 4, ends the idle wait.
const bit = __base.interruptLine(4, 'edge', 'high');
let turns = 0;
const late = __base.cmdline.includes('late');
__base.onTurn((woken) => {
  turns++;
  if (turns === 1) {
    __base.portWrite(0x3f9, 8, 2);
    return late ? 0 : Infinity;
  }
  // Deadlines that have passed: the interrupt may take a few turns, but comes.
  if (late && woken === 0 && turns < 1e6) return turns % 2 === 0 ? 1 : -7;
  __base.consoleWrite(`woken ${woken === 1 << bit} after ${turns} turns\n`);
  __base.portWrite(0x3f9, 8, 0);
  __base.exit(0);
});
