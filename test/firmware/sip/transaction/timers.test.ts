import t from 'tap';
import { answerTo, LayerDriver, requestOf, tcp, tcpTarget, udp, udpTarget } from './layer-driver.ts';

const t1 = 500;
const seconds64 = 64 * t1;

t.test('§17.1.1.2 timer A doubles until timer B gives up', async (t) => {
  const driver = new LayerDriver();
  driver.request(requestOf('INVITE'), udpTarget);
  driver.runTo(100_000);
  const sent = [0, 500, 1_500, 3_500, 7_500, 15_500, 31_500].map((at) => `${at} send INVITE`);
  t.strictSame(driver.take(), [...sent, '32000 timeout INVITE', '32000 terminated INVITE']);
  t.equal(driver.layer.deadline, undefined, 'nothing runs any more');
});

t.test('§17.1.1.2 over a reliable transport the INVITE goes out once, and timer B gives up all the same', async (t) => {
  const driver = new LayerDriver();
  driver.request(requestOf('INVITE', { transport: 'TCP' }), tcpTarget);
  driver.runTo(100_000);
  t.strictSame(driver.take(), ['0 send INVITE', '32000 timeout INVITE', '32000 terminated INVITE']);
});

t.test('§17.1.1.2 a provisional response ends the retransmissions and the patience', async (t) => {
  const driver = new LayerDriver();
  const invite = requestOf('INVITE');
  driver.request(invite, udpTarget);
  driver.runTo(600);
  driver.receive(answerTo(invite, 180), udp);
  t.equal(driver.layer.deadline, undefined);
  driver.runTo(200_000);
  driver.receive(answerTo(invite, 183), udp);
  t.strictSame(driver.take(), ['0 send INVITE', '500 send INVITE', '600 response 180', '200000 response 183']);
});

t.test('§17.1.1.2 a refusal is acknowledged each time it comes until timer D, and told once', async (t) => {
  const driver = new LayerDriver();
  const invite = requestOf('INVITE');
  driver.request(invite, udpTarget);
  driver.receive(answerTo(invite, 100), udp);
  driver.runTo(1_000);
  driver.receive(answerTo(invite, 486), udp);
  const ack = driver.lastSent;
  driver.runTo(1_500);
  driver.receive(answerTo(invite, 486), udp);
  driver.receive(answerTo(invite, 200), udp);
  driver.runTo(100_000);
  t.strictSame(driver.take(), [
    '0 send INVITE',
    '0 response 100',
    '1000 send ACK',
    '1000 response 486',
    '1500 send ACK',
    '33000 terminated INVITE',
  ]);
  t.equal(ack.message.topVia.branch, invite.topVia.branch, 'the ACK has the branch of the INVITE');
  t.equal(ack.message.to.tag, 'p1', 'and the To of the response');
  t.same(ack.target, udpTarget, 'and goes where the INVITE went');
});

t.test('Table 4: timer D is 32 s at least, however short T1 is', async (t) => {
  const driver = new LayerDriver({ times: { t1: 10, t2: 80, t4: 100 } });
  const invite = requestOf('INVITE');
  driver.request(invite, udpTarget);
  driver.receive(answerTo(invite, 404), udp);
  driver.runTo(100_000);
  t.strictSame(driver.take().at(-1), '32000 terminated INVITE');
});

t.test('Table 4: over a reliable transport timers D, I, J and K are zero', async (t) => {
  const driver = new LayerDriver();
  const invite = requestOf('INVITE', { transport: 'TCP' });
  driver.request(invite, tcpTarget);
  driver.receive(answerTo(invite, 404), tcp);
  t.strictSame(driver.take(), ['0 send INVITE', '0 send ACK', '0 response 404', '0 terminated INVITE'], 'D');
  const options = requestOf('OPTIONS', { transport: 'TCP' });
  driver.request(options, tcpTarget);
  driver.receive(answerTo(options, 200), tcp);
  t.strictSame(driver.take(), ['0 send OPTIONS', '0 response 200', '0 terminated OPTIONS'], 'K');
  const bye = requestOf('BYE', { transport: 'TCP', toTag: 'p1' });
  driver.respond(driver.accept(bye, tcp), 200);
  t.same(driver.layer.describe(), { clientTransactions: 0, serverTransactions: 0, timers: 0 }, 'J');
  const incoming = requestOf('INVITE', { transport: 'TCP' });
  driver.respond(driver.accept(incoming, tcp), 486);
  driver.receive(requestOf('ACK', { transport: 'TCP', branch: incoming.topVia.branch ?? '', toTag: 'p1' }), tcp);
  t.same(driver.layer.describe(), { clientTransactions: 0, serverTransactions: 0, timers: 0 }, 'I');
});

