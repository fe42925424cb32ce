import t from 'tap';
import { align } from '#firmware/audio/correlation.ts';
import { addBaresip, callOf, isIdle, ourSpeech, startHouse, theirSpeech } from '#test/support/interop-house.ts';
import { kamailioRealm } from '#test/support/kamailio.ts';
import { toneShare } from '#test/support/tone-share.ts';
import { readSpeech } from '../../scripts/speech.ts';

/** Our phone and Debian's baresip, both registered with digest at a real Kamailio, on loopback, with real human speech. */

const sampleRate = 8000;
const house = await startHouse(t, {
  'phone.callWaiting': 'false',
  'phone.ringSeconds': '5',
  'phone.noAnswerSeconds': '5',
  // Two busy cores may stop a process for a while: one jump of the jitter buffer would spoil the comparison of a whole recording.
  'jitterBuffer.minimumMs': '120',
});
const { phone, heard } = house;
const automatic = await addBaresip(t, house, '201', 'auto');
const manual = await addBaresip(t, house, '202', 'manual');

t.beforeEach(() => {
  automatic.forget();
  manual.forget();
});

/** How like `speech` seconds `from`–`to` of a recording's end are. */
function likeness(recording: Int16Array, speech: string, seconds: number, before: number): number {
  const end = recording.length - before * sampleRate;
  const part = recording.subarray(Math.max(0, end - seconds * sampleRate), end);
  return align(part, readSpeech(speech)).correlation;
}

t.test('the phone is registered with digest', async (t) => {
  const registration = phone.status?.lines[0]?.registration;
  t.match(registration, { state: 'registered', statusCode: 200 });
  t.comment(`registered in ${registration?.elapsedMs?.toFixed(1)} ms`);
});

t.test('lifting, dialling and talking: speech arrives at both ends, our BYE ends it', async (t) => {
  await phone.hook('offHook');
  await phone.until('the dial tone sounds', ({ tone }) => tone === 'dial');
  await phone.press('201');
  await automatic.saw('CALL_ESTABLISHED');
  const status = await phone.until('12 s of speech came', (now) => (callOf(now)?.media?.packetsReceived ?? 0) >= 600, 25_000);
  t.equal(callOf(status)?.state, 'active');
  t.equal(callOf(status)?.media?.packetsLost, 0);
  // The recording goes on after the call, on a busy machine for seconds: it is looked at before.
  const weHeard = likeness(readSpeech(heard), theirSpeech, 10, 0.5);
  await phone.hook('onHook');
  await automatic.saw('CALL_CLOSED');
  await phone.until('it is idle', isIdle);
  const theyHeard = likeness(readSpeech(await automatic.heardFile()), ourSpeech, 10, 0.5);
  t.comment(`correlation over 10 s: they heard ${theyHeard.toFixed(4)}, we heard ${weHeard.toFixed(4)}`);
  t.ok(theyHeard >= 0.95, `they heard us: ${theyHeard}`);
  t.ok(weHeard >= 0.95, `we heard them: ${weHeard}`);
});

t.test('a call from baresip: it rings, lifting accepts, speech both ways, their BYE ends it', async (t) => {
  manual.command('dial', `sip:200@${kamailioRealm}`);
  const ringing = await phone.until('it rings', (status) => callOf(status)?.state === 'ringing');
  t.match(ringing.board?.leds.call, /blink/i, 'the lamp blinks');
  t.equal(ringing.tone, 'ring');
  await manual.saw('CALL_RINGING');
  await phone.hook('offHook');
  await manual.saw('CALL_ESTABLISHED');
  await phone.until('12 s of speech came', (now) => (callOf(now)?.media?.packetsReceived ?? 0) >= 600, 25_000);
  const weHeard = likeness(readSpeech(heard), theirSpeech, 10, 0.5);
  manual.command('hangup');
  await phone.until('the far end is gone', ({ calls }) => calls.every(({ state }) => state !== 'active'));
  await phone.hook('onHook');
  await phone.until('it is idle', isIdle);
  const theyHeard = likeness(readSpeech(await manual.heardFile()), ourSpeech, 10, 0.5);
  t.comment(`correlation over 10 s: they heard ${theyHeard.toFixed(4)}, we heard ${weHeard.toFixed(4)}`);
  t.ok(theyHeard >= 0.95, `they heard us: ${theyHeard}`);
  t.ok(weHeard >= 0.95, `we heard them: ${weHeard}`);
});

