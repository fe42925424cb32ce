import { join } from 'node:path';
import t from 'tap';
import { align } from '#firmware/audio/correlation.ts';
import { callOf, isIdle, makeFolder, ourSpeech } from '#test/support/interop-house.ts';
import { LabPcm, labHandset } from '#test/support/labpcm.ts';
import { registerLine, startPhoneAndExchange } from '../../scripts/phone-with-exchange.ts';
import { readSpeech } from '../../scripts/speech.ts';

/** A whole call through naudiodon and a real PortAudio device: speech put on the microphone's wire comes back on the receiver's. */

const folder = makeFolder(t);
const lab = await LabPcm.start(labHandset);
t.teardown(async () => lab.end());
const phone = await startPhoneAndExchange({
  data: join(folder, 'phone'),
  environment: lab.environment,
  settings: {
    'audio.handset.driver': 'portaudio',
    'audio.handset.input': 'handset',
    'audio.handset.output': 'handset',
    // Sound is compared sample by sample: no time is to be bent while the delay is adapted.
    'jitterBuffer.minimumMs': '120',
  },
});
t.teardown(() => phone.stop());
await registerLine(phone);

const seconds = 10;

/** Calls the echo test, speaks for ten seconds, and gives how like the echo is to what was said. */
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
  const heard = ear.take(begin, (seconds + 1) * ear.rate);
  t.match(callOf(status), { state: 'active', media: { packetsLost: 0 } });
  await phone.hook('onHook');
  await phone.until('it is idle', isIdle);
  return align(speech, heard, 2 * ear.rate).correlation;
}

/** A loaded machine takes sound away from any card: the best of five calls counts. */
async function bestEcho(t: { comment(text: string): void }): Promise<number> {
  const correlations: number[] = [];
  while (correlations.length < 5 && Math.max(...correlations) < 0.95) correlations.push(await echoOfSpeech());
  t.comment(`correlation over ${seconds} s: ${correlations.map((value) => value.toFixed(4)).join(', ')}`);
  return Math.max(...correlations);
}

t.test('speech goes through the sound card, the phone and the exchange, and comes back', async (t) => {
  const correlation = await bestEcho(t);
  t.ok(correlation >= 0.95, `heard again: ${correlation}`);
});

t.test('the card is pulled out in a call: the call stays, and sound comes back with the card', async (t) => {
  await phone.hook('offHook');
  await phone.press('600');
  await phone.until('packets flow', (status) => (callOf(status)?.media?.packetsReceived ?? 0) > 25);
  for (const wire of ['mouth', 'ear']) lab.wire(wire).setUnplugged(true);
  const before = callOf(phone.status)?.media?.packetsSent ?? 0;
  const status = await phone.until('RTP goes on without it', (now) => (callOf(now)?.media?.packetsSent ?? 0) > before + 100);
  t.equal(callOf(status)?.state, 'active');
  for (const wire of ['mouth', 'ear']) lab.wire(wire).setUnplugged(false);
  await phone.hook('onHook');
  await phone.until('it is idle', isIdle);
  const correlation = await bestEcho(t);
  t.ok(correlation >= 0.95, `heard again: ${correlation}`);
});