t.test('RFC 6026 §7.2 while timer M runs every 2xx is told, of other branches too', async (t) => {
  const driver = new LayerDriver();
  const invite = requestOf('INVITE');
  driver.request(invite, udpTarget);
  driver.runTo(100);
  driver.receive(answerTo(invite, 200, 'first'), udp);
  driver.runTo(700);
  driver.receive(answerTo(invite, 200, 'second'), udp);
  driver.receive(answerTo(invite, 486), udp);
  driver.runTo(100 + seconds64);
  t.strictSame(driver.take(), ['0 send INVITE', '100 response 200', '700 response 200', '32100 terminated INVITE']);
  driver.receive(answerTo(invite, 200, 'late'), udp);
  t.strictSame(driver.take(), ['32100 stray 200'], 'after it they are strays');
});

t.test('§9.1 a cancelled INVITE is given up when no final response comes', async (t) => {
  const driver = new LayerDriver();
  const invite = requestOf('INVITE');
  driver.request(invite, udpTarget);
  driver.receive(answerTo(invite, 180), udp);
  driver.runTo(5_000);
  const cancel = requestOf('CANCEL', { branch: invite.topVia.branch ?? '' });
  driver.request(cancel, udpTarget);
  driver.receive(answerTo(cancel, 200), udp);
  driver.runTo(100_000);
  t.strictSame(
    driver.take().filter((one) => one.includes('INVITE')),
    ['0 send INVITE', '37000 timeout INVITE', '37000 terminated INVITE'],
  );
});

t.test('§9.1 the 487 of a cancelled INVITE is acknowledged, and so is an answer that came first', async (t) => {
  for (const [statusCode, expected] of [
    [487, ['5000 send ACK', '5000 response 487', '37000 terminated INVITE']],
    [200, ['5000 response 200', '37000 terminated INVITE']],
  ] as const) {
    const driver = new LayerDriver();
    const invite = requestOf('INVITE');
    driver.request(invite, udpTarget);
    driver.receive(answerTo(invite, 180), udp);
    const cancel = requestOf('CANCEL', { branch: invite.topVia.branch ?? '' });
    driver.request(cancel, udpTarget);
    driver.receive(answerTo(cancel, 200), udp);
    driver.runTo(5_000);
    driver.take();
    driver.receive(answerTo(invite, statusCode), udp);
    driver.runTo(100_000);
    t.strictSame(
      driver.take().filter((one) => !one.includes('CANCEL')),
      expected,
    );
  }
});

t.test('§17.1.2.2 timer E doubles up to T2 until timer F gives up', async (t) => {
  const driver = new LayerDriver();
  driver.request(requestOf('OPTIONS'), udpTarget);
  driver.runTo(100_000);
  const at = [0, 500, 1_500, 3_500, 7_500, 11_500, 15_500, 19_500, 23_500, 27_500, 31_500];
  t.strictSame(driver.take(), [...at.map((one) => `${one} send OPTIONS`), '32000 timeout OPTIONS', '32000 terminated OPTIONS']);
});

t.test('§17.1.2.2 after a provisional response timer E goes on at T2, and timer F still gives up', async (t) => {
  const driver = new LayerDriver();
  const options = requestOf('OPTIONS');
  driver.request(options, udpTarget);
  driver.runTo(600);
  driver.receive(answerTo(options, 100), udp);
  driver.runTo(100_000);
  const at = [1_500, 5_500, 9_500, 13_500, 17_500, 21_500, 25_500, 29_500];
  t.strictSame(driver.take(), [
    '0 send OPTIONS',
    '500 send OPTIONS',
    '600 response 100',
    ...at.map((one) => `${one} send OPTIONS`),
    '32000 timeout OPTIONS',
    '32000 terminated OPTIONS',
  ]);
});

t.test('§17.1.2.2 a final response is told once; timer K swallows the rest', async (t) => {
  const driver = new LayerDriver();
  const options = requestOf('OPTIONS');
  driver.request(options, udpTarget);
  driver.runTo(100);
  driver.receive(answerTo(options, 200), udp);
  driver.runTo(5_099);
  driver.receive(answerTo(options, 200), udp);
  t.strictSame(driver.take(), ['0 send OPTIONS', '100 response 200']);
  driver.runTo(5_100);
  t.strictSame(driver.take(), ['5100 terminated OPTIONS']);
});

t.test('§17.2.1 an INVITE gets its 100 after 200 ms, unless something else was said before', async (t) => {
  const driver = new LayerDriver();
  const invite = requestOf('INVITE');
  driver.accept(invite, udp);
  driver.runTo(150);
  driver.receive(invite, udp);
  driver.runTo(1_000);
  driver.receive(invite, udp);
  t.strictSame(driver.take(), ['0 request INVITE', '200 send 100', '1000 send 100'], 'and repeats it when asked again');
  const said = new LayerDriver();
  said.respond(said.accept(requestOf('INVITE'), udp), 180);
  said.runTo(1_000);
  t.strictSame(said.take(), ['0 request INVITE', '0 send 180']);
  const silent = new LayerDriver();
  silent.layer.withoutTrying(silent.accept(requestOf('INVITE'), udp));
  silent.runTo(1_000);
  t.strictSame(silent.take(), ['0 request INVITE'], 'nor if the user wants none');
});

