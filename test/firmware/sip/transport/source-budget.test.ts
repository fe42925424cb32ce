import t from 'tap';
import { SourceBudget } from '#firmware/sip/transport/source-budget.ts';
import { SimulatedNetwork } from '#test/support/simulated-network.ts';
import { accountAt, ScriptedPeer, TestAgent } from '#test/support/sip-agents.ts';

t.test('an address may send its share, four seconds of it at once, and gets more with time', async (t) => {
  const budget = new SourceBudget(10);
  const admitted = (now: number, count: number, address = 'a'): number =>
    Array.from({ length: count }, () => budget.admits(now, address)).filter(Boolean).length;
  t.equal(admitted(0, 100), 40);
  t.equal(admitted(0, 100, 'b'), 40, 'each its own');
  t.equal(admitted(500, 100), 5);
  t.equal(admitted(1_000_000, 100), 40, 'silence does not save up more');
  t.equal(new SourceBudget(0).admits(0, 'a'), true);
});

t.test('what is remembered is bounded; those silent longest are forgotten', async (t) => {
  const budget = new SourceBudget(1);
  for (let i = 0; i < 4; i++) t.ok(budget.admits(0, 'a'));
  t.notOk(budget.admits(0, 'a'));
  for (let i = 0; i < 511; i++) budget.admits(0, `other ${i}`);
  t.notOk(budget.admits(0, 'a'));
  for (let i = 0; i < 512; i++) budget.admits(0, `other ${i}`);
  t.ok(budget.admits(0, 'a'));
});

t.test('a flood of a stranger is dropped unread and counted; a server of ours and this machine are not', async (t) => {
  const network = new SimulatedNetwork();
  const flood = (from: string): number => {
    const registrar = new ScriptedPeer(network, '192.0.2.1');
    const phone = new TestAgent(network, '192.0.2.10', { messagesPerSecond: 5 });
    phone.userAgent.setAccount(network.now, accountAt(registrar.host, 'alice'));
    const source = from === '192.0.2.1' ? registrar : new ScriptedPeer(network, from);
    for (let i = 0; i < 100; i++) {
      source.host.sendText(
        phone.host,
        `OPTIONS sip:192.0.2.10 SIP/2.0\r\nVia: SIP/2.0/UDP ${from};branch=z9hG4bK${from}${i}\r\nMax-Forwards: 70\r\nFrom: <sip:x@${from}>;tag=1\r\n` +
          `To: <sip:192.0.2.10>\r\nCall-ID: ${from}${i}\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n`,
      );
    }
    network.run(1_000);
    const { counters } = phone.userAgent.describe() as { counters: Record<string, number> };
    t.equal(counters['source-over-budget'] ?? 0, 100 - source.responses(200).length);
    return source.responses(200).length;
  };
  t.equal(flood('192.0.2.66'), 20);
  t.equal(flood('192.0.2.1'), 100);
  t.equal(flood('127.0.0.1'), 100);
});

t.test(
  'RFC 3261 §21.5.7 a datagram above the limits of messages is answered 513; past the cap of transactions 503 with Retry-After',
  async (t) => {
    const network = new SimulatedNetwork();
    const settings = { messageLimits: { messageBytes: 700, headerBytes: 500 }, maximumTransactions: 2, acceptDirectCalls: true };
    const phone = new TestAgent(network, '192.0.2.10', settings);
    const stranger = new ScriptedPeer(network, '192.0.2.66');
    const send = (branch: string, extra = '', body = ''): void =>
      stranger.host.sendText(
        phone.host,
        `OPTIONS sip:192.0.2.10 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.66;branch=z9hG4bK${branch}\r\nMax-Forwards: 70\r\n` +
          `From: <sip:x@192.0.2.66>;tag=1\r\nTo: <sip:192.0.2.10>\r\nCall-ID: ${branch}\r\nCSeq: 1 OPTIONS\r\n${extra}` +
          `Content-Length: ${body.length}\r\n\r\n${body}`,
      );
    send('large', '', 'x'.repeat(600));
    send('header', `Subject: ${'x'.repeat(500)}\r\n`);
    network.run(100);
    t.same(stranger.statuses(), [513, 513]);
    for (const branch of ['a', 'b', 'c']) send(branch);
    network.run(100);
    t.same(stranger.statuses().slice(2).sort(), [200, 200, 503]);
    t.ok((stranger.responses(503)[0]?.retryAfter ?? 0) > 0);
  },
);
