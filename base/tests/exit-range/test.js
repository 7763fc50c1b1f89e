// Codes that cannot arrive are refused.
for (const code of [-1, 127, 1.5, '1', undefined]) {
  try {
    __base.exit(code);
  } catch (error) {
    __base.consoleWrite(`${String(code)} ${error.name}\n`);
  }
}
