// After memory ran out and was let go, the image goes on.
let kept = [];
for (let round = 0; round < 3; round++) {
  try {
    for (;;) kept.push({ round });
  } catch (error) {
    kept = [];
    __base.consoleWrite(`round ${round}: ${error.name} ${error.message}\n`);
  }
}
