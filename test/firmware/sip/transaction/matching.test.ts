import t from 'tap';
import { buildErrorResponse } from '#firmware/sip/message/build.ts';
import type { Request } from '#firmware/sip/message/message.ts';
import { parseMessage } from '#firmware/sip/message/parse.ts';
import { octets, options } from '#test/vectors/sip-messages.ts';
import { answerTo, LayerDriver, requestOf, tcp, tcpTarget, udp, udpTarget } from './layer-driver.ts';

function branchOf(request: Request): string {
  return request.topVia.branch ?? '';
}

t.test('§17.2.3 branch, sent-by and method make a server transaction', async (t) => {
  const driver = new LayerDriver();
  const branch = 'z9hG4bKsame';
  driver.receive(requestOf('OPTIONS', { branch }), udp);
  driver.receive(requestOf('OPTIONS', { branch }), udp);
  t.strictSame(driver.take(), ['0 request OPTIONS'], 'the second is a retransmission');
  driver.receive(requestOf('OPTIONS', { branch, port: 5070, sequence: 2 }), udp);
  driver.receive(requestOf('INFO', { branch, toTag: 'p1' }), udp);
  driver.receive(requestOf('OPTIONS', { branch: `${branch}2`, sequence: 3 }), udp);
  t.strictSame(driver.take(), ['0 request OPTIONS', '0 request INFO', '0 request OPTIONS']);
});

t.test('§17.1.3 branch and the method of CSeq make a client transaction', async (t) => {
  const driver = new LayerDriver();
  const invite = requestOf('INVITE');
  const transaction = driver.request(invite, udpTarget);
  driver.receive(answerTo(requestOf('INVITE'), 200), udp);
  driver.receive(answerTo(requestOf('OPTIONS', { branch: branchOf(invite) }), 200), udp);
  driver.receive(answerTo(invite, 180), udp);
  t.strictSame(driver.take(), ['0 send INVITE', '0 stray 200', '0 stray 200', '0 response 180']);
  const output = driver.outputs.findLast((one) => one.type === 'response');
  t.equal(output?.transaction, transaction, 'told with the very transaction');
  t.throws(() => driver.request(requestOf('INVITE', { branch: branchOf(invite) }), udpTarget), { name: 'InvariantError' });
});

t.test('§17.2.3 requests of RFC 2543 are told apart by what else they say', async (t) => {
  const driver = new LayerDriver();
  const branch = 'old';
  const invite = requestOf('INVITE', { branch });
  const transaction = driver.accept(invite, udp);
  driver.receive(invite, udp);
  driver.receive(requestOf('INVITE', { branch, sequence: 2 }), udp);
  t.strictSame(driver.take(), ['0 request INVITE', '0 request INVITE']);
  driver.respond(transaction, 486);
  driver.receive(requestOf('ACK', { branch, toTag: 'other' }), udp);
  t.strictSame(driver.take(), ['0 send 486', '0 ack'], 'an ACK with another To tag is not its ACK');
  driver.receive(requestOf('ACK', { branch, toTag: 'p1' }), udp);
  driver.runTo(4_000);
  t.notMatch(driver.take().join(), 'send 486', 'the right one is');
});

t.test('RFC 4475 §3.2.1 requests whose branch is the cookie alone are not retransmissions of each other', async (t) => {
  const driver = new LayerDriver();
  driver.receive(requestOf('OPTIONS', { branch: 'z9hG4bK' }), udp);
  driver.receive(requestOf('OPTIONS', { branch: 'z9hG4bK', sequence: 2 }), udp);
  t.equal(driver.take().length, 2);
});

t.test('§17.1.1.3 the ACK of a 2xx goes to the user: with a branch of its own, and with that of the INVITE', async (t) => {
  const driver = new LayerDriver();
  const invite = requestOf('INVITE');
  driver.respond(driver.accept(invite, udp), 200);
  driver.take();
  driver.receive(requestOf('ACK', { toTag: 'p1' }), udp);
  driver.receive(requestOf('ACK', { branch: branchOf(invite), toTag: 'p1' }), udp);
  t.strictSame(driver.take(), ['0 ack', '0 ack']);
});

