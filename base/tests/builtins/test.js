// The engine's standard library, in the image, without a C library's help from a kernel.
const checks = {
  bigint: () => (2n ** 100n).toString() === '1267650600228229401496703205376',
  float: () =>
    `${0.1 + 0.2} ${(1e21).toString()} ${(123.456).toFixed(1)}` ===
    '0.30000000000000004 1e+21 123.5',
  math: () => Math.hypot(3, 4) === 5 && Math.abs(Math.sin(1) - 0.8414709848078965) < 1e-15,
  regexp: () => 'a1b22'.replace(/(?<d>\d+)/gu, '<$<d>>') === 'a<1>b<22>',
  date: () =>
    new Date(0).toISOString() === '1970-01-01T00:00:00.000Z' &&
    new Date(0).getTimezoneOffset() === 0,
  sort: () => [3, 1, 2].toSorted().join() === '1,2,3',
  map: () => new Map([[1, 2]]).get(1) === 2 && Object.groupBy([1], () => 'a').a.length === 1,
  proxy: () => new Proxy({}, { get: () => 7 }).any === 7,
  weakref: () => new WeakRef(checks).deref() === checks,
  json: () => JSON.stringify(JSON.parse('{"a":[1,2,{"b":null}]}')) === '{"a":[1,2,{"b":null}]}',
  normalize: () => 'e\u0301'.normalize('NFC') === 'é',
  typed: () =>
    new Float64Array([1.5])[0] === 1.5 && new DataView(new ArrayBuffer(8)).getInt16(0) === 0,
};
for (const [name, check] of Object.entries(checks)) {
  if (!check()) __base.consoleWrite(`wrong: ${name}\n`);
}
__base.consoleWrite(`checked ${Object.keys(checks).length}\n`);
