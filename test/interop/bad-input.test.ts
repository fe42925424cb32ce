import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { join } from 'node:path';
import t from 'tap';
import { align } from '#firmware/audio/correlation.ts';
import { pcmuCodec } from '#firmware/audio/g711.ts';
import { levelOf } from '#firmware/audio/pcm.ts';
import { rtpHeaderLength, writeRtpHeader } from '#firmware/rtp/packet.ts';
import { corpusText } from '#test/support/corpus.ts';
import { callOf, handsetSettings, isIdle, makeFolder, theirSpeech } from '#test/support/interop-house.ts';
import { SpeakingPeer } from '#test/support/speaking-peer.ts';
import { toneShare } from '#test/support/tone-share.ts';
import { registerLine, startPhoneAndExchange } from '../../scripts/phone-with-exchange.ts';
import { readSpeech } from '../../scripts/speech.ts';

/** A phone in a call with the echo test of its exchange, while strangers send it everything but proper messages. */

const folder = makeFolder(t);
const phone = await startPhoneAndExchange({
  data: join(folder, 'phone'),
  // Sound is compared sample by sample: no time is to be bent to adapt the delay.
  settings: { 'sip.acceptDirectCalls': 'true', 'jitterBuffer.minimumMs': '120', ...handsetSettings(folder) },
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

const hostile: { port: string; hex: string }[] = JSON.parse(
  corpusText(t, 'rtp-malformed.json') ??
    '{"packets":[{"port":"rtp","hex":"8f000001"},{"port":"rtp","hex":"80000001000000a0112233"},{"port":"rtcp","hex":"80c8ffff11223344"}]}',
).packets;
const intruderHertz = 1900;

/** A loud tone as of the peer itself: its SSRC, its next sequence numbers. */
function forgedFrames(peer: SpeakingPeer): Uint8Array[] {
  const tone = Int16Array.from({ length: 160 }, (_, index) => Math.round(20_000 * Math.sin((2 * Math.PI * intruderHertz * index) / 8000)));
  return Array.from({ length: 4 }, (_, ahead) => {
    const packet = new Uint8Array(rtpHeaderLength + tone.length + 10);
    writeRtpHeader(packet, false, 0, (peer.sequence + ahead) & 0xffff, peer.timestamp + 160 * ahead, peer.ssrc);
    pcmuCodec.createEncoder().encode(tone, packet, rtpHeaderLength);
    return packet;
  });
}

for (const encrypted of [true, false]) {
  const kind = encrypted ? 'an encrypted call' : 'a plain call';
  t.test(
    `${kind}: hostile RTP and RTCP from the peer and from strangers, and forgeries of its stream, are not heard and end nothing`,
    async (t) => {
      const said = readSpeech(theirSpeech);
      const peer = await SpeakingPeer.start(said);
      t.teardown(() => peer.stop());
      await phone.link.command('changeSettings', { set: { 'line.main.encryption': encrypted ? 'mandatory' : 'off' }, unset: [] });
      const called = peer.call(`sip:desk@127.0.0.1:${port}`, encrypted);
      await phone.until('it rings', (now) => callOf(now)?.state === 'ringing');
      await phone.hook('offHook');
      await called;
      const before = await phone.until('speech comes', (now) => (callOf(now)?.media?.packetsReceived ?? 0) > 50);
      t.match(callOf(before), { encryption: encrypted ? 'AES_CM_128_HMAC_SHA1_80' : null, media: { packetsRefused: 0, packetsLost: 0 } });
      let rounds = 0;
      const attack = setInterval(() => {
        const { port: at, hex } = hostile[rounds++ % hostile.length] ?? { port: 'rtp', hex: '' };
        const bytes = Buffer.from(hex, 'hex');
        const target = at === 'rtcp' ? peer.phonePort + 1 : peer.phonePort;
        peer.send(bytes, target);
        stranger.send(bytes, target, '127.0.0.1');
        for (const forged of forgedFrames(peer)) {
          stranger.send(forged, peer.phonePort, '127.0.0.1');
          // Who has the address of the peer is the peer, unless keys say otherwise.
          if (encrypted) peer.send(forged, peer.phonePort);
        }
      }, 20);
      t.teardown(async () => clearInterval(attack));
      const during = await phone.until(
        'all of it was sent twice, and 3 s of speech',
        (now) => rounds >= 2 * hostile.length && (callOf(now)?.media?.packetsReceived ?? 0) > 200,
      );
      const heard = readSpeech(join(folder, 'heard.wav'));
      clearInterval(attack);
      const { state, media } = callOf(during) ?? {};
      t.equal(state, 'active');
      t.match(media, { packetsLost: 0 });
      const refused = encrypted ? media?.packetsUnauthentic : media?.packetsRefused;
      t.ok((refused ?? 0) >= 4 * hostile.length, `${refused} refused`);
      const end = heard.length - 1600;
      const part = heard.subarray(end - 16_000, end);
      const share = toneShare(part, 8000, [intruderHertz]);
      // In pieces of a quarter of a second: where this machine stands still for a while the sound before and behind is still whole.
      const pieces = Array.from({ length: 8 }, (_, piece) => part.subarray(2000 * piece, 2000 * (piece + 1))).filter(
        (piece) => levelOf(piece) > -45,
      );
      const whole = pieces.filter((piece) => align(piece, said).correlation >= 0.9);
      t.comment(
        `${media?.packetsReceived} received, ${refused} refused, ${whole.length} of ${pieces.length} pieces whole, the intruder’s tone ${share.toExponential(1)} of the sound`,
      );
      t.ok(whole.length >= 0.6 * pieces.length && pieces.length >= 4, 'speech is whole');
      t.ok(share < 0.02, 'nothing of the forged tone');
      await peer.hangUp();
      await phone.hook('onHook');
      await phone.until('it is idle', isIdle);
    },
  );
}