t.test('§17.2.1 timer G repeats a refusal up to every T2 until timer H gives up', async (t) => {
  const driver = new LayerDriver();
  driver.respond(driver.accept(requestOf('INVITE'), udp), 486);
  driver.runTo(100_000);
  const at = [0, 500, 1_500, 3_500, 7_500, 11_500, 15_500, 19_500, 23_500, 27_500, 31_500];
  t.strictSame(driver.take(), [
    '0 request INVITE',
    ...at.map((one) => `${one} send 486`),
    '32000 timeout INVITE',
    '32000 terminated INVITE',
  ]);
});

t.test('§17.2.1 over a reliable transport a refusal goes out once, and timer H waits for the ACK', async (t) => {
  const driver = new LayerDriver();
  driver.respond(driver.accept(requestOf('INVITE', { transport: 'TCP' }), tcp), 486);
  driver.runTo(100_000);
  t.strictSame(driver.take(), ['0 request INVITE', '0 send 486', '32000 timeout INVITE', '32000 terminated INVITE']);
});

t.test('§17.2.1 the ACK ends the repeating; timer I swallows further ones', async (t) => {
  const driver = new LayerDriver();
  const invite = requestOf('INVITE');
  const ack = requestOf('ACK', { branch: invite.topVia.branch ?? '', toTag: 'p1' });
  driver.respond(driver.accept(invite, udp), 486);
  driver.runTo(600);
  driver.receive(invite, udp);
  driver.receive(ack, udp);
  driver.runTo(5_599);
  driver.receive(ack, udp);
  driver.receive(invite, udp);
  t.strictSame(driver.take(), ['0 request INVITE', '0 send 486', '500 send 486', '600 send 486']);
  t.equal(driver.layer.describe().serverTransactions, 1);
  driver.runTo(5_600);
  t.equal(driver.layer.describe().serverTransactions, 0);
});

t.test('RFC 6026 §7.1 after a 2xx timer L swallows INVITEs, while the user repeats the 2xx', async (t) => {
  const driver = new LayerDriver();
  const invite = requestOf('INVITE');
  const transaction = driver.accept(invite, udp);
  driver.respond(transaction, 200);
  driver.runTo(500);
  driver.receive(invite, udp);
  driver.respond(transaction, 200);
  driver.respond(transaction, 486);
  t.strictSame(driver.take(), ['0 request INVITE', '0 send 200', '500 send 200']);
  t.equal(driver.counters.get('responses-out-of-place'), 1, 'a 2xx can not be taken back');
  driver.runTo(seconds64 - 1);
  t.equal(driver.layer.describe().serverTransactions, 1);
  driver.runTo(seconds64);
  t.equal(driver.layer.describe().serverTransactions, 0);
  driver.respond(transaction, 200);
  t.strictSame(driver.take(), [], 'and then it is over');
});

t.test('§17.2.2 a response is repeated for each retransmission until timer J', async (t) => {
  const driver = new LayerDriver();
  const bye = requestOf('BYE', { toTag: 'p1' });
  const transaction = driver.accept(bye, udp);
  driver.receive(bye, udp);
  driver.runTo(100);
  driver.respond(transaction, 100);
  driver.receive(bye, udp);
  driver.runTo(200);
  driver.respond(transaction, 200);
  driver.receive(bye, udp);
  driver.respond(transaction, 404);
  driver.runTo(200 + seconds64 - 1);
  driver.receive(bye, udp);
  t.strictSame(driver.take(), ['0 request BYE', '100 send 100', '100 send 100', '200 send 200', '200 send 200', '32199 send 200']);
  driver.runTo(200 + seconds64);
  driver.receive(bye, udp);
  t.strictSame(driver.take(), ['32200 request BYE'], 'after it the request is a new one');
});

t.test('the times are settings', async (t) => {
  const driver = new LayerDriver({ times: { t1: 100, t2: 300, t4: 50 } });
  const options = requestOf('OPTIONS');
  driver.request(options, udpTarget);
  driver.runTo(900);
  driver.receive(answerTo(options, 200), udp);
  driver.runTo(10_000);
  t.strictSame(driver.take(), [...[0, 100, 300, 600, 900].map((at) => `${at} send OPTIONS`), '900 response 200', '950 terminated OPTIONS']);
});

t.test('a driver that is late loses no timer', async (t) => {
  const driver = new LayerDriver();
  driver.request(requestOf('INVITE'), udpTarget);
  driver.take();
  driver.now = 40_000;
  driver.layer.handleTimeout(driver.now);
  t.strictSame(driver.take(), ['40000 send INVITE', '40000 timeout INVITE', '40000 terminated INVITE']);
});
