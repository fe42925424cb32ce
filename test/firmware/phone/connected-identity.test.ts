import t from 'tap';
import { SimulatedHouse } from '#test/support/simulated-house.ts';

/** A call from a phone that the far end has accepted, and a way to send messages in its name. */
function talking(settings: Readonly<Record<string, string>> = {}) {
  const house = new SimulatedHouse();
  const phone = house.barePhone({ settings });
  const peer = house.peer();
  phone.do((core, now) => core.call(now, peer.uri));
  house.run(100);
  peer.accept();
  house.run(200);
  return { house, phone, peer };
}

/** An UPDATE of the far end in the call, whose From is another one, with these lines. */
function updateFrom({ house, phone, peer }: ReturnType<typeof talking>, from: string, ...lines: readonly string[]): void {
  const accepted = house.network.packets.findLast(({ text }) => text.startsWith('SIP/2.0 200') && text.includes(' INVITE'))?.text ?? '';
  const invite = house.network.packets.find(({ text }) => text.startsWith('INVITE'))?.text ?? '';
  const field = (text: string, name: string) => new RegExp(`^${name}: (.*)$`, 'm').exec(text)?.[1] ?? '';
  const contact = /<([^>]+)>/.exec(field(invite, 'Contact'))?.[1] ?? '';
  const tag = /tag=.*$/.exec(field(accepted, 'To'))?.[0] ?? '';
  const head = [`UPDATE ${contact} SIP/2.0`, `Via: SIP/2.0/UDP ${peer.address};branch=z9hG4bK${house.network.now}`, 'Max-Forwards: 70'];
  head.push(`From: ${from};${tag}`, `To: ${field(invite, 'From')}`, `Call-ID: ${field(invite, 'Call-ID')}`, 'CSeq: 77 UPDATE');
  peer.host.sendText(phone.host, [...head, `Contact: <${peer.uri}>`, ...lines, 'Content-Length: 0', '', ''].join('\r\n'));
  house.run(200);
}

t.test('RFC 4916 §4.4 an UPDATE whose From is another one shows with whom the call is now', async (t) => {
  const call = talking();
  updateFrom(call, '"Dora" <sip:dora@10.0.1.9>');
  t.match(call.phone.calls, [{ state: 'active', remote: { displayName: 'Dora', uri: 'sip:dora@10.0.1.9' } }]);
  call.phone.do((core, now) => core.hangUp(now));
  call.house.run(100);
  const bye = call.house.network.packets.findLast(({ text }) => text.startsWith('BYE'))?.text ?? '';
  t.match(bye, /\r\nTo: "Dora" <sip:dora@10\.0\.1\.9>;tag=/, '§4.3 later requests go to those');
});

t.test('RFC 3325 §5 a stranger is not believed whom he asserts, and a broken From changes nothing', async (t) => {
  const call = talking();
  const before = call.phone.calls[0]?.remote;
  updateFrom(call, `<${call.peer.uri}>`, 'P-Asserted-Identity: "Police" <sip:110@example.org>');
  t.strictSame(call.phone.calls[0]?.remote, before);
  updateFrom(call, '"Nobody" <<>');
  t.strictSame(call.phone.calls[0]?.remote, before);
  t.strictSame(call.phone.callStates, ['active']);
});

t.test('RFC 4916 §5 a server of the line says in its 200 and later who has accepted', async (t) => {
  const house = new SimulatedHouse();
  const peer = house.peer();
  const settings = { 'line.1.aor': `sip:phone@${peer.address}`, 'line.1.register': 'off', 'line.1.outboundProxy': `sip:${peer.address}` };
  const phone = house.barePhone({ settings });
  phone.do((core, now) => core.call(now, '200'));
  house.run(100);
  const stop = house.network.intercept(({ text }) => (text.startsWith('SIP/2.0 200') ? 'drop' : undefined));
  peer.accept();
  house.run(10);
  stop();
  const accepted = house.network.packets.findLast(({ text }) => text.startsWith('SIP/2.0 200'))?.text ?? '';
  peer.host.sendText(phone.host, accepted.replace('\r\nContact', '\r\nP-Asserted-Identity: "Reception" <sip:0@10.0.1.1>\r\nContact'));
  house.run(200);
  t.match(phone.calls, [{ state: 'active', remote: { displayName: 'Reception', uri: 'sip:0@10.0.1.1' } }]);
});
