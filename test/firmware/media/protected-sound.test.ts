import t from 'tap';
import { type SrtpSuiteName, srtpSuiteNames, srtpSuites } from '#firmware/core/srtp-suites.ts';
import { Srtp } from '#firmware/rtp/srtp.ts';
import { nodeSrtpCiphers } from '#services/media/srtp-ciphers.ts';
import { corpusText } from '#test/support/corpus.ts';
import { SimulatedCall, SimulatedHandset, SimulatedMedia } from '#test/support/simulated-rtp.ts';

function sine(frequency: number, seconds: number): Int16Array {
  return Int16Array.from({ length: 8000 * seconds }, (_, at) => Math.round(8000 * Math.sin((2 * Math.PI * frequency * at) / 8000)));
}

function masterKey(suite: SrtpSuiteName, seed: number) {
  const { keyLength, saltLength } = srtpSuites[suite];
  return { key: new Uint8Array(keyLength).fill(seed), salt: new Uint8Array(saltLength).fill(seed) };
}

/** What B hears of A in an encrypted call; every 20 ms `disturb` may do what it likes. */
function hear(suite: SrtpSuiteName, disturb: (call: SimulatedCall, frame: number) => void) {
  const ear = new SimulatedHandset(sine(700, 4));
  const call = new SimulatedCall(3, new SimulatedMedia(1, new SimulatedHandset(sine(400, 4))), new SimulatedMedia(2, ear));
  const [a, b] = [masterKey(suite, 1), masterKey(suite, 2)];
  call.a.session.protect(new Srtp({ suite, sendKey: a, receiveKey: b, mkiLength: 0 }, nodeSrtpCiphers));
  call.b.session.protect(new Srtp({ suite, sendKey: b, receiveKey: a, mkiLength: 0 }, nodeSrtpCiphers));
  call.connect();
  for (let frame = 0; frame < 150; frame++) {
    disturb(call, frame);
    call.run(20);
  }
  return { recording: ear.recording, statistics: call.b.session.statistics(), described: call.b.session.describe() };
}

const hostile: { port: string; hex: string }[] = JSON.parse(
  corpusText(t, 'rtp-malformed.json') ??
    '{"packets":[{"port":"rtp","hex":"80000001000000a01122334400"},{"port":"rtcp","hex":"80c8ffff11223344"}]}',
).packets;

for (const suite of srtpSuiteNames) {
  t.test(`${suite}: sound passes, and nothing without the key is heard, moves the address or ends the call`, async (t) => {
    const calm = hear(suite, () => undefined);
    t.ok(
      calm.recording.some((sample) => Math.abs(sample) > 6000),
      'the far end is heard',
    );
    t.match(calm.statistics, { packetsUnauthentic: 0, packetsRefused: 0, packetsLost: 0 });
    const disturbed = hear(suite, (call, frame) => {
      const { a, b, now } = call;
      const { port, hex } = hostile[frame % hostile.length] ?? { port: 'rtp', hex: '' };
      const bytes = () => new Uint8Array(Buffer.from(hex, 'hex'));
      const ssrc = Number(a.session.describe().ssrc);
      for (const [from, at] of [
        [a.address, 4000],
        [a.address, 5555],
        ['203.0.113.66', 4000],
      ] as const) {
        if (port === 'rtcp') b.session.receiveRtcp(now, bytes(), from, at + 1);
        else b.session.receiveRtp(now, bytes(), from, at);
        // The true SSRC, all sequence numbers, loud noise, and a BYE in its name.
        for (let guess = 0; guess < 8; guess++) {
          const forged = new Uint8Array(12 + 160 + 10).fill(0x80);
          const view = new DataView(forged.buffer);
          view.setUint16(0, 0x8000);
          view.setUint16(2, frame * 8 + guess);
          view.setUint32(4, frame * 160);
          view.setUint32(8, ssrc);
          b.session.receiveRtp(now, forged, from, at);
        }
        const bye = new Uint8Array(8 + 14);
        new DataView(bye.buffer).setUint32(0, 0x81cb0001);
        new DataView(bye.buffer).setUint32(4, ssrc);
        b.session.receiveRtcp(now, bye, from, at + 1);
      }
    });
    t.same(disturbed.recording, calm.recording, 'every sample is as without them');
    t.ok(disturbed.statistics.packetsUnauthentic > 1000, 'they are counted');
    t.equal(disturbed.described.locked, calm.described.locked, 'the address has not moved');
  });
}

t.test('until there are keys nothing is sent and nothing is heard', async (t) => {
  const ear = new SimulatedHandset(sine(700, 2));
  const call = new SimulatedCall(3, new SimulatedMedia(1, new SimulatedHandset(sine(400, 2))), new SimulatedMedia(2, ear));
  call.b.session.protect('awaited');
  call.connect().run(1_000);
  t.ok(ear.recording.every((sample) => sample === 0));
  t.match(call.b.session.statistics(), { packetsSent: 0, packetsReceived: 0 });
  t.ok(Number(call.b.session.describe().counters['rtp-before-keys']) > 40);
});
