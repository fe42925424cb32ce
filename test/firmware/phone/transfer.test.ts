import t from 'tap';
import { parseUri } from '#firmware/sip/message/uri.ts';
import { SimulatedHouse } from '#test/support/simulated-house.ts';
import type { SimulatedPhone } from '#test/support/simulated-phone.ts';

/** Anna, Bert and Carl at one exchange; Anna and Bert talk. */
function talking(settings: Readonly<Record<string, string>> = {}) {
  const house = new SimulatedHouse();
  const anna = house.phone('anna', { settings });
  const bert = house.phone('bert', { settings });
  const carl = house.phone('carl', { settings });
  connect(house, anna, 'bert', bert);
  return { house, anna, bert, carl };
}

function connect(house: SimulatedHouse, from: SimulatedPhone, name: string, to: SimulatedPhone): void {
  from.do((core, now) => core.call(now, name));
  house.run(500);
  to.lift();
  house.run(1_000);
}

const transfer = (phone: SimulatedPhone, target?: string) => phone.do((core, now) => core.transfer(now, { target }));
/** A NOTIFY that overtakes the 202 leaves no need to tell of that. */
const stages = (phone: SimulatedPhone) => phone.factsOf('call.transfer').flatMap(({ stage }) => (stage === 'accepted' ? [] : [stage]));
const remotes = (phone: SimulatedPhone) => phone.calls.map(({ remote, state }) => `${/sip:(\w+)@/.exec(remote.uri)?.[1]} ${state}`);

t.test('RFC 5589 §6.1 blind: the far end calls the target, who rings and accepts; we are out of it', async (t) => {
  const { house, anna, bert, carl } = talking();
  transfer(anna, 'carl');
  house.run(500);
  t.match(anna.calls, [{ state: 'active', transfer: 'underWay' }], 'until it has worked we keep the call');
  t.match(anna.status.display[1], 'Transferring …');
  t.same(remotes(bert), ['anna held', 'carl ringback']);
  t.equal(carl.callStates[0], 'ringing');
  t.match(carl.factsOf('call.referred'), [{ by: /<sip:anna@house\.example>/ }], 'RFC 3892 the target learns who sent him');
  carl.lift();
  house.run(1_000);
  t.same(anna.calls, []);
  t.same(remotes(bert), ['carl active']);
  t.same(remotes(carl), ['bert active']);
  t.same(stages(anna), ['asked', 'progress', 'progress', 'done']);
  t.equal(bert.ear, undefined);
  house.run(3_000);
  t.ok((bert.calls[0]?.media?.packetsReceived ?? 0) > 50, 'and they hear each other');
});

t.test('RFC 5589 §6.2 blind, but the target does not want: both ends are back where they were', async (t) => {
  const { house, anna, bert, carl } = talking();
  transfer(anna, 'carl');
  house.run(500);
  carl.do((core, now) => core.hangUp(now));
  house.run(1_000);
  t.match(anna.calls, [{ state: 'active', transfer: 'failed' }]);
  t.match(anna.status.display[1], 'Transfer failed');
  t.match(anna.factsOf('call.transfer').at(-1), { stage: 'failed', statusCode: 603 });
  t.same(remotes(bert), ['anna active']);
  transfer(anna, 'dora');
  house.run(1_000);
  t.match(anna.factsOf('call.transfer').at(-1), { stage: 'failed' }, 'nobody is registered there');
  t.same(remotes(bert), ['anna active']);
  house.run(2_000);
  t.equal(anna.calls[0]?.heldByRemote, false);
});

t.test('RFC 5589 §7 attended: after talking to the target the two are connected by Replaces', async (t) => {
  const { house, anna, bert, carl } = talking();
  anna.do((core, now) => core.hold(now));
  house.run(500);
  connect(house, anna, 'carl', carl);
  t.same(remotes(anna), ['bert held', 'carl active']);
  anna.pressKey('transfer');
  house.run(2_000);
  t.same(anna.calls, []);
  t.same(remotes(bert), ['carl active']);
  t.same(remotes(carl), ['bert active']);
  t.equal(carl.bell, undefined, 'the target does not ring again');
  t.equal(carl.ear, undefined);
  t.equal(stages(anna).at(-1), 'done');
  house.run(3_000);
  t.ok((carl.calls[0]?.media?.packetsReceived ?? 0) > 50);
  carl.hangUp();
  house.run(1_000);
  t.same([bert.calls, carl.calls], [[], []]);
});

