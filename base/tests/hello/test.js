// Boots, prints, ends with exit code 0 when there is no turn.
__base.consoleWrite(
  `hello from ABI ${__base.abiVersion}: ${[1, 2, 3].map((n) => n * n).join()} é€\n`,
);
