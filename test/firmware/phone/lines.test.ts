import t from 'tap';
import { SimulatedHouse } from '#test/support/simulated-house.ts';
import type { SimulatedPhone } from '#test/support/simulated-phone.ts';

const registration = (phone: SimulatedPhone) => phone.status.lines[0]?.registration;

t.test('§10.2 a registered line says so, with the time it took and the time it holds', async (t) => {
  const phone = new SimulatedHouse().phone('anna');
  t.match(registration(phone), { state: 'registered', statusCode: 200 });
  t.ok((registration(phone)?.elapsedMs ?? 0) > 0);
  t.ok((registration(phone)?.nextInMs ?? 0) > 60_000);
  t.equal(phone.led('registered'), 'on');
  t.strictSame(phone.status.display, ['anna', 'Registered']);
});

t.test('a wrong password is said in words and is not hammered', async (t) => {
  const house = new SimulatedHouse();
  const phone = house.phone('anna', { settings: { 'line.1.password': 'wrong' } });
  t.equal(registration(phone)?.state, 'rejected');
  t.match(registration(phone)?.reason, /wrong user name or password \(40[13]/);
  t.equal(phone.led('registered'), 'blink');
  t.strictSame(phone.status.display, ['anna', 'Registration refused']);
  const tries = () => house.network.packets.filter(({ text, from }) => from.startsWith('10.0.0.10') && text.startsWith('REGISTER')).length;
  const before = tries();
  house.run(120_000);
  t.ok(tries() - before <= 2, `${tries() - before} more in two minutes`);
  phone.changeSettings({ 'line.1.password': 'anna-password' });
  house.run(1_000);
  t.equal(registration(phone)?.state, 'registered', 'the right one works at once');
});

t.test('a registrar that is away is said, tried again, and found when it comes back', async (t) => {
  const house = new SimulatedHouse();
  house.exchangeHost.detach();
  const phone = house.phone('anna');
  house.run(32_500);
  t.equal(registration(phone)?.state, 'failed');
  t.match(registration(phone)?.reason, /does not answer|cannot be reached/);
  house.run(8_000);
  t.equal(registration(phone)?.state, 'registering', 'it tries again');
  t.match(registration(phone)?.reason, /does not answer|cannot be reached/, 'and still says why');
  house.startExchange();
  house.run(60_000);
  t.equal(registration(phone)?.state, 'registered');
});

t.test('a line that does not register has no lamp and calls out all the same', async (t) => {
  const house = new SimulatedHouse();
  const bert = house.phone('bert');
  const phone = house.phone('anna', { settings: { 'line.1.register': 'false' } });
  t.equal(registration(phone)?.state, 'none');
  t.equal(phone.led('registered'), 'off');
  phone.do((core, now) => core.call(now, 'bert'));
  house.run(200);
  t.strictSame(bert.callStates, ['ringing']);
});

t.test('lines come, go and change while the phone runs, and calls of others go on', async (t) => {
  const house = new SimulatedHouse();
  const bert = house.phone('bert');
  const phone = house.phone('anna');
  phone.do((core, now) => core.call(now, 'bert'));
  house.run(100);
  bert.lift();
  house.run(100);
  phone.changeSettings({
    'line.2.aor': 'sip:dora@house.example',
    'line.2.password': 'dora-password',
    'line.2.outboundProxy': 'sip:10.0.0.1',
    'line.1.displayName': 'Anna A.',
  });
  house.run(1_000);
  t.strictSame(
    phone.status.lines.map(({ line, registration: { state } }) => `${line} ${state}`),
    ['1 registered', '2 registered'],
  );
  t.strictSame(phone.callStates, ['active']);
  phone.changeSettings({}, ['line.2.aor', 'line.2.password', 'line.2.outboundProxy']);
  house.run(1_000);
  t.equal(phone.status.lines.length, 1);
  t.throws(() => phone.do((core, now) => core.setDoNotDisturb(now, true, '2')), { code: 'unknown-line' });
});

for (const status of ['480', '486']) {
  t.test(`do not disturb answers ${status} by setting, does not ring, and is missed`, async (t) => {
    const house = new SimulatedHouse();
    const anna = house.phone('anna');
    const bert = house.phone('bert', { settings: { 'phone.doNotDisturbStatus': status } });
    bert.do((core, now) => core.setDoNotDisturb(now, true));
    t.equal(bert.settingsOnDisk.get('line.1.doNotDisturb'), 'true', 'and outlives a restart');
    t.match(bert.status.display, ['bert', 'Do not disturb']);
    anna.lift();
    anna.do((core, now) => core.call(now, 'bert'));
    house.run(300);
    t.equal(anna.ear, status === '486' ? 'busy' : 'congestion');
    t.equal(anna.callLog[0]?.statusCode, Number(status));
    t.equal(bert.bell, undefined);
    t.match(bert.callLog, [{ outcome: 'missed', statusCode: Number(status) }]);
    t.equal(bert.status.missedCalls, 1);
    bert.do((core, now) => core.setDoNotDisturb(now, false, '1'));
    t.equal(bert.settingsOnDisk.get('line.1.doNotDisturb'), 'false');
    anna.do((core, now) => core.hangUp(now));
  });
}

t.test('a call straight to the address of the phone disturbs as little as one to a line', async (t) => {
  const house = new SimulatedHouse();
  const phone = house.phone('anna', { acceptDirectCalls: true });
  const peer = house.peer();
  phone.do((core, now) => core.setDoNotDisturb(now, true));
  peer.call(`sip:${phone.host.address}`);
  house.run(200);
  t.match(peer.eventsOf('failed'), [{ statusCode: 480 }]);
});

t.test('RFC 3261 §21.3.3 a line that forwards answers 302, and the caller goes on', async (t) => {
  const house = new SimulatedHouse();
  const anna = house.phone('anna');
  const bert = house.phone('bert', { settings: { 'line.1.forward': 'sip:carl@house.example' } });
  const carl = house.phone('carl');
  anna.do((core, now) => core.call(now, 'bert'));
  house.run(500);
  t.strictSame(carl.callStates, ['ringing']);
  t.strictSame(bert.callStates, []);
  t.match(bert.callLog, [{ outcome: 'forwarded', statusCode: 302 }]);
  t.equal(bert.status.missedCalls, 0);
  t.equal(bert.status.lines[0]?.forward, 'sip:carl@house.example');
  carl.lift();
  house.run(300);
  t.strictSame(anna.callStates, ['active']);
});

/** What a registrar tells without being asked, to the contact that the phone registered. */
function tellMessages(house: SimulatedHouse, phone: SimulatedPhone, waiting: boolean, from = house.exchangeHost): void {
  const register = house.network.packets.find(({ text, from: sender }) => sender === phone.host.name && text.startsWith('REGISTER'));
  const contact = /^Contact: <([^>]+)>/m.exec(register?.text ?? '')?.[1] ?? '';
  const body = `Messages-Waiting: ${waiting ? 'yes' : 'no'}\r\nVoice-Message: ${waiting ? '2/5' : '0/5'}\r\n`;
  const lines = [
    `NOTIFY ${contact} SIP/2.0`,
    `Via: SIP/2.0/UDP ${from.address}:5060;branch=z9hG4bKmwi${house.network.now}`,
    'Max-Forwards: 70',
    'From: <sip:anna@house.example>;tag=mwi',
    'To: <sip:anna@house.example>',
    `Call-ID: mwi${house.network.now}`,
    'CSeq: 1 NOTIFY',
    'Event: message-summary',
    'Subscription-State: active',
    `Contact: <sip:mwi@${from.address}>`,
    'Content-Type: application/simple-message-summary',
    `Content-Length: ${body.length}`,
  ];
  from.sendText({ address: phone.host.address, port: 5060 }, `${lines.join('\r\n')}\r\n\r\n${body}`);
  house.run(100);
}

t.test('RFC 3842 waiting messages light the lamp and stutter the dial tone', async (t) => {
  const house = new SimulatedHouse();
  const phone = house.phone('anna');
  tellMessages(house, phone, true);
  t.equal(phone.led('message'), 'on');
  t.match(phone.status.lines[0]?.messageWaiting, { waiting: true, newMessages: 2, oldMessages: 5 });
  t.match(phone.status.display, ['anna', 'New messages']);
  phone.lift();
  t.equal(phone.ear, 'stutterDial');
  phone.hangUp();
  tellMessages(house, phone, false);
  t.equal(phone.led('message'), 'off');
  phone.lift();
  t.equal(phone.ear, 'dial');
});

t.test('RFC 3842 a stranger cannot light the lamp', async (t) => {
  const house = new SimulatedHouse();
  const phone = house.phone('anna');
  tellMessages(house, phone, true, house.network.host('10.6.6.6'));
  t.equal(phone.led('message'), 'off');
});

t.test('RFC 3842 a line asks for messages when it is told to, and stops when it is told that', async (t) => {
  const house = new SimulatedHouse();
  const phone = house.phone('anna');
  const subscribes = () =>
    house.network.packets.filter(({ text, from }) => from === phone.host.name && text.startsWith('SUBSCRIBE')).length;
  t.equal(subscribes(), 0);
  phone.changeSettings({ 'line.1.subscribeMessages': 'true' });
  house.run(1_000);
  const asked = subscribes();
  t.ok(asked > 0);
  phone.changeSettings({ 'line.1.subscribeMessages': 'false' });
  house.run(10_000);
  const then = subscribes();
  house.run(600_000);
  t.equal(subscribes(), then, 'it asks no more');
  t.equal(registration(phone)?.state, 'registered');
});

t.test('a stranger cannot ring the phone unless direct calls are accepted', async (t) => {
  const house = new SimulatedHouse();
  const phone = house.phone('anna');
  const stranger = house.peer();
  stranger.call(`sip:anna@${phone.host.address}`);
  house.run(200);
  t.match(stranger.eventsOf('failed'), [{ statusCode: 403 }]);
  t.strictSame(phone.callStates, []);
});

t.test('settings of sound and board reach media and hal at once', async (t) => {
  const house = new SimulatedHouse();
  const phone = house.phone('anna');
  const last = () => phone.media.commands.findLast(({ name }) => name === 'configure')?.args;
  t.match(last(), { country: 'us', devices: { handset: { driver: 'silence' }, ringer: { driver: 'silence' } } });
  phone.changeSettings({
    'phone.country': 'de',
    'audio.handset.driver': 'wav',
    'audio.handset.input': '/voice.wav',
    'audio.ringer.volume': '40',
  });
  t.match(last(), { country: 'de', devices: { handset: { driver: 'wav', input: '/voice.wav', output: null, loop: true } } });
  t.match(phone.media.commands.filter(({ name }) => name === 'setVolume').at(-1)?.args, { device: 'ringer', volume: 40 });
  const before = phone.media.commands.length;
  phone.changeSettings({ 'phone.interDigitMs': '5000' });
  t.equal(phone.media.commands.length, before, 'what does not concern it is not said again');
});

t.test('codecs and digit modes hold from the next call on', async (t) => {
  const house = new SimulatedHouse();
  const phone = house.phone('anna');
  phone.changeSettings({ 'rtp.codecs': 'PCMA', 'rtp.ptime': '30', 'phone.infoFormat': 'dtmf' });
  const bert = house.phone('bert');
  phone.do((core, now) => core.call(now, 'bert'));
  house.run(200);
  const invite = house.network.packets.findLast(({ from, text }) => from === phone.host.name && text.startsWith('INVITE'))?.text ?? '';
  t.match(invite, /m=audio \d+ RTP\/AVP 8 101/);
  t.match(invite, /a=ptime:30/);
  bert.lift();
  house.run(200);
  phone.digit('5');
  house.run(200);
  t.match(house.network.packets.findLast(({ text }) => text.startsWith('INFO'))?.text, /application\/dtmf\r\n/);
});

t.test('snapshots come at most ten times a second, and only when something is new', async (t) => {
  const house = new SimulatedHouse();
  const phone = house.phone('anna');
  house.run(1_000);
  const before = phone.statuses.length;
  house.run(10_000);
  t.equal(phone.statuses.length, before, 'nothing happened');
  phone.lift();
  for (let press = 0; press < 20; press++) {
    phone.pressKey('1');
    house.run(10);
  }
  house.run(1_000);
  const told = phone.statuses.length - before;
  t.ok(told >= 2 && told <= 5, `${told} snapshots of 40 key edges in 200 ms`);
  t.equal(phone.statuses.at(-1)?.dialed, '1'.repeat(20), 'the last one shows how it stands');
});

t.test('facts are numbered and carry the time of day', async (t) => {
  const house = new SimulatedHouse();
  const phone = house.phone('anna');
  phone.lift();
  house.run(100);
  t.strictSame(
    phone.facts.map(({ sequence }) => sequence),
    phone.facts.map((_, index) => index + 1),
  );
  t.ok(phone.facts.every(({ at }) => at > Date.UTC(2030, 0, 1)));
  t.match(phone.factsOf('hook'), [{ position: 'offHook' }]);
});

t.test('§20.17 a clock that differs from that of the registrar is said, and never set', async (t) => {
  const house = new SimulatedHouse();
  const right = house.phone('anna');
  t.notMatch(right.status.notices.join(), /clock/, 'an exchange that does not know the time says none');
  // The phone believes in another epoch than the exchange.
  house.network.wallShift = 1_600_000_000_000;
  const wrong = house.phone('bert');
  t.match(wrong.status.notices.join(), /the clock of this device is \d+ days ahead of that of the server of line 1: see to it/);
});