t.test('RFC 5589 §7.5 the target rings yet: our call to it is given up and the far end calls it', async (t) => {
  const { house, anna, bert, carl } = talking();
  anna.do((core, now) => core.hold(now));
  house.run(500);
  anna.do((core, now) => core.call(now, 'carl'));
  house.run(500);
  t.same(remotes(anna), ['bert held', 'carl ringback']);
  anna.pressKey('transfer');
  house.run(2_000);
  t.same(remotes(anna), ['bert active']);
  t.same(remotes(bert), ['anna held', 'carl ringback']);
  t.same(remotes(carl), ['bert ringing'], 'rings once, for bert');
  carl.lift();
  house.run(2_000);
  t.same(anna.calls, []);
  t.same([remotes(bert), remotes(carl)], [['carl active'], ['bert active']]);
  t.equal(stages(anna).at(-1), 'done');
});

t.test('RFC 4488 line.1.followTransfers false: the call is left as soon as the far end has agreed, blind and attended', async (t) => {
  const { house, anna, bert, carl } = talking({ 'line.1.followTransfers': 'false' });
  transfer(anna, 'carl');
  house.run(500);
  t.same(anna.calls, []);
  t.same(remotes(bert), ['carl ringback']);
  carl.lift();
  house.run(1_000);
  t.same(remotes(bert), ['carl active']);
  bert.hangUp();
  house.run(1_000);
  carl.hangUp();
  house.run(1_000);
  connect(house, anna, 'bert', bert);
  anna.do((core, now) => core.hold(now));
  house.run(500);
  connect(house, anna, 'carl', carl);
  transfer(anna);
  house.run(2_000);
  t.same([anna.calls, remotes(bert), remotes(carl)], [[], ['carl active'], ['bert active']]);
});

t.test('RFC 3515 calls by click: the exchange has the phone call, hands-free, and hears how it goes', async (t) => {
  const house = new SimulatedHouse();
  const anna = house.phone('anna', { settings: { 'line.1.acceptRefer': 'server' } });
  const bert = house.phone('bert');
  let count = 0;
  const click = (target: string): void => {
    count++;
    const lines = [
      'REFER sip:anna@10.0.0.10 SIP/2.0',
      `Via: SIP/2.0/UDP 10.0.0.1;branch=z9hG4bKclick${count}`,
      'Max-Forwards: 70',
      'From: <sip:page@house.example>;tag=p',
      'To: <sip:anna@house.example>',
      `Call-ID: click${count}`,
      'CSeq: 1 REFER',
      'Contact: <sip:page@10.0.0.1>',
      `Refer-To: <${target}>`,
      'Content-Length: 0',
    ];
    house.exchangeHost.sendText(anna.host, `${lines.join('\r\n')}\r\n\r\n`);
    house.run(500);
  };
  const answers = () =>
    house.network.packets.filter(({ text }) => /^SIP.*\r\n(?:.*\r\n)*CSeq: 1 REFER/.test(text)).map(({ text }) => text.slice(8, 11));
  click('sip:bert@house.example');
  t.same(remotes(anna), ['bert ringback']);
  t.same(remotes(bert), ['anna ringing']);
  bert.lift();
  house.run(1_000);
  t.same(remotes(anna), ['bert active']);
  click('sip:carl@house.example');
  t.same(remotes(anna), ['bert active'], 'who talks is not disturbed');
  anna.do((core, now) => core.hangUp(now));
  house.run(500);
  click('mailto:x@y');
  click('sip:bert@house.example;method=BYE');
  t.same(anna.calls, []);
  anna.changeSettings({ 'line.1.acceptRefer': 'off' });
  house.run(2_000);
  click('sip:bert@house.example');
  t.same(answers(), ['202', '486', '603', '603', '403']);
  t.match(
    anna.factsOf('call.referral').map(({ stage }) => stage),
    ['accepted', 'refused', 'refused', 'refused'],
  );
});

t.test('a transferor who hangs up at once hears nothing more; the other two go on', async (t) => {
  const { house, anna, bert, carl } = talking();
  transfer(anna, 'carl');
  house.run(200);
  anna.do((core, now) => core.hangUp(now));
  house.run(500);
  t.same(anna.calls, []);
  carl.lift();
  house.run(1_000);
  t.same(remotes(bert), ['carl active']);
});

