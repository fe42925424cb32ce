import { createSocket, type Socket } from 'node:dgram';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { object } from 'valibot';
import { defineContract } from '#firmware/contract/contract.ts';
import { silentLogger } from '#firmware/core/logger.ts';
import { nodeClock as clock } from '#firmware/platform/node-clock.ts';
import { nodeEntropy as entropy } from '#firmware/platform/node-entropy.ts';
import { contractCheck, httpCheck, optionsCheck } from '#firmware/platform/self-checks.ts';
import { serveContract } from '#firmware/platform/unix-socket.ts';

t.test('the check of a contract', async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'hs-checks-'));
  t.teardown(() => rmSync(directory, { recursive: true }));
  const path = join(directory, 'x.sock');
  const contract = defineContract({ name: 'x', version: 1, commands: { describe: { args: object({}), result: object({}) } }, events: {} });
  const check = contractCheck(path, contract, { clock, entropy });
  await t.rejects(check(), { message: /x is not reachable/ }, 'nobody is there');
  let asked = 0;
  const roles: string[] = [];
  const served = await serveContract(
    path,
    contract,
    {
      describe: () => {
        asked++;
        return {};
      },
    },
    { role: 'x', clock, logger: silentLogger, onPeerUp: ({ role }) => roles.push(role) },
  );
  await check();
  await check();
  t.same({ asked, roles }, { asked: 2, roles: ['watchdog', 'watchdog'] });
  await served.stop();
  await t.rejects(check());
});

t.test('the check of a page', async (t) => {
  const server = createServer((_request, response) => response.writeHead(401).end('who are you?'));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await httpCheck({ address: '0.0.0.0', port })();
  t.pass('any answer will do');
  await new Promise((resolve) => server.close(resolve));
  await t.rejects(httpCheck({ address: '127.0.0.1', port })(), { code: 'ECONNREFUSED' });
});

t.test('the check of SIP', async (t) => {
  t.test('§11 an OPTIONS is answered with any response', async (t) => {
    const requests: string[] = [];
    const port = await peer(t, (request, answer) => {
      requests.push(request);
      answer(`SIP/2.0 405 No\r\n${/Call-ID: .*/.exec(request)?.[0]}\r\n\r\n`);
    });
    await optionsCheck({ address: '127.0.0.1', port }, entropy)();
    t.match(requests[0], /^OPTIONS sip:127\.0\.0\.1:\d+ SIP\/2\.0\r\nVia: SIP\/2\.0\/UDP 127\.0\.0\.1:\d+;branch=z9hG4bK\S+;rport\r\n/);
  });

  t.test('§17.1.2.2 a lost request is sent again; the response to another is no answer', async (t) => {
    let requests = 0;
    const port = await peer(t, (request, answer) => {
      if (++requests === 1) answer('SIP/2.0 200 OK\r\nCall-ID: another\r\n\r\n');
      else answer(`SIP/2.0 200 OK\r\n${/Call-ID: .*/.exec(request)?.[0]}\r\n\r\n`);
    });
    await optionsCheck({ address: '0.0.0.0', port }, entropy)();
    t.equal(requests, 2);
  });

  t.test('silence and a closed port are failures, an address that is away is none', async (t) => {
    const port = await peer(t, () => {});
    await t.rejects(optionsCheck({ address: '127.0.0.1', port }, entropy)(), { message: 'no response to OPTIONS' });
    await t.rejects(optionsCheck({ address: '127.0.0.1', port: 9 }, entropy)(), { code: 'ECONNREFUSED' });
    await t.resolves(async () => await optionsCheck({ address: '2001:db8::1', port }, entropy)());
  });
});

/** A UDP socket that answers as told; returns its port. */
async function peer(t: Test, take: (request: string, answer: (text: string) => void) => void): Promise<number> {
  const socket: Socket = createSocket('udp4');
  t.teardown(() => socket.close());
  socket.on('message', (bytes, { port, address }) => take(bytes.toString(), (text) => socket.send(text, port, address)));
  await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve));
  return socket.address().port;
}