t.test('§9.2 a CANCEL finds its INVITE', async (t) => {
  const driver = new LayerDriver();
  const invite = requestOf('INVITE');
  const cancel = requestOf('CANCEL', { branch: branchOf(invite) });
  driver.receive(cancel, udp);
  t.strictSame(driver.take(), ['0 cancel of nothing']);
  const other = new LayerDriver();
  const transaction = other.accept(invite, udp);
  const cancelling = other.accept(cancel, udp);
  t.strictSame(other.take(), ['0 request INVITE', '0 cancel of an INVITE']);
  const output = other.outputs.findLast((one) => one.type === 'cancel');
  t.equal(output?.invite, transaction);
  other.respond(cancelling, 200);
  other.respond(transaction, 487);
  other.receive(cancel, udp);
  t.strictSame(other.take(), ['0 send 200', '0 send 487', '0 send 200'], 'a repeated CANCEL gets its answer again');
});

t.test('§9.2 a CANCEL that comes after the final response gets 200 with the same tag and changes nothing', async (t) => {
  for (const statusCode of [200, 486]) {
    const driver = new LayerDriver();
    const invite = requestOf('INVITE');
    driver.respond(driver.accept(invite, udp), statusCode, { toTag: 'final' });
    driver.take();
    driver.receive(requestOf('CANCEL', { branch: branchOf(invite) }), udp);
    t.strictSame(driver.take(), ['0 send 200']);
    t.equal(driver.lastSent.message.to.tag, 'final');
    t.equal(driver.lastSent.message.cSeq.method, 'CANCEL');
  }
});

t.test('§8.2.2.2 the same request by two paths is told to be merged', async (t) => {
  const driver = new LayerDriver();
  const first = driver.accept(requestOf('INVITE'), udp);
  driver.receive(requestOf('INVITE'), udp);
  driver.receive(requestOf('INVITE', { sequence: 2 }), udp);
  driver.receive(requestOf('INVITE', { toTag: 'p1' }), udp);
  t.strictSame(driver.take(), ['0 request INVITE', '0 request INVITE merged', '0 request INVITE', '0 request INVITE']);
  driver.respond(first, 486);
  driver.runTo(100_000);
  driver.take();
  const gone = new LayerDriver();
  gone.respond(gone.accept(requestOf('OPTIONS'), udp), 200);
  gone.runTo(40_000);
  gone.receive(requestOf('OPTIONS'), udp);
  t.strictSame(gone.take().at(-1), '40000 request OPTIONS', 'not when the first is long over');
});

t.test('§18.2.1 the source of a request is noted in its Via, whatever its sender wrote there', async (t) => {
  const via = (request: Request, flow = udp) => String(new LayerDriver().accept(request, flow).request.topVia);
  t.match(via(requestOf('OPTIONS')), /^SIP\/2.0\/UDP 192.0.2.11:5060;branch=\S+$/, 'nothing to note');
  t.match(via(requestOf('OPTIONS', { host: 'lobby.example' })), /;received=192.0.2.11$/);
  t.match(via(requestOf('OPTIONS', { host: '10.0.0.1' })), /;received=192.0.2.11$/);
  t.match(via(requestOf('OPTIONS', { params: [['rport', '']] })), /;rport=5060;received=192.0.2.11$/, 'RFC 3581 §4');
  t.match(
    via(
      requestOf('OPTIONS', {
        params: [
          ['received', '203.0.113.66'],
          ['rport', '666'],
        ],
      }),
    ),
    /;received=192.0.2.11;rport=5060$/,
  );
  t.match(via(requestOf('OPTIONS', { transport: 'TCP', params: [['rport', '']] }), tcp), /;rport=40000;received=192.0.2.11$/);
  const six = { ...udp, remote: { address: '2001:db8::9', port: 5060 } };
  t.match(via(requestOf('OPTIONS', { host: '[2001:db8::9]' }), six), /^SIP\/2.0\/UDP \[2001:db8::9\]:5060;branch=\S+$/);
  t.match(via(requestOf('OPTIONS', { host: '[2001:db8::7]' }), six), /;received=2001:db8::9$/, 'without brackets');
});

