import t from 'tap';
import { SimulatedNetwork } from '#test/support/simulated-network.ts';
import { accountAt, ScriptedPeer, TestAgent } from '#test/support/sip-agents.ts';

/** Who calls, as an account is told, by an INVITE of its own server or of a stranger with these header lines. */
function toldBy(sender: 'server' | 'stranger', ...lines: readonly string[]): string {
  const network = new SimulatedNetwork();
  const server = new ScriptedPeer(network, '192.0.2.10');
  const stranger = new ScriptedPeer(network, '192.0.2.66');
  const agent = new TestAgent(network, '192.0.2.20', { acceptDirectCalls: true });
  agent.userAgent.setAccount(network.now, accountAt(server.host, 'alice'));
  const head = ['INVITE sip:alice@192.0.2.20 SIP/2.0', 'Via: SIP/2.0/UDP 192.0.2.99;branch=z9hG4bKa', 'Max-Forwards: 70'];
  head.push('From: "Bob" <sip:+4930@example.org>;tag=f', 'To: <sip:alice@example.org>', 'Call-ID: who', 'CSeq: 1 INVITE');
  const text = [...head, 'Contact: <sip:bob@192.0.2.99>', ...lines, 'Content-Length: 0', '', ''].join('\r\n');
  (sender === 'server' ? server : stranger).host.sendText(agent.host, text);
  network.run(50);
  return agent.last('incoming').asserted?.toString() ?? 'nobody';
}

t.test('RFC 3325 §9.1 the server of the account says who calls', async (t) => {
  t.equal(toldBy('server', 'P-Asserted-Identity: "Robert" <sip:bob@example.org>'), '"Robert" <sip:bob@example.org>');
  t.equal(toldBy('server', 'P-Asserted-Identity: <sip:bob@example.org>, <tel:+4930>'), '<sip:bob@example.org>');
  t.equal(toldBy('server', 'P-Asserted-Identity: tel:+4930'), 'tel:+4930');
  t.equal(toldBy('server'), 'nobody');
});

t.test('RFC 3325 §5 nobody else is believed', async (t) => {
  t.equal(toldBy('stranger', 'P-Asserted-Identity: "Police" <sip:110@example.org>'), 'nobody');
});

t.test('a number without a name keeps that of From when both are of the same user', async (t) => {
  t.equal(toldBy('server', 'P-Asserted-Identity: <sip:+4930@trunk.example>'), '"Bob" <sip:+4930@trunk.example>');
  t.equal(toldBy('server', 'P-Asserted-Identity: <sip:+4940@trunk.example>'), '<sip:+4940@trunk.example>');
});

t.test('RFC 3323 §4.2 who wants to be nobody is not told, whatever the server says', async (t) => {
  for (const privacy of ['id', 'header;critical', 'none; ID', 'session, user']) {
    t.equal(toldBy('server', 'P-Asserted-Identity: <sip:bob@example.org>', `Privacy: ${privacy}`), 'nobody', privacy);
  }
  t.equal(toldBy('server', 'P-Asserted-Identity: <sip:bob@example.org>', 'Privacy: none'), '<sip:bob@example.org>');
});

t.test('what is malformed says nothing', async (t) => {
  for (const value of ['', '<', '"Bob', 'sip:', ','.repeat(500), `<sip:${'x'.repeat(3_000)}`]) {
    t.equal(toldBy('server', `P-Asserted-Identity: ${value}`), 'nobody');
  }
});