t.test('hanging up while it rings there cancels', async (t) => {
  await phone.hook('offHook');
  await phone.press('202');
  await phone.until('ringback sounds', ({ tone }) => tone === 'ringback');
  await manual.saw('CALL_INCOMING');
  await phone.hook('onHook');
  t.match((await manual.saw('CALL_CLOSED')).param, /./);
  await phone.until('it is idle', isIdle);
  t.match((await phone.link.command('callLog', { limit: 1 })).entries[0], { direction: 'outgoing', outcome: 'cancelled' });
});

t.test('a caller who gives up while it rings here is a missed call', async (t) => {
  const missed = phone.status?.missedCalls ?? 0;
  manual.command('dial', `sip:200@${kamailioRealm}`);
  await phone.until('it rings', (status) => callOf(status)?.state === 'ringing');
  await manual.saw('CALL_RINGING');
  manual.command('hangup');
  await phone.until('it is idle', isIdle);
  t.equal(phone.status?.missedCalls, missed + 1);
  t.match((await phone.link.command('callLog', { limit: 1 })).entries[0], { direction: 'incoming', outcome: 'missed' });
});

t.test('they are busy: 486 is heard as the busy tone', async (t) => {
  await phone.hook('offHook');
  await phone.press('202');
  await manual.saw('CALL_INCOMING');
  manual.command('hangup');
  await phone.until('the busy tone sounds', ({ tone }) => tone === 'busy');
  t.match((await phone.link.command('callLog', { limit: 1 })).entries[0], { outcome: 'busy', statusCode: 486 });
  await manual.saw('CALL_CLOSED');
  await phone.hook('onHook');
  await phone.until('it is idle', isIdle);
});

t.test('we are busy: a second caller gets 486 and the call goes on', async (t) => {
  await phone.hook('offHook');
  await phone.press('201');
  await automatic.saw('CALL_ESTABLISHED');
  await phone.until('the call is up', (status) => callOf(status)?.state === 'active');
  manual.command('dial', `sip:200@${kamailioRealm}`);
  t.match((await manual.saw('CALL_CLOSED')).param, /^486/);
  t.equal(callOf(phone.status)?.state, 'active');
  await phone.hook('onHook');
  await automatic.saw('CALL_CLOSED');
  await phone.until('it is idle', isIdle);
});

t.test('declining is 603', async (t) => {
  manual.command('dial', `sip:200@${kamailioRealm}`);
  await phone.until('it rings', (status) => callOf(status)?.state === 'ringing');
  t.match(await phone.cli('hangup'), { code: 0 });
  t.match((await manual.saw('CALL_CLOSED')).param, /^603/);
  await phone.until('it is idle', isIdle);
});

t.test('nobody accepts here: 480 after the ringing time', async (t) => {
  manual.command('dial', `sip:200@${kamailioRealm}`);
  await phone.until('it rings', (status) => callOf(status)?.state === 'ringing');
  t.match((await manual.saw('CALL_CLOSED')).param, /^480/);
  await phone.until('it is idle', isIdle);
});

t.test('nobody accepts there: given up after the time for that', async (t) => {
  await phone.hook('offHook');
  await phone.press('202');
  await manual.saw('CALL_INCOMING');
  await manual.saw('CALL_CLOSED');
  await phone.until('the call is over', ({ calls }) => calls.length === 0);
  t.match((await phone.link.command('callLog', { limit: 1 })).entries[0], { outcome: 'noAnswer' });
  await phone.hook('onHook');
  await phone.until('it is idle', isIdle);
});

t.test('an unknown number: 404 is heard as the congestion tone', async (t) => {
  await phone.hook('offHook');
  await phone.press('299');
  await phone.until('the congestion tone sounds', ({ tone }) => tone === 'congestion');
  t.match((await phone.link.command('callLog', { limit: 1 })).entries[0], { outcome: 'failed', statusCode: 404 });
  await new Promise((resolve) => setTimeout(resolve, 1500)); // the tone itself has to be recorded
  await phone.hook('onHook');
  await phone.until('it is idle', isIdle);
  const recording = readSpeech(heard);
  const share = toneShare(recording.subarray(-sampleRate), sampleRate, [480, 620]);
  t.comment(`480 + 620 Hz hold ${(100 * share).toFixed(0)} % of the last second's energy`);
  t.ok(share > 0.8, `the last second is 480 + 620 Hz: ${share}`);
});
