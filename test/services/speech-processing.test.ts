import t from 'tap';
import { align } from '#firmware/audio/correlation.ts';
import { GainControl } from '#firmware/audio/gain-control.ts';
import { HighPass } from '#firmware/audio/high-pass.ts';
import { levelOf } from '#firmware/audio/pcm.ts';
import { Resampler } from '#firmware/audio/resampler.ts';
import type { EnhancerMaker } from '#firmware/audio/speech-enhancer.ts';
import { MediaEngine } from '#firmware/media/media-engine.ts';
import { VoiceProcessing, type VoiceWishes } from '#firmware/media/voice-processing.ts';
import { loadSpeex } from '#services/media/speex-enhancer.ts';
import { seededEntropy, seededRandom } from '#test/support/seeded-entropy.ts';
import { echoOf, type RoomShape, roomResponse } from '#test/support/simulated-room.ts';
import { phoneSettings, SimulatedCall, SimulatedHandset, SimulatedMedia } from '#test/support/simulated-rtp.ts';
import { readSpeech } from '../../scripts/speech.ts';
import { sine } from '../firmware/audio/sound-fixtures.ts';

/** Speech processing by Debian's libspeexdsp1 in simulated rooms, in virtual time. */

const rate = 16_000;
const block = rate / 100;
const speex = await loadSpeex();
const voices = '/usr/share/asterisk/sounds/en_US_f_Allison';
const [far, near] = [speechOf('demo-instruct', 16), speechOf('demo-congrats', 6)];
const usual: VoiceWishes = { echo: 'cancel', echoTailMs: 128, noiseSuppression: false, gainControl: false, highPass: false, sideTone: 0 };
const office: RoomShape = { seed: 3, delayMs: 60, reverberationMs: 150, coupling: -6 };

function speechOf(name: string, seconds: number): Int16Array {
  const narrow = readSpeech(`${voices}/${name}.wav`).subarray(0, 8000 * seconds);
  const wide = new Int16Array(2 * narrow.length);
  new Resampler(8000, rate).process(narrow, narrow.length, wide);
  return wide;
}

/** The far end speaks for 16 s, this side from second 10 to 16. */
function inRoom(room: RoomShape, maker: EnhancerMaker | null = speex, changes: Partial<VoiceWishes> = {}, speaks = true) {
  const random = seededRandom(5);
  const echo = echoOf(far, room, rate);
  const voice = new VoiceProcessing(rate, { ...usual, ...changes }, maker ?? undefined, 0);
  const sent = new Int16Array(far.length);
  for (let start = 0; start + block <= far.length; start += block) {
    const heard = sent.subarray(start, start + block);
    for (let index = 0; index < block; index++) {
      const spoken = speaks ? (near[start + index - 10 * rate] ?? 0) : 0;
      heard[index] = Math.max(-32_768, Math.min(32_767, (echo[start + index] ?? 0) + spoken + random() * 20 - 10));
    }
    voice.hear(heard);
    voice.play(far.slice(start, start + block));
  }
  const { state } = voice;
  voice.close();
  const power = (sound: ArrayLike<number>, from: number, to: number) => {
    let sum = 1;
    for (let index = from * rate; index < to * rate; index++) sum += (sound[index] ?? 0) ** 2;
    return sum;
  };
  const reduction = (from: number, to: number) => 10 * Math.log10(power(echo, from, to) / power(sent, from, to));
  const { correlation } = align(near, sent.subarray(10 * rate), rate / 4);
  return { state, reduction, correlation };
}

t.test('the far end hears no echo from the first word on, and who speaks at the same time is heard', async (t) => {
  for (const delayMs of [20, 60, 180]) {
    const { state, reduction, correlation } = inRoom({ ...office, delayMs });
    t.ok(reduction(1, 3) > 25 && reduction(3, 10) > 25, `${delayMs} ms: ${reduction(1, 3)}, then ${reduction(3, 10)} dB`);
    t.ok(correlation > 0.75, `${correlation} in double talk`);
    t.equal(state.echo, 'cancelling');
    t.ok(Math.abs((state.echoDelayMs ?? 0) - delayMs + 10) < 8, `found at ${state.echoDelayMs} ms`);
  }
});

