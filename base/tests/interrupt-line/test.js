// The serial port's transmitter interrupt, edge triggered on line 4, ends the idle wait.
const bit = __base.interruptLine(4, 'edge', 'high');
let turns = 0;
__base.onTurn((woken) => {
  turns++;
  if (turns === 1) {
    __base.portWrite(0x3f9, 8, 2);
    return Infinity;
  }
  __base.consoleWrite(`woken ${woken === 1 << bit} after ${turns} turns\n`);
  __base.portWrite(0x3f9, 8, 0);
  __base.exit(0);
});
