/**
 * The gateway on host sockets, with Linux as its guest: its DHCP clients, dig, ping, curl; servers
 * of this process on the host's loopback, which guests reach as host.internal.
 */

import assert from 'node:assert/strict';
import { createHash, randomFillSync } from 'node:crypto';
import dgram from 'node:dgram';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { address, TestDnsServer } from '../helpers/dns-server.ts';
import { GatewayGuest } from '../helpers/gateway-network.ts';
import { without } from '../helpers/namespace.ts';
import { cannotInterop, eventually } from './linux/network.ts';

const skip = cannotInterop || without('udhcpc', 'dhclient', 'dig', 'curl', 'ping');
const HOST = '10.77.0.2';
const BIG = randomFillSync(Buffer.alloc(12 * 1_048_576));
const SHORT_CONNECTIONS = 500;
const sha = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

describe('gateway, Linux as guest', { skip, timeout: 180_000 }, () => {
  let guest: GatewayGuest;
  let dns: TestDnsServer;
  let web: http.Server;
  let port = 0;
  let connections = 0;

  before(async () => {
    guest = await GatewayGuest.open();
    dns = await new TestDnsServer([
      address('www.example.org', '192.0.2.80'),
      ...Array.from({ length: 90 }, (_, i) => address('many.example.org', `192.0.2.${i}`)),
    ]).serve(guest.host, 0);
    guest.gateway.useNameServers([{ address: '127.0.0.1', port: dns.port }]);
    web = http.createServer((request, response) => {
      if (request.method === 'PUT') {
        const hash = createHash('sha256');
        request.on('data', (piece) => hash.update(piece));
        request.on('end', () => response.end(hash.digest('hex')));
      } else if (request.url === '/big') response.end(BIG);
      else response.setHeader('connection', 'close').end('ok\n');
    });
    web.on('connection', () => {
      connections += 1;
    });
    web.listen(0, '127.0.0.1');
    await once(web, 'listening');
    port = (web.address() as net.AddressInfo).port;
    await guest.udhcpc('Linux-Guest');
  });

  after(async () => {
    dns?.close();
    web?.closeAllConnections();
    web?.close();
    await guest?.close();
  });

  const dig = async (...words: string[]): Promise<string> =>
    (await guest.net.run('dig', '@10.77.0.1', '+time=2', '+tries=1', ...words)).trim();
  const curl = (...words: string[]): Promise<string> =>
    guest.net.run('curl', '-sS', '--max-time', '30', ...words);

  test('udhcpc and dhclient › an address and all else; the second keeps the first’s', async () => {
    const told = readFileSync(path.join(guest.work, 'env'), 'utf8').trim();
    assert.equal(told, 'router=10.77.0.1 dns=10.77.0.1 domain=internal mtu=1500');
    const [lease] = guest.gateway.leases();
    assert.deepEqual([lease?.address, lease?.hostName], ['10.77.0.16', 'linux-guest']);
    const files = ['-lf', `${guest.work}/leases`, '-pf', `${guest.work}/pid`, '-cf', '/dev/null'];
    const script = ['-e', `SCRIPT_OUT=${guest.work}/env2`, '-sf', `${guest.work}/script`];
    await guest.net.run('dhclient', '-1', ...files, ...script, 'tap0');
    await eventually('dhclient binds', () => {
      const leases = readFileSync(`${guest.work}/leases`, 'utf8');
      return leases.includes('fixed-address 10.77.0.16') ? true : null;
    });
    await guest.net.run('dhclient', '-r', ...files, ...script, 'tap0');
    await guest.udhcpc('linux-guest');
    assert.equal(guest.gateway.leases().length, 1);
  });

  test('dig › own names and addresses; the host’s name servers for others, cut and by TCP', async () => {
    assert.equal(await dig('+short', 'linux-guest.internal'), '10.77.0.16');
    assert.equal(await dig('+short', 'linux-guest'), '10.77.0.16');
    assert.equal(await dig('+short', '+tcp', 'host.internal'), HOST);
    assert.equal(await dig('+short', 'gateway.internal'), '10.77.0.1');
    assert.equal(await dig('+short', '-x', '10.77.0.16'), 'linux-guest.internal.');
    assert.equal(await dig('+short', 'www.example.org'), '192.0.2.80');
    assert.match(await dig('linux-guest.internal', 'AAAA'), /status: NOERROR.*ANSWER: 0/s);
    assert.match(await dig('nobody.internal'), /status: NXDOMAIN/);
    assert.match(await dig('-x', '10.77.0.99'), /status: NXDOMAIN/);
    const cut = await dig('many.example.org', '+bufsize=512');
    assert.match(cut, /Truncated, retrying in TCP mode.*ANSWER: 90/s);
    guest.gateway.useNameServers([{ address: '127.0.0.1', port: 1 }]);
    assert.match(await dig('+tcp', 'www.example.org'), /status: SERVFAIL/);
    guest.gateway.useNameServers([{ address: '127.0.0.1', port: dns.port }]);
  });

  test('ping › the gateway and the host answer; others are prohibited; one hop › told where', async () => {
    const ping = (...words: string[]): Promise<string> =>
      guest.net.run('ping', '-c1', '-W2', ...words).catch((error: Error) => error.message);
    assert.match(await ping('10.77.0.1'), /1 received/);
    assert.match(await ping(HOST), /1 received/);
    assert.match(await ping('192.0.2.1'), /From 10\.77\.0\.1 .*Packet filtered/);
    assert.match(await ping('-t1', '192.0.2.1'), /From 10\.77\.0\.1 .*Time to live exceeded/);
  });

  test('curl › 12 MiB each way › every byte', async () => {
    const file = path.join(guest.work, 'big');
    await curl('-o', file, `http://${HOST}:${port}/big`);
    assert.equal(sha(readFileSync(file)), sha(BIG));
    assert.equal(await curl('-T', file, `http://${HOST}:${port}/`), sha(BIG));
  });

  test('IPv6 › an address by advertisement, ping to the host, curl and UDP to its ::1', async () => {
    await eventually('an address', async () => {
      const text = await guest.net.run('ip', '-6', 'address', 'show', 'dev', 'tap0');
      return /inet6 fd6d:6f72:6761:.* scope global(?!.*tentative)/.test(text) ? true : null;
    });
    const host = await dig('+short', 'host.internal', 'AAAA');
    assert.match(await guest.net.run('ping', '-c1', '-W2', host), /1 received/);
    const web6 = http.createServer((_request, response) => response.end(BIG)).listen(0, '::1');
    await once(web6, 'listening');
    const { port: port6 } = web6.address() as net.AddressInfo;
    const file = path.join(guest.work, 'big6');
    await curl('-o', file, `http://[${host}]:${port6}/`);
    assert.equal(sha(readFileSync(file)), sha(BIG));
    web6.closeAllConnections();
    web6.close();
    await assert.rejects(curl(`http://[${host}]:${port6}/`), /status 7\b/);
    const echo = dgram.createSocket('udp6');
    echo.on('message', (bytes, from) => echo.send(bytes, from.port, from.address));
    echo.bind(0, '::1');
    await once(echo, 'listening');
    const script = `exec 3<>/dev/udp/${host}/${echo.address().port}; echo six >&3; head -n1 <&3`;
    assert.equal(await guest.net.run('bash', '-c', script), 'six\n');
    echo.close();
  });

  test('refused, prohibited › curl hears of it at once', async () => {
    const closed = net.createServer().listen(0, '127.0.0.1');
    await once(closed, 'listening');
    const { port: free } = closed.address() as net.AddressInfo;
    closed.close();
    await assert.rejects(curl(`http://${HOST}:${free}/`), /status 7\b/);
    await assert.rejects(curl('--max-time', '3', 'http://169.254.169.254/'), /status 7\b/);
  });

  test('five hundred short connections, fifty at a time › each is served, none stays', async () => {
    const before = connections;
    const url = `http://${HOST}:${port}/[1-${SHORT_CONNECTIONS}]`;
    const answers = await curl('-Z', '--parallel-max', '50', url);
    assert.equal(answers, 'ok\n'.repeat(SHORT_CONNECTIONS));
    assert(connections - before >= SHORT_CONNECTIONS);
    await eventually('all are gone', () => (guest.gateway.counters().relays === 0 ? true : null));
    guest.gateway.checkInvariants();
  });

  test('UDP › echoed by a server of the host', async () => {
    const echo = dgram.createSocket('udp4');
    echo.on('message', (bytes, from) => echo.send(bytes, from.port, from.address));
    echo.bind(0, '127.0.0.1');
    await once(echo, 'listening');
    const script = `exec 3<>/dev/udp/${HOST}/${echo.address().port}; echo question >&3; head -n1 <&3`;
    assert.equal(await guest.net.run('bash', '-c', script), 'question\n');
    echo.close();
  });

  test('published ports › clients of the host reach servers of the guest, TCP and UDP', async () => {
    const program = path.join(guest.work, 'server.mjs');
    writeFileSync(
      program,
      `import http from 'node:http'; import dgram from 'node:dgram';
       http.createServer((q, a) => a.end('from the guest')).listen(8000, '0.0.0.0');
       const s = dgram.createSocket('udp4');
       s.on('message', (b, f) => s.send(b, f.port, f.address)); s.bind(8000);`,
    );
    guest.net.start(process.execPath, program);
    const guestPort = { guest: 'linux-guest', guestPort: 8000, hostAddress: '127.0.0.1' };
    const publish = async (protocol: 'tcp' | 'udp'): Promise<number> => {
      const done = await guest.gateway.publish({ ...guestPort, protocol, hostPort: 0 });
      assert(done.ok);
      return done.value.hostPort;
    };
    const [tcp, udp] = [await publish('tcp'), await publish('udp')];
    const text = await eventually('the guest serves', () =>
      fetch(`http://127.0.0.1:${tcp}/`).then(
        (response) => response.text(),
        () => null,
      ),
    );
    assert.equal(text, 'from the guest');
    const client = dgram.createSocket('udp4');
    client.send('datagram', udp, '127.0.0.1');
    const [echoed] = (await once(client, 'message')) as [Buffer];
    assert.equal(echoed.toString(), 'datagram');
    client.close();
  });
});