t.test('§18.2.2 a response goes back to where the request came from', async (t) => {
  const target = (request: Request, flow = udp) => {
    const driver = new LayerDriver();
    driver.respond(driver.accept(request, flow), 200);
    const { transport, address, port, flow: along } = driver.lastSent.target;
    return [transport, address, port, along?.id];
  };
  const far = { ...udp, remote: { address: '198.51.100.7', port: 33_000 } };
  t.strictSame(target(requestOf('OPTIONS')), ['udp', '192.0.2.11', 5060, 'udp-1']);
  t.strictSame(target(requestOf('OPTIONS', { port: 5070 })), ['udp', '192.0.2.11', 5070, undefined], 'to the port in Via');
  t.strictSame(target(requestOf('OPTIONS', { params: [['rport', '']] }), far), ['udp', '198.51.100.7', 33_000, 'udp-1'], 'RFC 3581');
  t.strictSame(target(requestOf('OPTIONS'), far), ['udp', '198.51.100.7', 5060, undefined], 'to received, never to sent-by');
  t.strictSame(
    target(requestOf('OPTIONS', { params: [['maddr', '224.0.1.75']] })),
    ['udp', '192.0.2.11', 5060, 'udp-1'],
    'maddr is not followed',
  );
  t.strictSame(
    target(requestOf('OPTIONS', { transport: 'TCP' }), tcp),
    ['tcp', '192.0.2.11', 5060, 'tcp-1'],
    'a closed stream is opened to sent-by',
  );
});

t.test('a request that could not be read is answered to its source', async (t) => {
  const result = parseMessage(octets(options.replace('CSeq: 7', 'CSeq: x')));
  if (result.ok || !result.broken) throw new Error('not broken');
  const driver = new LayerDriver();
  const far = { ...udp, remote: { address: '198.51.100.7', port: 33_000 } };
  driver.layer.sendError(result.broken, 400, far);
  driver.drain();
  const output = driver.outputs.at(-1);
  if (output?.type !== 'send') throw new Error('nothing sent');
  t.same(output.target, { transport: 'udp', address: '198.51.100.7', port: 33_000, flow: far });
  t.match(new TextDecoder().decode(output.bytes), /branch=z9hG4bKoptions1;received=198.51.100.7\r\n/);
  t.match(new TextDecoder().decode(buildErrorResponse(result.broken, 400)), /branch=z9hG4bKoptions1\r\n/);
});

t.test('a target that can not be reached fails the transactions that wait for it', async (t) => {
  const driver = new LayerDriver();
  const invite = driver.request(requestOf('INVITE'), udpTarget);
  driver.request(requestOf('OPTIONS'), { ...udpTarget, port: 5070 });
  driver.take();
  driver.layer.targetFailed(0, udpTarget);
  t.strictSame(driver.take(), ['0 transportError INVITE', '0 terminated INVITE']);
  driver.layer.transportFailed(0, invite);
  t.strictSame(driver.take(), [], 'it fails once');
  const ringing = requestOf('INVITE');
  driver.request(ringing, udpTarget);
  driver.receive(answerTo(ringing, 180), udp);
  driver.take();
  driver.layer.targetFailed(0, udpTarget);
  t.strictSame(driver.take(), [], '§17.1.1.2 an INVITE that rings stays');
});

t.test('a flow that breaks fails the transactions that were sent along it', async (t) => {
  const driver = new LayerDriver();
  driver.request(requestOf('OPTIONS', { transport: 'TCP' }), { ...tcpTarget, flow: tcp });
  driver.request(requestOf('INFO', { transport: 'TCP', toTag: 'p1' }), tcpTarget);
  driver.take();
  driver.layer.flowFailed(0, tcp);
  t.strictSame(driver.take(), ['0 transportError OPTIONS', '0 terminated OPTIONS']);
});

t.test('RFC 6026 §7.1 a response that can not be sent is told and the transaction stays', async (t) => {
  const driver = new LayerDriver();
  const transaction = driver.accept(requestOf('INVITE'), udp);
  driver.respond(transaction, 180);
  driver.layer.transportFailed(0, transaction);
  t.strictSame(driver.take(), ['0 request INVITE', '0 send 180', '0 transportError INVITE']);
  driver.respond(transaction, 486);
  t.strictSame(driver.take(), ['0 send 486']);
});

