import t from 'tap';
import { CallRecorder, type RecordingBeep } from '#firmware/media/call-recorder.ts';
import { MediaEngine } from '#firmware/media/media-engine.ts';
import { emptyRtpPacketView, parseRtpPacket } from '#firmware/rtp/packet.ts';
import { seededEntropy, seededRandom } from '#test/support/seeded-entropy.ts';
import { legTowards, phoneSettings, SimulatedHandset } from '#test/support/simulated-rtp.ts';

const seconds = 4;
const random = seededRandom(11);
const noise = (rate = 8000) => Int16Array.from({ length: seconds * rate }, () => Math.round((random() - 0.5) * 8000));
const l16 = { name: 'L16', send: 96, receive: 96 } as const;

/** A phone in calls in L16, so that no sample is rounded on the way; each far end says its noise. */
function calls(legs: number) {
  const person = noise();
  const handset = new SimulatedHandset(person);
  const engine = new MediaEngine(seededEntropy(1), 'cname', phoneSettings);
  const device = engine.addDevice('handset', handset);
  const spoken = Array.from({ length: legs }, () => noise());
  const sent = spoken.map(() => [] as number[]);
  spoken.forEach((_, leg) => {
    engine.openSession(`leg${leg}`);
    engine.updateSession(0, `leg${leg}`, legTowards(`192.0.2.${leg + 1}`, { codecs: [l16], telephoneEvents: [] }));
    engine.connectSession(`leg${leg}`, 'handset');
  });
  let at = 0;
  const view = emptyRtpPacketView();
  const run = (ms: number, farSpeaks = true): void => {
    for (const end = at + ms; at < end; at += 20) {
      spoken.forEach((samples, leg) => {
        if (farSpeaks) engine.session(`leg${leg}`).receiveRtp(at, packetOf(leg, at / 20, samples), `192.0.2.${leg + 1}`, 4000);
      });
      device.capture(handset.speak());
      engine.tick(at);
      engine.tick(at);
      for (const [leg, heard] of sent.entries()) {
        for (const { rtcp, bytes, length } of engine.session(`leg${leg}`).drain()) {
          if (rtcp || parseRtpPacket(bytes.subarray(0, length), view) !== undefined || view.payloadType !== l16.send) continue;
          const sound = new DataView(bytes.buffer, bytes.byteOffset + view.payloadStart, view.payloadEnd - view.payloadStart);
          for (let offset = 0; offset < sound.byteLength; offset += 2) heard.push(sound.getInt16(offset));
        }
      }
    }
  };
  return { engine, handset, person, spoken, sent, run };
}

function packetOf(leg: number, index: number, spoken: Int16Array): Uint8Array {
  const bytes = new Uint8Array(12 + 320);
  const view = new DataView(bytes.buffer);
  view.setUint16(0, 0x8060);
  view.setUint16(2, index);
  view.setUint32(4, index * 160);
  view.setUint32(8, 1000 + leg);
  for (let sample = 0; sample < 160; sample++) view.setInt16(12 + 2 * sample, spoken[index * 160 + sample] ?? 0);
  return bytes;
}

/** Left and right of all that a recorder has. */
function sidesOf(recorder: CallRecorder): { near: number[]; far: number[] } {
  const samples = recorder.drain(true).flatMap((chunk) => [...chunk]);
  return { near: samples.filter((_, index) => index % 2 === 0), far: samples.filter((_, index) => index % 2 === 1) };
}

/** By how many samples `samples` begins later in `heard`; −1 = it is not in it. */
function placeOf(heard: readonly number[], samples: ArrayLike<number>, from: number, length = 400): number {
  for (let start = 0; start + length <= heard.length; start++) {
    let same = true;
    for (let index = 0; same && index < length; index++) same = heard[start + index] === samples[from + index];
    if (same) return start - from;
  }
  return -1;
}

/** How loud 1400 Hz is in it, of full scale. */
function beepIn(samples: readonly number[], rate = 8000): number {
  let [re, im] = [0, 0];
  samples.forEach((sample, index) => {
    re += sample * Math.cos((2 * Math.PI * 1400 * index) / rate);
    im += sample * Math.sin((2 * Math.PI * 1400 * index) / rate);
  });
  return (2 * Math.hypot(re, im)) / samples.length / 32_768;
}

t.test('what went out is on the left, what was heard on the right, sample by sample and at the same time', async (t) => {
  const { engine, handset, person, spoken, sent, run } = calls(1);
  const recorder = engine.session('leg0').record('off');
  run(2500);
  const { near, far } = sidesOf(recorder);
  t.equal(near.length, 20_000, 'all of the time');
  t.strictSame(near, sent[0], 'the left is what the far end got');
  t.ok(placeOf(near, person, 4000) >= 0, 'and that is what the microphone heard');
  t.strictSame(far.slice(4000, 19_000), handset.heard.slice(4000, 19_000), 'the right is what the loudspeaker got');
  t.ok(placeOf(far, spoken[0] ?? [], 4000) >= 0);
  t.equal(recorder.drain(true).length, 0, 'taken once');
});

