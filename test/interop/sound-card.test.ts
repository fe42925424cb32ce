import { join } from 'node:path';
import t from 'tap';
import { align } from '#firmware/audio/correlation.ts';
import { levelOf } from '#firmware/audio/pcm.ts';
import { Resampler } from '#firmware/audio/resampler.ts';
import type { PhoneStatus } from '#firmware/contract/phone.ts';
import { callOf, isIdle, makeFolder, ourSpeech } from '#test/support/interop-house.ts';
import { LabPcm, type LabWire, labHandset } from '#test/support/labpcm.ts';
import { registerLine, startPhoneAndExchange } from '../../scripts/phone-with-exchange.ts';
import { readSpeech } from '../../scripts/speech.ts';

/** A whole call through naudiodon and a real PortAudio device: speech put on the microphone's wire comes back on the receiver's. */

const folder = makeFolder(t);
const lab = await LabPcm.start({ ...labHandset, desk: { capture: 'room', playback: 'loud', rate: 16_000, channels: 2 } });
t.teardown(async () => lab.end());
const phone = await startPhoneAndExchange({
  data: join(folder, 'phone'),
  environment: lab.environment,
  settings: {
    'audio.handset.driver': 'portaudio',
    'audio.handset.input': 'alsa:handset',
    'audio.handset.output': 'alsa:handset',
    // Sound is compared sample by sample: no time is to be bent while the delay is adapted.
    'jitterBuffer.minimumMs': '120',
  },
});
t.teardown(() => phone.stop());
await registerLine(phone);

const seconds = 10;
const secondsAtLeast = 5;

/** Calls the echo test, speaks for ten seconds, and gives how many of them came back as they were said. */
async function echoOfSpeech(): Promise<number> {
  const speech = readSpeech(ourSpeech).subarray(0, seconds * lab.wire('mouth').rate);
  const [mouth, ear] = [lab.wire('mouth'), lab.wire('ear')];
  await phone.hook('offHook');
  await phone.until('the dial tone sounds', ({ tone }) => tone === 'dial');
  await phone.press('600');
  await phone.until('packets flow', (status) => (callOf(status)?.media?.packetsReceived ?? 0) > 25);
  const begin = mouth.now() + mouth.rate / 2;
  mouth.put(speech, begin);
  const before = callOf(phone.status)?.media?.packetsReceived ?? 0;
  const enough = before + (seconds + 2) * 50;
  const status = await phone.until('all was said and heard', (now) => (callOf(now)?.media?.packetsReceived ?? 0) >= enough, 30_000);
  const heard = ear.take(begin, (seconds + 2) * ear.rate);
  t.match(callOf(status), { state: 'active', media: { packetsLost: 0 } });
  await phone.hook('onHook');
  await phone.until('it is idle', isIdle);
  const whole = Array.from({ length: seconds }, (_, second) => {
    const said = speech.subarray(second * ear.rate, (second + 1) * ear.rate);
    return align(said, heard.subarray(second * ear.rate, (second + 3) * ear.rate), 2 * ear.rate).correlation >= 0.95;
  });
  return whole.filter(Boolean).length;
}

/** How the device of a role does, as everybody is shown it. */
function deviceOf({ sound }: PhoneStatus, role: string) {
  return sound.devices.find((device) => device.role === role);
}

/** A loaded machine takes sound away from any card: the best of five calls counts, and a torn second does not make the others worse. */
async function bestEcho(t: { comment(text: string): void }): Promise<number> {
  const counts: number[] = [];
  while (counts.length < 5 && Math.max(...counts) < secondsAtLeast) counts.push(await echoOfSpeech());
  t.comment(`of ${seconds} s came back whole: ${counts.join(', ')}`);
  return Math.max(...counts);
}

t.test('speech goes through the sound card, the phone and the exchange, and comes back', async (t) => {
  const whole = await bestEcho(t);
  t.ok(whole >= secondsAtLeast, `${whole} of ${seconds} s heard again`);
});

/** A loudspeaker with a microphone, and the bell at the same card, which nobody may open twice; nothing is done to its sound. */
const deskSettings = {
  'audio.speaker.driver': 'portaudio',
  'audio.speaker.input': 'desk',
  'audio.speaker.output': 'desk',
  'audio.speaker.echo': 'off',
  'audio.speaker.noiseSuppression': 'off',
  'audio.speaker.gainControl': 'off',
  'audio.speaker.highPass': 'off',
  'audio.ringer.driver': 'portaudio',
  'audio.ringer.output': 'desk',
};

