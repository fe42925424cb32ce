import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { join } from 'node:path';
import t from 'tap';
import { callOf, handsetSettings, isIdle, makeFolder } from '#test/support/interop-house.ts';
import { registerLine, startPhoneAndExchange } from '../../scripts/phone-with-exchange.ts';

/** A phone in a call with the echo test of its exchange, while strangers send it everything but proper messages. */

const folder = makeFolder(t);
const phone = await startPhoneAndExchange({
  data: join(folder, 'phone'),
  settings: { 'sip.acceptDirectCalls': 'true', ...handsetSettings(folder) },
});
t.teardown(() => phone.stop());
await registerLine(phone);
await phone.hook('offHook');
await phone.press('600');
await phone.until('the call is up', (status) => (callOf(status)?.media?.packetsReceived ?? 0) > 50);

const port = Number(phone.settingOf('sip.port'));
const stranger = createSocket('udp4');
stranger.bind(0, '127.0.0.1');
await once(stranger, 'listening');
t.teardown(async () => void stranger.close());

/** A request of the stranger, with whatever is changed. */
function requestOf(
  method: string,
  changes: { lines?: string[]; cSeq?: string; body?: string; contentLength?: string; toTag?: string } = {},
): string {
  const body = changes.body ?? '';
  const lines = [
    `${method} sip:desk@127.0.0.1:${port} SIP/2.0`,
    `Via: SIP/2.0/UDP 127.0.0.1:${stranger.address().port};branch=z9hG4bK${Math.trunc(performance.now() * 1000)}`,
    'Max-Forwards: 70',
    'From: <sip:stranger@127.0.0.1>;tag=s1',
    `To: <sip:desk@127.0.0.1:${port}>${changes.toTag ? `;tag=${changes.toTag}` : ''}`,
    `Call-ID: ${Math.trunc(performance.now() * 1000)}@stranger`,
    `CSeq: ${changes.cSeq ?? `1 ${method}`}`,
    `Contact: <sip:stranger@127.0.0.1:${stranger.address().port}>`,
    ...(changes.lines ?? []),
    `Content-Length: ${changes.contentLength ?? body.length}`,
  ];
  return `${lines.join('\r\n')}\r\n\r\n${body}`;
}

/** Sends it and gives the first answer that is final, or `silence` when a second passes without one. */
async function answerTo(text: string | Buffer, socket: Socket = stranger): Promise<string> {
  const abort = new AbortController();
  const limit = setTimeout(() => abort.abort(), 1000);
  socket.send(text, port, '127.0.0.1');
  try {
    for (;;) {
      const [message] = (await once(socket, 'message', { signal: abort.signal })) as [Buffer];
      const answer = message.toString();
      if (!/^SIP\/2\.0 1\d\d/.test(answer)) return answer;
    }
  } catch (thrown) {
    if (abort.signal.aborted) return 'silence';
    throw thrown;
  } finally {
    clearTimeout(limit);
  }
}

function totalCounted(): number {
  return Object.values(phone.status?.counters ?? {}).reduce((sum, count) => sum + count, 0);
}

const offerWithoutCodec =
  'v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 96\r\na=rtpmap:96 EVRC/8000\r\n';

const cases: { what: string; message: string | Buffer; answer: RegExp }[] = [
  { what: 'garbage', message: Buffer.from(Array.from({ length: 900 }, (_, index) => (index * 151 + 7) % 256)), answer: /^silence$/ },
  { what: 'half a message', message: requestOf('OPTIONS').slice(0, 120), answer: /^silence$|^SIP\/2\.0 400/ },
  {
    what: 'a 60 KB header',
    message: requestOf('OPTIONS', { lines: [`X-Long: ${'x'.repeat(60_000)}`] }),
    answer: /^silence$|^SIP\/2\.0 (400|413|513)/,
  },
  { what: 'a negative Content-Length', message: requestOf('OPTIONS', { contentLength: '-5' }), answer: /^SIP\/2\.0 400/ },
  { what: 'a body shorter than announced', message: requestOf('OPTIONS', { contentLength: '500' }), answer: /^SIP\/2\.0 400/ },
  { what: 'an unknown method', message: requestOf('FROBNICATE'), answer: /^SIP\/2\.0 501.*\r\nAllow: .*INVITE/s },
  {
    what: 'an unsupported Require',
    message: requestOf('OPTIONS', { lines: ['Require: teleport'] }),
    answer: /^SIP\/2\.0 420.*\r\nUnsupported: teleport/s,
  },
  { what: 'a CSeq that is no number', message: requestOf('OPTIONS', { cSeq: 'abc OPTIONS' }), answer: /^SIP\/2\.0 400/ },
  { what: 'a CSeq past 2^31', message: requestOf('OPTIONS', { cSeq: '4294967296 OPTIONS' }), answer: /^SIP\/2\.0 400/ },
  { what: 'a CSeq of another method', message: requestOf('OPTIONS', { cSeq: '1 INVITE' }), answer: /^SIP\/2\.0 400/ },
  { what: 'a BYE outside any dialog', message: requestOf('BYE', { toTag: 'nobody' }), answer: /^SIP\/2\.0 481/ },
  {
    what: 'an INVITE with an unusable offer',
    message: requestOf('INVITE', { lines: ['Content-Type: application/sdp'], body: offerWithoutCodec }),
    answer: /^SIP\/2\.0 488/,
  },
];

for (const { what, message, answer } of cases) {
  t.test(`${what} gets its answer, a count, and leaves the call alone`, async (t) => {
    const before = totalCounted();
    t.match(await answerTo(message), answer);
    await phone.until('it is counted', () => totalCounted() > before);
    t.equal(callOf(phone.status)?.state, 'active');
  });
}

t.test('an OPTIONS in between tells what the phone can', async (t) => {
  const answer = await answerTo(requestOf('OPTIONS'));
  t.match(answer, /^SIP\/2\.0 (200|486)/);
  t.match(answer, /\r\nAllow: /);
});

t.test('RTP from a third party is counted and not heard', async (t) => {
  const rtpFrom = Number(phone.settingOf('rtp.portFrom'));
  const before = callOf(phone.status)?.media?.packetsRefused ?? 0;
  const packet = Buffer.alloc(172, 0x00);
  packet.writeUInt16BE(0x8000, 0);
  packet.writeUInt32BE(0xdeadbeef, 8);
  for (let sequence = 0; sequence < 50; sequence++) {
    packet.writeUInt16BE(sequence, 2);
    packet.writeUInt32BE(sequence * 160, 4);
    for (let offset = 0; offset < 40; offset += 2) stranger.send(Buffer.from(packet), rtpFrom + offset, '127.0.0.1');
  }
  const status = await phone.until('they are refused', (now) => (callOf(now)?.media?.packetsRefused ?? 0) >= before + 50);
  t.equal(callOf(status)?.state, 'active');
});

t.test('a thousand bad datagrams cost a few log lines, and the call goes on', async (t) => {
  const linesBefore = phone.log.split('\n').length;
  const received = callOf(phone.status)?.media?.packetsReceived ?? 0;
  for (let index = 0; index < 1000; index++) stranger.send(Buffer.from(`BROKEN ${index} \r\n\r\n`), port, '127.0.0.1');
  await phone.until('speech goes on', (now) => (callOf(now)?.media?.packetsReceived ?? 0) > received + 100);
  t.ok(phone.log.split('\n').length - linesBefore < 30, 'the log is limited');
  t.match(callOf(phone.status), { state: 'active', media: { packetsLost: 0 } });
  await phone.hook('onHook');
  await phone.until('it is idle', isIdle);
});
