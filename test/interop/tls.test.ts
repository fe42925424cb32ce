import { join } from 'node:path';
import t from 'tap';
import { type IssuedCertificate, rawDnsName, TestAuthority } from '#test/support/certificates.ts';
import { addBaresip, callOf, isIdle, lineSettings, loopbackSettings, makeFolder, startHouse } from '#test/support/interop-house.ts';
import { kamailioRealm, startKamailio } from '#test/support/kamailio.ts';
import { freePorts } from '../../scripts/free-ports.ts';
import { VirtualPhone } from '../../scripts/virtual-phone.ts';

/** Our phone at Debian's Kamailio over TLS and WebSockets, with certificates made by openssl. */

const folder = makeFolder(t);
const authority = await TestAuthority.make(join(folder, 'authority'));
const caFile = authority.certificate;

function tlsSettings(port: number): Record<string, string> {
  return { 'line.main.transport': 'tls', 'line.main.outboundProxy': `sip:localhost:${port}`, 'sip.tls.caFile': caFile };
}

t.test('registered over TLS: calls come and go through the one connection we opened', async (t) => {
  const port = await freePorts(1);
  const certificate = await authority.issue('good', { names: 'DNS:localhost' });
  const house = await startHouse(t, { ...tlsSettings(port), 'line.main.expires': '60' }, { tls: { port, ...certificate } });
  const { phone } = house;
  t.match(phone.status?.lines[0]?.registration, { state: 'registered', statusCode: 200 });
  const automatic = await addBaresip(t, house, '201', 'auto');
  const manual = await addBaresip(t, house, '202', 'manual');

  await phone.hook('offHook');
  await phone.press('201');
  await automatic.saw('CALL_ESTABLISHED');
  await phone.until('speech came', (now) => (callOf(now)?.media?.packetsReceived ?? 0) >= 100, 25_000);
  await phone.hook('onHook');
  await automatic.saw('CALL_CLOSED');
  await phone.until('it is idle', isIdle);

  manual.command('dial', `sip:200@${kamailioRealm}`);
  await phone.until('it rings', (status) => callOf(status)?.state === 'ringing');
  await phone.hook('offHook');
  await manual.saw('CALL_ESTABLISHED');
  await phone.until('speech came', (now) => (callOf(now)?.media?.packetsReceived ?? 0) >= 100, 25_000);
  manual.command('hangup');
  await phone.until('the far end is gone', ({ calls }) => calls.every(({ state }) => state !== 'active'));
  await phone.hook('onHook');
  await phone.until('it is idle', isIdle);
});

for (const transport of ['wss', 'ws'] as const) {
  t.test(`RFC 7118 registered by ${transport} at Kamailio: a call each way through the one WebSocket we opened`, async (t) => {
    const port = await freePorts(1);
    const certificate = await authority.issue(`good-${transport}`, { names: 'DNS:localhost' });
    const settings: Record<string, string> = { ...tlsSettings(port), 'line.main.transport': transport, 'sip.webSocketPath': '/sip' };
    // Plain WebSockets come in by the TCP port, which the house has set as the outbound proxy.
    if (transport === 'ws') settings['line.main.outboundProxy'] = '';
    const house = await startHouse(t, settings, { tls: { port, ...certificate }, webSockets: true });
    const { phone } = house;
    t.match(phone.status?.lines[0]?.registration, { state: 'registered', statusCode: 200 });
    const manual = await addBaresip(t, house, '202', 'manual');
    await phone.hook('offHook');
    await phone.press('202');
    await manual.saw('CALL_INCOMING');
    manual.command('accept');
    await phone.until('speech came', (now) => (callOf(now)?.media?.packetsReceived ?? 0) >= 50, 25_000);
    await phone.hook('onHook');
    await manual.saw('CALL_CLOSED');
    await phone.until('it is idle', isIdle);

    manual.command('dial', `sip:200@${kamailioRealm}`);
    await phone.until('it rings', (status) => callOf(status)?.state === 'ringing');
    await phone.hook('offHook');
    await phone.until('speech came', (now) => (callOf(now)?.media?.packetsReceived ?? 0) >= 50, 25_000);
    await phone.hook('onHook');
    await phone.until('it is idle', isIdle);
  });
}

t.test('a certificate that does not prove the domain is refused, and the status says why', async (t) => {
  const cases: readonly (readonly [certificate: IssuedCertificate, words: RegExp])[] = [
    [
      await authority.issue('old', { names: 'DNS:localhost', until: '20240615000000Z' }),
      /certificate of localhost .*has expired .*2024-06-15/,
    ],
    [
      await authority.issue('new', { names: 'DNS:localhost', from: '20480101000000Z' }),
      /only from 2048-01-01 on; the clock of this device says/,
    ],
    [await authority.issue('other', { names: 'DNS:pbx.example' }), /not for localhost but for "pbx\.example"/],
    [await authority.issue('nul', { names: rawDnsName('localhost\0.evil.example') }), /but for "localhost\\u0000\.evil\.example"/],
    [await authority.selfSigned('self', 'DNS:localhost'), /certificate of localhost is self-signed/],
  ];
  const port = await freePorts(1);
  const tlsPort = await freePorts(1);
  const settings = { ...(await loopbackSettings(folder)), ...lineSettings('200', port), ...tlsSettings(tlsPort) };
  const phone = await VirtualPhone.start({ data: join(folder, 'phone'), settings, exchange: false });
  t.teardown(() => phone.stop());
  for (const [i, [certificate, words]] of cases.entries()) {
    const kamailio = await startKamailio(join(folder, `kamailio-${i}`), port, { tls: { port: tlsPort, ...certificate } });
    await phone.link.command('changeSettings', { set: { 'line.main.displayName': `Try ${i}` }, unset: [] });
    const reason = (now: typeof phone.status): string => now?.lines[0]?.registration.reason ?? '';
    const status = await phone.until(`${words}`, (now) => words.test(reason(now)));
    t.match(reason(status), /^the registrar cannot be reached: the certificate /);
    t.match((await phone.cli('status')).stdout, words, 'also on the command line');
    await kamailio.stop();
  }
});