/** Half a second of speech at the microphone of a card, until it comes back whole at its loudspeaker: a loaded machine tears some. */
async function isHeard(mouth: LabWire, ear: LabWire): Promise<boolean> {
  const speech = readSpeech(ourSpeech).subarray(8_000, 12_000);
  const word = new Int16Array((speech.length * mouth.rate) / 8_000);
  new Resampler(8_000, mouth.rate).process(speech, speech.length, word);
  for (let tries = 0; tries < 25; tries++) {
    const begin = mouth.now() + mouth.rate / 5;
    mouth.put(word, begin);
    await phone.until('it was said and heard', () => mouth.now() > begin + word.length + mouth.rate);
    if (align(word, ear.take(begin, word.length + ear.rate), ear.rate).correlation > 0.9) return true;
  }
  return false;
}

t.test('the card is pulled out in a call: the call stays and goes on at the loudspeaker, and back with the card', async (t) => {
  await phone.link.command('changeSettings', { set: deskSettings, unset: [] });
  await phone.until('all devices work', ({ sound }) => sound.devices.length === 3 && sound.devices.every(({ ok }) => ok), 30_000);
  await phone.hook('offHook');
  await phone.press('600');
  await phone.until('packets flow', (status) => (callOf(status)?.media?.packetsReceived ?? 0) > 25);
  for (const wire of ['mouth', 'ear']) lab.wire(wire).setUnplugged(true);
  const gone = await phone.until('it is told', (now) => deviceOf(now, 'handset')?.ok === false);
  t.match(deviceOf(gone, 'handset'), { reason: /no sound for/, standIn: 'speaker' });
  const before = callOf(phone.status)?.media?.packetsSent ?? 0;
  const status = await phone.until('RTP goes on without it', (now) => (callOf(now)?.media?.packetsSent ?? 0) > before + 100);
  t.equal(callOf(status)?.state, 'active');
  t.ok(await isHeard(lab.wire('room'), lab.wire('loud')), 'at the loudspeaker one speaks and hears');
  for (const wire of ['mouth', 'ear']) lab.wire(wire).setUnplugged(false);
  const plugged = performance.now();
  await phone.until('it is back', (now) => deviceOf(now, 'handset')?.ok === true, 30_000);
  t.comment(`the card has the sound again after ${Math.round(performance.now() - plugged)} ms`);
  t.ok(await isHeard(lab.wire('mouth'), lab.wire('ear')), 'and the same call goes on at the handset');
  await phone.hook('onHook');
  await phone.until('it is idle', isIdle);
});

t.test('loudspeaker and bell share a card: a call rings there, and is taken there by a key', async (t) => {
  await phone.link.command('handsFree', { role: 'speaker' });
  await phone.until('the dial tone sounds', ({ tone, sound }) => tone === 'dial' && sound.ear === 'speaker');
  await phone.press('600');
  await phone.until('packets flow', (status) => (callOf(status)?.media?.packetsReceived ?? 0) > 25);
  t.ok(await isHeard(lab.wire('room'), lab.wire('loud')), 'one speaks and hears there');
  await phone.link.command('handsFree', { role: 'speaker' });
  await phone.until('it is idle', isIdle);
});

t.test('the devices are listed with the roles that use them, and one is tried by a tone and its microphone', async (t) => {
  const { devices } = await phone.link.command('soundDevices', {});
  const wishes = devices.map(({ wish }) => wish);
  t.ok(
    ['handset', 'desk'].every((wish) => wishes.includes(wish)),
    wishes.join(', '),
  );
  t.match(
    devices.find(({ wish }) => wish === 'desk'),
    { inputChannels: 2, outputChannels: 2, sampleRate: 16_000 },
  );
  t.same(devices.find(({ wish }) => wish === 'desk')?.usedBy.toSorted(), ['ringer', 'speaker']);
  t.same(devices.find(({ wish }) => wish === 'handset')?.usedBy, ['handset']);
  const [room, loud] = [lab.wire('room'), lab.wire('loud')];
  const hum = Int16Array.from({ length: 8 * room.rate }, (_, at) => 3_000 * Math.sin((2 * Math.PI * 300 * at) / room.rate));
  const begin = room.now();
  room.put(hum, begin);
  const { device, sampleRate, duringTone, loudest } = await phone.link.command('testSound', { role: 'speaker' });
  t.match({ device, sampleRate }, { device: 'desk', sampleRate: 16_000 });
  // -24 dBFS; the very loudest of 10 ms, whatever a loaded machine tears.
  for (const level of [duringTone, loudest]) t.ok(level !== null && Math.abs(level + 24) <= 3, `the hum at ${level} dBFS`);
  t.ok(levelOf(loud.take(begin, 4 * loud.rate)) > -50, 'the tone was at the loudspeaker');
  await t.rejects(phone.link.command('testSound', { role: 'headset' }), { message: /there is no sound device headset/ });
});
