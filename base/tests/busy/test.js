// A turn that returns -1 is called again at once, after its promise jobs.
let turns = 0;
let jobs = 0;
__base.onTurn(() => {
  if (jobs !== turns) __base.exit(1);
  turns++;
  Promise.resolve().then(() => jobs++);
  if (turns < 1000) return -1;
  __base.consoleWrite('1000 turns\n');
  __base.exit(0);
});