t.test('clocks that differ by 100 ppm: the echo stays away', async (t) => {
  for (const drift of [100, -100]) t.ok(inRoom({ ...office, drift }).reduction(3, 10) > 12, `${drift} ppm`);
});

t.test('without the library, or where it is wanted, one side speaks at a time', async (t) => {
  for (const [maker, echo] of [
    [null, 'cancel'],
    [speex, 'halfDuplex'],
  ] as const) {
    const { state, reduction } = inRoom(office, maker, { echo }, false);
    t.ok(reduction(1, 16) > 30, `${reduction(1, 16)} dB`);
    t.equal(state.echo, 'halfDuplex');
  }
});

t.test('a call: the phone with the loudspeaker sends its far end no echo', async (t) => {
  class HandsFree extends SimulatedHandset {
    readonly #response = roomResponse({ ...office, reverberationMs: 60 }, rate);
    #at = -(office.delayMs * rate) / 1000;
    override speak(): Int16Array {
      const frame = new Int16Array(this.frameSamples);
      for (let index = 0; index < frame.length; index++, this.#at++) {
        let sum = 0;
        for (let tap = 0; tap < this.#response.length; tap++) sum += (this.#response[tap] ?? 0) * (this.heard[this.#at - tap] ?? 0);
        frame[index] = sum;
      }
      return frame;
    }
  }
  const narrow = readSpeech(`${voices}/demo-instruct.wav`).subarray(0, 8000 * 12);
  const levels = [false, true].map((processed) => {
    const [speaker, listener] = [new HandsFree(undefined, rate), new SimulatedHandset(narrow)];
    const media = new SimulatedMedia(11, speaker);
    if (processed) {
      media.engine.enhancer = speex;
      media.useDevice(media.engine.addDevice('handset', speaker, usual));
    }
    const call = new SimulatedCall(3, media, new SimulatedMedia(12, listener)).connect().run(12_000);
    t.equal(call.a.engine.statistics()[0]?.voice?.echo, processed ? 'cancelling' : undefined);
    return levelOf(listener.recording.subarray(4 * 8000));
  });
  t.ok((levels[0] ?? 0) - (levels[1] ?? 0) > 20, `${levels.join(' and ')} dBFS`);
});

t.test('gain, high-pass and side tone by themselves', async (t) => {
  const gain = new GainControl(rate);
  const soft = sine(700, rate, 8, 0.0061);
  for (let at = 0; at < soft.length; at += block) gain.process(soft.subarray(at, at + block), true);
  t.ok(Math.abs(levelOf(soft.subarray(7 * rate)) + 30) < 4 && gain.gain === 18, `${levelOf(soft.subarray(7 * rate))} dBFS`);
  for (const [tone, low, high] of [
    [30, -60, -20],
    [1000, -1, 1],
  ] as const) {
    const sound = sine(tone, rate, 1, 0.3);
    const before = levelOf(sound);
    new HighPass(rate, 120).process(sound);
    const change = levelOf(sound) - before;
    t.ok(change > low && change < high, `${tone} Hz: ${change} dB`);
  }
  const voice = new VoiceProcessing(rate, { ...usual, echo: 'off', sideTone: 0.5 }, undefined, 0);
  const [spoken, ear] = [new Int16Array(block).fill(1000), new Int16Array(block).fill(100)];
  voice.hear(spoken);
  voice.play(ear);
  t.equal(ear[50], 600);
  t.equal(spoken[50], 1000);
});

t.test('a library that is not there says so; a device that is replaced gives its memory back', async (t) => {
  await t.rejects(loadSpeex('libnothing.so.9'));
  let open = 0;
  const engine = new MediaEngine(seededEntropy(1), 'cname', phoneSettings);
  engine.enhancer = () => {
    open++;
    return { process: () => undefined, relearn: () => undefined, close: () => void open-- };
  };
  for (const sampleRate of [8000, 48_000, 16_000]) engine.addDevice('speaker', new SimulatedHandset(undefined, sampleRate), usual);
  t.equal(open, 1);
  engine.tick(0);
  engine.removeDevice('speaker');
  t.equal(open, 0);
});
