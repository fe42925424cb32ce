import t from 'tap';
import { align } from '#firmware/audio/correlation.ts';
import { Resampler } from '#firmware/audio/resampler.ts';
import { addBaresip, callOf, isIdle, ourSpeech, startHouse, theirSpeech } from '#test/support/interop-house.ts';
import { readSpeech } from '../../scripts/speech.ts';

/** Calls to Debian's baresip with codecs beside G.711, on loopback, with real human speech. */

const sampleRate = 8000;
const seconds = 5;
const house = await startHouse(t, { 'line.main.codecs': 'opus,G722,L16,PCMU', 'jitterBuffer.minimumMs': '120' });
const { phone, heard } = house;

/** How like `speech` the last seconds of a recording are, but for its very end. */
function likeness(recording: Int16Array, speech: string): number {
  const end = recording.length - sampleRate / 2;
  return align(recording.subarray(Math.max(0, end - seconds * sampleRate), end), readSpeech(speech)).correlation;
}

/** What baresip heard, at the rate of the files. */
function narrowed(recording: Int16Array, rate: number): Int16Array {
  if (rate === sampleRate) return recording;
  const output = new Int16Array(Math.ceil((recording.length * sampleRate) / rate) + 1);
  return output.subarray(0, new Resampler(rate, sampleRate).process(recording, recording.length, output));
}

for (const [user, codec, rate] of [
  ['201', 'g722/16000/1', 16_000],
  ['202', 'l16/8000/1', 8000],
  ['203', 'opus/48000/2', 48_000],
] as const) {
  t.test(`a call in ${codec}: speech arrives at both ends`, async (t) => {
    const baresip = await addBaresip(t, house, user, 'auto', codec, { modules: ['opus'] });
    await phone.hook('offHook');
    await phone.press(user);
    await baresip.saw('CALL_ESTABLISHED');
    await phone.until('7 s of speech came', (now) => (callOf(now)?.media?.packetsReceived ?? 0) >= 350, 25_000);
    t.match(callOf(phone.status)?.media, { packetsLost: 0, packetsRefused: 0 });
    const weHeard = likeness(readSpeech(heard), theirSpeech);
    await phone.hook('onHook');
    await baresip.saw('CALL_CLOSED');
    await phone.until('it is idle', isIdle);
    const theyHeard = likeness(narrowed(readSpeech(await baresip.heardFile()), rate), ourSpeech);
    t.comment(`correlation over ${seconds} s: they heard ${theyHeard.toFixed(4)}, we heard ${weHeard.toFixed(4)}`);
    t.ok(theyHeard >= 0.9, `they heard us: ${theyHeard}`);
    t.ok(weHeard >= 0.9, `we heard them: ${weHeard}`);
  });
}
