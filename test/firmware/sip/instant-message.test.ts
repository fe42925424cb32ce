import t from 'tap';
import type { UserAgentSettings } from '#firmware/sip/user-agent-settings.ts';
import { ScriptedRegistrar } from '#test/support/scripted-registrar.ts';
import { SimulatedNetwork } from '#test/support/simulated-network.ts';
import { accountAt, answer, directAgent, offer, parsed, ScriptedPeer, TestAgent } from '#test/support/sip-agents.ts';

function scene(settings: Partial<UserAgentSettings> = {}) {
  const network = new SimulatedNetwork();
  const alice = directAgent(network, '192.0.2.1', 'alice');
  const bob = directAgent(network, '192.0.2.2', 'bob', settings);
  const send = (text: string) => {
    const message = alice.userAgent.sendText(network.now, { account: 'alice', target: bob.uri('bob'), text });
    alice.host.settle();
    network.run(200);
    return message;
  };
  return { network, alice, bob, send };
}

t.test('RFC 3428 §4, §7 a message arrives as it was written, is answered with 200, and makes no dialog', async (t) => {
  const { network, alice, bob, send } = scene();
  const message = send('Kaffee? ☕ “jetzt”');
  t.match(bob.last('textReceived'), { account: 'bob', text: 'Kaffee? ☕ “jetzt”' });
  t.equal(bob.last('textReceived').from.uri.toString(), 'sip:alice@192.0.2.1');
  t.match(alice.all('textAnswered'), [{ message, statusCode: 200 }]);
  const request = parsed(network.packets[0]?.text ?? '');
  t.match(request.header('Content-Type'), /^text\/plain;\s*charset=UTF-8$/);
  t.equal(request.header('Contact'), undefined, 'RFC 3428 §4');
  t.ok((network.packets[0]?.bytes.length ?? 0) < 1_300);
  t.equal((bob.userAgent.describe() as { dialogs: number }).dialogs, 0);
});

t.test('RFC 3428 §8 a text that would make the request too large is not sent', async (t) => {
  const { alice, network, bob, send } = scene();
  t.throws(() => alice.userAgent.sendText(network.now, { account: 'alice', target: bob.uri('bob'), text: 'ü'.repeat(401) }), {
    code: 'text-too-long',
  });
  send('x'.repeat(800));
  t.ok(network.packets.every(({ bytes }) => bytes.length < 1_300));
  t.equal(bob.last('textReceived').text.length, 800);
});

t.test('an answer that never comes is 408', async (t) => {
  const { alice, bob, network, send } = scene();
  bob.host.detach();
  send('hello?');
  network.run(33_000);
  t.match(alice.all('textAnswered'), [{ statusCode: 408 }]);
});

t.test('what is refused: 403, 415, 513, 400', async (t) => {
  const { network, bob } = scene();
  const peer = new ScriptedPeer(network, '192.0.2.9');
  let number = 0;
  const answerTo = (type: string, body: string, to = bob, encoding = ''): number => {
    number++;
    const lines = [
      `MESSAGE sip:${to === bob ? 'bob' : 'carol'}@${to.host.address} SIP/2.0`,
      `Via: SIP/2.0/UDP 192.0.2.9;branch=z9hG4bKm${number}`,
      'Max-Forwards: 70',
      'From: <sip:peer@192.0.2.9>;tag=1',
      `To: <sip:bob@${to.host.address}>`,
      `Call-ID: m${number}`,
      'CSeq: 1 MESSAGE',
      ...(type === '' ? [] : [`Content-Type: ${type}`]),
      ...(encoding === '' ? [] : [`Content-Encoding: ${encoding}`]),
      `Content-Length: ${new TextEncoder().encode(body).length}`,
    ];
    peer.host.sendText(to.host, `${lines.join('\r\n')}\r\n\r\n${body}`);
    network.run(100);
    return peer.statuses().at(-1) ?? 0;
  };
  t.equal(answerTo('text/plain', 'hi'), 200);
  t.equal(answerTo('TEXT/plain; charset="utf-8"', 'hi'), 200);
  t.equal(answerTo('text/html', '<b>hi</b>'), 415);
  t.equal(peer.responses(415)[0]?.header('Accept'), 'text/plain, application/im-iscomposing+xml');
  t.equal(answerTo('', 'hi'), 415);
  t.equal(answerTo('text/plain', 'hi', bob, 'gzip'), 415);
  t.equal(answerTo('text/plain', 'x'.repeat(1_301)), 513);
  t.equal(answerTo('text/plain', ''), 400);
  const quiet = directAgent(network, '192.0.2.3', 'carol', { acceptMessages: false });
  t.equal(answerTo('text/plain', 'hi', quiet), 403);
  t.same([quiet.all('textReceived').length, bob.all('textReceived').length], [0, 2]);
});

t.test('a message is taken from the server of the account alone, and sent by it with credentials', async (t) => {
  const network = new SimulatedNetwork();
  const registrar = new ScriptedRegistrar(network, '192.0.2.50');
  const alice = new TestAgent(network, '192.0.2.1');
  alice.userAgent.setAccount(network.now, accountAt(registrar.host, 'alice'));
  alice.host.settle();
  network.run(1_000);
  const stranger = new ScriptedPeer(network, '192.0.2.66');
  const text = (from: string) =>
    `MESSAGE sip:alice@192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/UDP ${from};branch=z9hG4bK${from}\r\nMax-Forwards: 70\r\nFrom: <sip:x@example.org>;tag=1\r\n` +
    `To: <sip:alice@example.org>\r\nCall-ID: ${from}\r\nCSeq: 1 MESSAGE\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nhi`;
  stranger.host.sendText(alice.host, text('192.0.2.66'));
  network.run(100);
  t.same(stranger.statuses(), [403]);
  registrar.host.sendText(alice.host, text('192.0.2.50'));
  network.run(100);
  t.equal(alice.all('textReceived').length, 1);
});

t.test('RFC 3428 §7 within a call it is taken as well', async (t) => {
  const { network, alice, bob } = scene();
  alice.userAgent.invite(network.now, { account: 'alice', target: bob.uri('bob'), body: offer });
  network.run(100);
  bob.userAgent.accept(network.now, bob.last('incoming').session, answer);
  network.run(1_000);
  const ack = network.packets.findLast(({ text }) => text.startsWith('ACK'))?.text ?? '';
  const inside = ack
    .replace('ACK ', 'MESSAGE ')
    .replace('1 ACK', '2 MESSAGE')
    .replace(/branch=[^;\r]*/, 'branch=z9hG4bKinside')
    .replace(/Content-Length: 0\r\n\r\n$/, 'Content-Type: text/plain\r\nContent-Length: 2\r\n\r\nhi');
  alice.host.sendText(bob.host, inside);
  network.run(100);
  t.equal(bob.last('textReceived').text, 'hi');
});