t.test('a call on hold is recorded as silence; what nobody says takes its time too', async (t) => {
  const { engine, run } = calls(1);
  const recorder = engine.session('leg0').record('off');
  run(1000);
  engine.connectSession('leg0', null);
  run(1000, false);
  const { near, far } = sidesOf(recorder);
  t.equal(near.length, 16_000);
  t.ok(near.slice(0, 8000).some((sample) => sample !== 0));
  t.ok(near.slice(8000).every((sample) => sample === 0));
  t.ok(far.slice(12_000).every((sample) => sample === 0));
});

t.test('another codec in the middle of the call: the file keeps its rate, and nothing is missing', async (t) => {
  const { engine, run } = calls(1);
  const recorder = engine.session('leg0').record('off');
  run(1000);
  engine.updateSession(
    1000,
    'leg0',
    legTowards('192.0.2.1', { codecs: [{ name: 'L16/16000', send: 97, receive: 97 }, l16], telephoneEvents: [] }),
  );
  t.equal(engine.session('leg0').sampleRate, 16_000);
  run(1000);
  t.equal(recorder.sampleRate, 8000);
  const { near, far } = sidesOf(recorder);
  t.equal(near.length, 16_000);
  const power = (samples: readonly number[]) => Math.sqrt(samples.reduce((sum, sample) => sum + sample * sample, 0) / samples.length);
  for (const [side, samples] of Object.entries({ near, far })) {
    const [before, after] = [power(samples.slice(4000, 7500)), power(samples.slice(12_000, 15_500))];
    t.ok(after / before > 0.8 && after / before < 1.1, `${side}: as loud as before (${before.toFixed(0)}, ${after.toFixed(0)})`);
  }
});

t.test('of a conference the left has all the others: together it is the whole', async (t) => {
  const { engine, sent, spoken, run } = calls(3);
  const recorder = engine.session('leg1').record('off');
  run(1500);
  const { near, far } = sidesOf(recorder);
  t.strictSame(near, sent[1], 'the person and two far ends, mixed');
  t.ok(placeOf(far, spoken[1] ?? [], 4000) >= 0, 'the right is the one far end alone');
});

for (const [beep, rings] of [
  ['repeated', 2],
  ['start', 1],
  ['off', 0],
] as const satisfies readonly (readonly [RecordingBeep, number])[]) {
  t.test(`beep ${beep}: both sides hear it ${rings} times in sixteen seconds, and it is not in the recording`, async (t) => {
    const recorder = new CallRecorder(8000, beep);
    const blocks = { far: [] as number[], near: [] as number[] };
    for (let block = 0; block < 1600; block++) {
      const far = new Int16Array(80).fill(7);
      const near = new Int16Array(80);
      const sounds = recorder.hearFar(far, 8000, false);
      recorder.hearNear(near, 8000);
      blocks.far.push(...(sounds ? far : new Int16Array(80)));
      blocks.near.push(...near);
      recorder.drain();
    }
    const { near, far } = sidesOf(recorder);
    t.ok([...near, ...far].every((sample) => sample === 0));
    for (const side of [blocks.far, blocks.near]) {
      const loud = [0, 15].map((second) => beepIn(side.slice(second * 8000 + 100, second * 8000 + 1500)));
      t.strictSame(
        loud.map((share) => share > 0.2),
        [rings > 0, rings > 1],
        loud.map((share) => share.toFixed(2)).join(', '),
      );
      t.ok(
        side.slice(2000, 119_000).every((sample) => sample === 0),
        'silence between',
      );
    }
  });
}

t.test('the detector of digits hears the far end, not our beep', async (t) => {
  const { engine } = calls(1);
  engine.updateSession(0, 'leg0', legTowards('192.0.2.1', { codecs: [l16], telephoneEvents: [], detectDigits: true }));
  engine.session('leg0').record('repeated');
  for (let at = 0; at < 400; at += 10) engine.tick(at);
  t.strictSame(engine.drain(), []);
});

t.test('a recording that nobody takes is bounded, and says that it lost sound', async (t) => {
  const recorder = new CallRecorder(8000, 'off');
  for (let block = 0; block < 100 * 60; block++) recorder.hearNear(new Int16Array(80), 8000);
  t.equal(recorder.drain().length, 10);
  t.equal(recorder.lost, 50);
});
