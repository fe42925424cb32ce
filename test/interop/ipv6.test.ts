import { join } from 'node:path';
import t from 'tap';
import { callOf, isIdle, lineSettings, loopbackSettings, makeFolder } from '#test/support/interop-house.ts';
import { startKamailio } from '#test/support/kamailio.ts';
import { calleeScenario, callerScenario, Sipp } from '#test/support/sipp.ts';
import { freePorts } from '../../scripts/free-ports.ts';
import { VirtualPhone } from '../../scripts/virtual-phone.ts';

/** Our phone on both families at once: Debian's Kamailio and SIPp on ::1, and SIPp on 127.0.0.1. */

const folder = makeFolder(t);
const kamailioPort = await freePorts(1);
const kamailio = await startKamailio(join(folder, 'kamailio'), kamailioPort, { address: '[::1]' });
t.teardown(() => kamailio.stop());
const line = lineSettings('200', kamailioPort);
const server = `sip:[::1]:${kamailioPort}`;
const loopback = await loopbackSettings(folder);
const settings = { ...loopback, ...line, 'sip.address': '127.0.0.1, ::1', 'sip.acceptDirectCalls': 'true' };
const data = join(folder, 'phone');
const both = { ...settings, 'line.main.registrar': server, 'line.main.outboundProxy': server };
const phone = await VirtualPhone.start({ data, settings: both, exchange: false });
t.teardown(() => phone.stop());

for (const transport of ['udp', 'tcp']) {
  t.test(`registered over ${transport} on ::1`, async (t) => {
    await phone.link.command('changeSettings', { set: { 'line.main.transport': transport }, unset: [] });
    const port = loopback['sip.port'];
    const contact = new RegExp(`"registered".*"contact":"sip:[a-z0-9]+@\\[::1\\]:${port}${transport === 'tcp' ? ';transport=tcp' : ''}"`);
    // The status does not say where we are registered: it may still be the one before.
    const shown = async (): Promise<string> => JSON.stringify(await phone.link.command('describe', {}));
    for (const end = performance.now() + 10_000; performance.now() < end && !contact.test(await shown()); ) {
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    t.match(await shown(), contact);
  });
}

for (const [address, host, family] of [
  ['::1', '[::1]', 'IP6 ::1'],
  ['127.0.0.1', '127.0.0.1', 'IP4 127.0.0.1'],
] as const) {
  t.test(`a call from SIPp on ${address}: our address in Contact and SDP is of its family`, async (t) => {
    const target = `${host}:${loopback['sip.port']}`;
    const scenario = callerScenario([]);
    const sipp = await Sipp.start({
      folder: join(folder, `caller-${family.slice(0, 3)}`),
      port: await freePorts(1),
      address,
      target,
      service: '200',
      scenario,
    });
    t.teardown(() => sipp.stop());
    await phone.until('it rings', (status) => callOf(status)?.state === 'ringing');
    await phone.hook('offHook');
    await sipp.succeeded();
    await phone.hook('onHook');
    await phone.until('it is idle', isIdle);
    const answer =
      (await sipp.messages()).split(/^-----/m).find((message) => /SIP\/2\.0 200 OK/.test(message) && /CSeq: 1 INVITE/.test(message)) ?? '';
    t.match(answer, `c=IN ${family}`);
    t.match(answer, new RegExp(`Contact: <sip:[a-z0-9]+@${host.replaceAll(/[[\]]/g, '\\$&')}:${loopback['sip.port']}[;>]`));
  });
}

t.test('a call to SIPp on ::1', async (t) => {
  await phone.link.command('changeSettings', { set: {}, unset: Object.keys(line) });
  const port = await freePorts(1);
  const sipp = await Sipp.start({ folder: join(folder, 'callee'), port, address: '::1', scenario: calleeScenario(0) });
  t.teardown(() => sipp.stop());
  t.match(await phone.cli('call', `sip:sipp@[::1]:${port}`), { code: 0 });
  await phone.until('it is accepted', (status) => callOf(status)?.state === 'active');
  t.match(await phone.cli('hangup'), { code: 0 });
  await sipp.succeeded();
  t.match(await sipp.messages(), `Via: SIP/2.0/UDP [::1]:${loopback['sip.port']}`);
  await phone.until('it is idle', isIdle);
});