t.test('past the cap new requests get 503 or silence; what ends a call is let in', async (t) => {
  const driver = new LayerDriver({ serverTransactions: 2 });
  const invite = requestOf('INVITE');
  driver.accept(invite, udp);
  driver.accept(requestOf('OPTIONS'), udp);
  driver.take();
  const third = requestOf('OPTIONS', { sequence: 3 });
  driver.receive(third, udp);
  const tag = driver.lastSent.message.to.tag;
  driver.receive(third, udp);
  t.strictSame(driver.take(), ['0 send 503', '0 send 503']);
  t.equal(driver.lastSent.message.to.tag, tag, '§8.2.7 with the same tag each time');
  t.equal(driver.lastSent.message.header('Retry-After'), '5');
  t.equal(driver.counters.get('server-transactions-full'), 2);
  driver.receive(requestOf('CANCEL', { branch: 'z9hG4bKother' }), udp);
  t.strictSame(driver.take(), ['0 send 503']);
  driver.receive(requestOf('CANCEL', { branch: branchOf(invite) }), udp);
  driver.receive(requestOf('ACK', { toTag: 'x' }), udp);
  t.strictSame(driver.take(), ['0 cancel of an INVITE', '0 ack']);
  const silent = new LayerDriver({ serverTransactions: 0, overload: 'silence' });
  silent.receive(requestOf('OPTIONS'), udp);
  t.strictSame(silent.take(), []);
});

t.test('past the cap a request of ours fails at once', async (t) => {
  const driver = new LayerDriver({ clientTransactions: 1 });
  driver.request(requestOf('OPTIONS'), udpTarget);
  driver.request(requestOf('OPTIONS'), udpTarget);
  t.strictSame(driver.take(), ['0 send OPTIONS', '0 transportError OPTIONS', '0 terminated OPTIONS']);
});

t.test('a message outside any transaction is just sent', async (t) => {
  const driver = new LayerDriver();
  driver.layer.send(requestOf('ACK', { toTag: 'p1' }), udpTarget);
  t.strictSame(driver.take(), ['0 send ACK']);
  t.equal(driver.layer.deadline, undefined);
});

t.test('a message costs the same with 10 and with 10,000 live transactions', async (t) => {
  const cost = (live: number): number => {
    const driver = new LayerDriver({ serverTransactions: 30_000 });
    for (let i = 0; i < live; i++)
      driver.layer.respond(0, driver.accept(requestOf('OPTIONS', { sequence: i }), udp), answerTo(requestOf('OPTIONS'), 200));
    driver.layer.drain();
    const requests = Array.from({ length: 500 }, (_, i) => requestOf('OPTIONS', { sequence: 20_000 + i }));
    const started = process.cpuUsage();
    for (const request of requests) driver.layer.receive(1, request, udp);
    const { user, system } = process.cpuUsage(started);
    return (user + system) / requests.length;
  };
  cost(10);
  const [few, many] = [Math.min(cost(10), cost(10), cost(10)), Math.min(cost(10_000), cost(10_000), cost(10_000))];
  t.comment(`${few.toFixed(1)} and ${many.toFixed(1)} µs of CPU a request`);
  t.ok(many < 4 * few + 20, 'but for the noise of the machine');
});

t.test('after 5,000 calls nothing is left', async (t) => {
  const driver = new LayerDriver({ serverTransactions: 20_000 });
  for (let i = 0; i < 5_000; i++) {
    const invite = requestOf('INVITE', { sequence: i });
    driver.respond(driver.accept(invite, udp), i % 2 === 0 ? 200 : 486);
    driver.receive(requestOf('ACK', { branch: branchOf(invite), toTag: 'p1', sequence: i }), udp);
    const bye = requestOf('BYE', { toTag: 'l1', sequence: i });
    driver.request(bye, udpTarget);
    driver.receive(answerTo(bye, 200), udp);
    driver.outputs.length = 0;
  }
  driver.runTo(100_000);
  t.same(driver.layer.describe(), { clientTransactions: 0, serverTransactions: 0, timers: 0 });
});
