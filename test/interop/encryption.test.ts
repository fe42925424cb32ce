import t from 'tap';
import { align } from '#firmware/audio/correlation.ts';
import { addBaresip, callOf, isIdle, ourSpeech, startHouse, theirSpeech } from '#test/support/interop-house.ts';
import { readSpeech } from '../../scripts/speech.ts';

/** Encrypted calls with Debian's baresip, both ways, with real human speech. */

const sampleRate = 8000;
const seconds = 2;
const house = await startHouse(t, { 'line.main.encryption': 'mandatory', 'jitterBuffer.minimumMs': '120' });
const { phone, heard } = house;

function likeness(recording: Int16Array, speech: string): number {
  const end = recording.length - sampleRate / 2;
  return align(recording.subarray(Math.max(0, end - seconds * sampleRate), end), readSpeech(speech)).correlation;
}

for (const [user, keys, way, mediaenc, suite] of [
  ['201', 'sdes', 'out', 'srtp-mand', 'AES_CM_128_HMAC_SHA1_80'],
  ['202', 'sdes', 'in', 'srtp', /^A/],
  ['203', 'dtls', 'out', 'dtls_srtp', /^A/],
  ['204', 'dtls', 'in', 'dtls_srtp', /^A/],
] as const) {
  t.test(`a call ${way} with keys by ${keys} (baresip's ${mediaenc}): speech arrives at both ends`, async (t) => {
    await phone.link.command('changeSettings', { set: { 'line.main.keyExchange': keys }, unset: [] });
    const more = { modules: ['srtp', 'dtls_srtp'], account: [`mediaenc=${mediaenc}`] };
    const baresip = await addBaresip(t, house, user, 'auto', 'pcmu,pcma', more);
    if (way === 'out') {
      await phone.hook('offHook');
      await phone.press(user);
    } else {
      baresip.command('dial', 'sip:200@127.0.0.1');
      await phone.until('it rings', (now) => callOf(now)?.state === 'ringing');
      await phone.hook('offHook');
    }
    await baresip.saw('CALL_ESTABLISHED');
    const status = await phone.until('3 s of speech came', (now) => (callOf(now)?.media?.packetsReceived ?? 0) >= 150, 25_000);
    t.match(callOf(status), { encryption: suite, media: { packetsLost: 0, packetsUnauthentic: 0 } });
    const weHeard = likeness(readSpeech(heard), theirSpeech);
    await phone.hook('onHook');
    await baresip.saw('CALL_CLOSED');
    await phone.until('it is idle', isIdle);
    const theyHeard = likeness(readSpeech(await baresip.heardFile()), ourSpeech);
    t.comment(
      `${callOf(status)?.encryption}, correlation over ${seconds} s: they heard ${theyHeard.toFixed(4)}, we heard ${weHeard.toFixed(4)}`,
    );
    t.ok(theyHeard >= 0.9, `they heard us: ${theyHeard}`);
    t.ok(weHeard >= 0.9, `we heard them: ${weHeard}`);
  });
}

t.test('mandatory: a call without encryption is refused with 488, and one of ours ends', async (t) => {
  const baresip = await addBaresip(t, house, '205', 'auto');
  baresip.command('dial', 'sip:200@127.0.0.1');
  t.match((await baresip.saw('CALL_CLOSED')).param, /488/);
  await phone.hook('offHook');
  await phone.press('205');
  await phone.until('it is over', (now) => now.calls.length === 0 || callOf(now)?.state === 'ended');
  await phone.hook('onHook');
  await phone.until('it is idle', isIdle);
});