t.test('the person who is sent on hangs up: the target stops ringing and the transferor is told', async (t) => {
  const { house, anna, bert, carl } = talking();
  transfer(anna, 'carl');
  house.run(500);
  bert.hangUp();
  house.run(1_000);
  t.same(carl.calls, []);
  t.match(anna.factsOf('call.transfer').at(-1), { stage: 'failed', statusCode: 487 });
  t.equal(bert.bell, 'ring', 'the call that was put aside rings back');
});

t.test('phone.acceptTransfers never: REFER and Replaces get 403 and nothing changes', async (t) => {
  const { house, anna, bert, carl } = talking({ 'phone.acceptTransfers': 'never' });
  transfer(anna, 'carl');
  house.run(500);
  t.match(anna.factsOf('call.transfer').at(-1), { stage: 'failed', statusCode: 403 });
  t.same(remotes(bert), ['anna active']);
  t.match(bert.factsOf('call.referral'), [{ stage: 'refused' }]);
  bert.changeSettings({ 'phone.acceptTransfers': 'inCall' });
  anna.do((core, now) => core.hold(now));
  house.run(500);
  connect(house, anna, 'carl', carl);
  transfer(anna);
  house.run(1_000);
  t.match(anna.factsOf('call.transfer').at(-1), { stage: 'failed', statusCode: 403 }, 'the target refuses to be taken over');
  t.same(remotes(anna), ['bert held', 'carl active']);
});

t.test('what can not be transferred is said', async (t) => {
  const house = new SimulatedHouse();
  const phone = house.barePhone();
  const peer = house.peer();
  t.throws(() => transfer(phone, 'sip:x@10.0.0.9'), { code: 'no-call' });
  t.throws(() => transfer(phone), { code: 'no-call' });
  phone.do((core, now) => core.call(now, peer.uri));
  house.run(100);
  t.throws(() => transfer(phone, 'sip:x@10.0.0.9'), { code: 'wrong-state' }, 'nobody has accepted yet');
  peer.accept();
  house.run(500);
  t.throws(() => transfer(phone, 'not a target!'), { code: 'not-a-target' });
  t.throws(() => phone.do((core, now) => core.transfer(now, { call: 'nope', target: peer.uri })), { code: 'unknown-call' });
  t.throws(() => transfer(phone), { code: 'no-call' }, 'one call is not two');
  transfer(phone, 'sip:x@10.0.0.9');
  t.throws(() => transfer(phone, 'sip:x@10.0.0.9'), { code: 'wrong-state' }, 'one at a time');
});

t.test('RFC 3515 §5 what a Refer-To may make us send: an INVITE with Replaces, no other header or method', async (t) => {
  const house = new SimulatedHouse();
  const phone = house.barePhone();
  const [peer, other] = [house.peer(), house.peer()];
  phone.do((core, now) => core.call(now, peer.uri));
  house.run(100);
  peer.accept();
  house.run(500);
  const refer = (text: string) => {
    const { agent } = peer;
    const target = uriOf(text);
    t.ok(peer.do((_, now) => agent.refer(now, peer.incoming, target)));
    house.run(500);
  };
  refer(`${other.uri};method=MESSAGE`);
  t.match(peer.eventsOf('referProgress').at(-1), { stage: 'concluded', statusCode: 603 });
  refer('mailto:somebody@example.org');
  t.match(peer.eventsOf('referProgress').at(-1), { stage: 'concluded', statusCode: 603 });
  refer(`${other.uri}?Subject=free&Replaces=c%0d%0aX-Evil:1%3Bto-tag%3Da%3Bfrom-tag%3Db&Alert-Info=auto&Route=%3Csip:evil%3E`);
  const invite = other.agent.describe() as { counters: object };
  t.ok(invite);
  t.same(other.eventsOf('incoming').length, 0, 'there is no such call to replace');
  const sent = house.network.packets.filter(({ text }) => text.startsWith('INVITE sip:peer@10.0.1.2')).at(-1)?.text ?? '';
  t.match(sent, /\r\nReplaces: c X-Evil:1;to-tag=a;from-tag=b\r\n/, 'on one line');
  t.notMatch(sent, /Subject|Alert-Info|Route|\nX-Evil/);
  t.match(peer.eventsOf('referProgress').at(-1), { stage: 'concluded', statusCode: 400 });
});

function uriOf(text: string) {
  const uri = parseUri(text);
  if (!uri) throw new Error(`${text} is no URI`);
  return uri;
}
