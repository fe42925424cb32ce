import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { join } from 'node:path';
import t from 'tap';
import { lineSettings, loopbackSettings, makeFolder, startHouse } from '#test/support/interop-house.ts';
import { startKamailio } from '#test/support/kamailio.ts';
import { freePorts } from '../../scripts/free-ports.ts';
import { VirtualPhone } from '../../scripts/virtual-phone.ts';

t.test('a wrong password is said in the status, and the registrar is not hammered', async (t) => {
  const house = await startHouse(t);
  const { phone, kamailioPort } = house;
  await phone.link.command('changeSettings', { set: { 'line.main.password': 'wrong-password' }, unset: [] });
  const status = await phone.until('the registrar refused', ({ lines }) => lines[0]?.registration.state === 'rejected');
  const registration = status.lines[0]?.registration;
  t.match(registration, { statusCode: 401 });
  t.match(registration?.reason, /password/i, 'in words a person understands');
  t.ok((registration?.nextInMs ?? 0) >= 30_000, `the next try is in ${registration?.nextInMs} ms`);
  const shown = await phone.cli('status');
  t.match(shown.stdout, /password/i);
  t.notMatch(JSON.stringify(phone.status) + phone.log, /wrong-password/, 'the password itself is nowhere');

  await phone.link.command('changeSettings', { set: lineSettings('200', kamailioPort), unset: [] });
  await phone.until('the right password is tried at once', ({ lines }) => lines[0]?.registration.state === 'registered');
});

t.test('a registrar that is down is retried with growing pauses and found again', async (t) => {
  const folder = makeFolder(t);
  const port = await freePorts(1);
  const settings = { ...(await loopbackSettings(folder)), ...lineSettings('200', port) };
  // A port that swallows everything: the registrar is there as an address, but says nothing.
  const silent = createSocket('udp4');
  const arrivals: number[] = [];
  silent.on('message', (bytes) => bytes.toString().startsWith('REGISTER') && arrivals.push(performance.now()));
  silent.bind(port, '127.0.0.1');
  await once(silent, 'listening');
  const phone = await VirtualPhone.start({ data: join(folder, 'phone'), settings, exchange: false });
  t.teardown(() => phone.stop());
  await phone.until('it tries', ({ lines }) => lines[0]?.registration.state === 'registering');
  const failed = await phone.until('it gave up the first try', ({ lines }) => lines[0]?.registration.state === 'failed', 40_000);
  t.equal(failed.lines[0]?.registration.statusCode, 408);
  t.ok(arrivals.length >= 7 && arrivals.length <= 11, `§17.1.2.2 timer E: ${arrivals.length} datagrams in 32 s`);
  const pause = failed.lines[0]?.registration.nextInMs ?? 0;
  t.ok(pause > 0 && pause <= 90_000, `the next try is in ${pause} ms`);
  silent.close();
  await once(silent, 'close');

  const kamailio = await startKamailio(join(folder, 'kamailio'), port);
  t.teardown(() => kamailio.stop());
  const found = await phone.until('it is found again', ({ lines }) => lines[0]?.registration.state === 'registered', 120_000);
  t.match(found.lines[0]?.registration, { statusCode: 200 });
});

t.test('over TCP too', async (t) => {
  const { phone } = await startHouse(t, { 'line.main.transport': 'tcp' });
  t.match(phone.status?.lines[0]?.registration, { state: 'registered', statusCode: 200 });
});
