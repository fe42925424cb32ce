import { join } from 'node:path';
import t from 'tap';
import { callOf, isIdle, loopbackSettings, makeFolder } from '#test/support/interop-house.ts';
import { calleeScenario, callerScenario, Sipp } from '#test/support/sipp.ts';
import { freePorts } from '../../scripts/free-ports.ts';
import { VirtualPhone } from '../../scripts/virtual-phone.ts';

/** Digits by SIP INFO from and to Debian's SIPp, which is called and calls directly. */

const folder = makeFolder(t);
const loopback = await loopbackSettings(folder);
const phone = await VirtualPhone.start({
  data: join(folder, 'phone'),
  settings: { ...loopback, 'sip.acceptDirectCalls': 'true' },
  exchange: false,
});
t.teardown(() => phone.stop());
const here = `127.0.0.1:${loopback['sip.port']}`;

async function callee(t: { teardown(step: () => Promise<void>): void }, name: string, infos: number, transport: 'u1' | 't1' = 'u1') {
  const port = await freePorts(1);
  const sipp = await Sipp.start({ folder: join(folder, name), port, scenario: calleeScenario(infos), transport });
  t.teardown(() => sipp.stop());
  return { sipp, uri: `sip:sipp@127.0.0.1:${port}${transport === 't1' ? ';transport=tcp' : ''}` };
}

for (const format of ['dtmf-relay', 'dtmf'] as const) {
  t.test(`digits go out as application/${format}`, async (t) => {
    await phone.link.command('changeSettings', { set: { 'phone.infoFormat': format }, unset: [] });
    const { sipp, uri } = await callee(t, `callee-${format}`, 4);
    t.match(await phone.cli('call', uri), { code: 0 });
    await phone.until('it is accepted', (status) => callOf(status)?.state === 'active');
    t.match(await phone.cli('digit', '12*#'), { code: 0 });
    await phone.until('the digits are sent', (status) => callOf(status)?.digitsSent === '12*#');
    t.match(await phone.cli('hangup'), { code: 0 });
    await sipp.succeeded();
    const messages = await sipp.messages();
    t.match(messages, new RegExp(`Content-Type: *application/${format}\\r?\\n`));
    const bodies = [...messages.matchAll(format === 'dtmf' ? /\n\r?\n([0-9*#])\r?\n/g : /Signal=([0-9*#])/g)].map(([, digit]) => digit);
    t.same(bodies, ['1', '2', '*', '#'], 'each once and in order');
    await phone.until('it is idle', ({ calls }) => calls.length === 0);
  });
}

t.test('over TCP', async (t) => {
  const { sipp, uri } = await callee(t, 'callee-tcp', 1, 't1');
  t.match(await phone.cli('call', uri), { code: 0 });
  await phone.until('it is accepted', (status) => callOf(status)?.state === 'active');
  t.match(await phone.cli('digit', '5'), { code: 0 });
  await phone.until('the digit is sent', (status) => callOf(status)?.digitsSent === '5');
  t.match(await phone.cli('hangup'), { code: 0 });
  await sipp.succeeded();
});

t.test('digits come in by every form of INFO, each answered 200', async (t) => {
  const infos = [
    { contentType: 'application/dtmf-relay', body: 'Signal=1\nDuration=160\n' },
    { contentType: 'application/dtmf-relay', body: 'Signal= 2\nDuration= 250\n' },
    { contentType: 'application/dtmf', body: '3' },
    { contentType: 'application/dtmf', body: '10' },
    { contentType: 'application/dtmf-relay', body: 'Signal=11\nDuration=160\n' },
    { contentType: 'application/dtmf-relay', body: 'Signal=*\nDuration=160\n' },
  ];
  const sipp = await Sipp.start({
    folder: join(folder, 'caller'),
    port: await freePorts(1),
    target: here,
    service: 'anyone',
    scenario: callerScenario(infos),
  });
  t.teardown(() => sipp.stop());
  await phone.until('it rings', (status) => callOf(status)?.state === 'ringing');
  await phone.hook('offHook');
  const heard: string[] = [];
  await phone.until('the digits came', (status) => {
    const received = callOf(status)?.digitsReceived ?? '';
    if (received !== heard.at(-1)) heard.push(received);
    return received.length >= 6 || callOf(status) === undefined;
  });
  await sipp.succeeded();
  t.equal(heard.filter(Boolean).at(-1), '123*#*');
  await phone.hook('onHook');
  await phone.until('it is idle', isIdle);
});
