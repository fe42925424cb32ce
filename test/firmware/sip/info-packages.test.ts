import t from 'tap';
import { SimulatedNetwork } from '#test/support/simulated-network.ts';
import { answer, directAgent, offer, parsed } from '#test/support/sip-agents.ts';

/** Two agents in a call; `rewrite` may change what is on the wire between them. */
function call(rewrite: (text: string) => string = (text) => text) {
  const network = new SimulatedNetwork();
  const alice = directAgent(network, '192.0.2.1', 'alice');
  const bob = directAgent(network, '192.0.2.2', 'bob');
  network.intercept(({ text, from }) => {
    const rewritten = rewrite(text);
    if (rewritten === text) return undefined;
    const [sender, receiver] = from === alice.host.name ? [alice, bob] : [bob, alice];
    sender.host.sendText(receiver.host, rewritten);
    return 'drop';
  });
  const session = alice.userAgent.invite(network.now, { account: 'alice', target: bob.uri('bob'), body: offer });
  alice.host.settle();
  network.run(100);
  bob.userAgent.accept(network.now, bob.last('incoming').session, answer);
  bob.host.settle();
  network.run(100);
  const digit = () => {
    const body = { contentType: 'application/dtmf-relay', bytes: new TextEncoder().encode('Signal=5\r\nDuration=160\r\n') };
    alice.userAgent.info(network.now, session, body);
    alice.host.settle();
    network.run(100);
    const sent = network.packets.findLast(({ text }) => text.startsWith('INFO '));
    return { request: parsed(sent?.text ?? ''), statusCode: alice.last('infoAnswered').statusCode };
  };
  return { alice, bob, network, digit };
}

t.test('RFC 6086 §4.2 a digit goes by the info package that the far end has asked for, else as ever since', async (t) => {
  const modern = call();
  const { request, statusCode } = modern.digit();
  t.equal(statusCode, 200);
  t.equal(request.header('Info-Package'), 'infoDtmf');
  t.equal(request.header('Content-Disposition'), 'Info-Package');
  t.equal(modern.bob.all('info').length, 1);
  const old = call((text) => text.replace('Recv-Info: infoDtmf\r\n', ''));
  t.equal(old.digit().request.header('Info-Package'), undefined);
  t.equal(old.bob.all('info').length, 1);
});

t.test('RFC 6086 §4.2.2 an INFO of a package nobody has asked for is 469 and says which may come; the call goes on', async (t) => {
  const { bob, digit, network, alice } = call((text) => text.replace('Info-Package: infoDtmf', 'Info-Package: poker;hand=1'));
  t.equal(digit().statusCode, 469);
  const refusal = network.packets.findLast(({ text }) => text.startsWith('SIP/2.0 469'));
  t.equal(parsed(refusal?.text ?? '').header('Recv-Info'), 'infoDtmf');
  t.equal(bob.all('info').length, 0);
  t.match(bob.userAgent.describe(), { counters: { 'info-package-unknown': 1 } });
  t.equal(alice.all('ended').length, 0);
});
