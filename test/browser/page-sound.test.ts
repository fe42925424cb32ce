import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type BrowserContext, chromium, type Page } from 'playwright-core';
import t from 'tap';
import { align } from '#firmware/audio/correlation.ts';
import { Resampler } from '#firmware/audio/resampler.ts';
import { wavHeader } from '#firmware/audio/wav.ts';
import { addBaresip, makeFolder, ourSpeech, startHouse, theirSpeech } from '#test/support/interop-house.ts';
import { registerLine, startPhoneAndExchange } from '../../scripts/phone-with-exchange.ts';
import { readSpeech } from '../../scripts/speech.ts';
import type { VirtualPhone } from '../../scripts/virtual-phone.ts';

/** Talking and listening at the page, in Debian's Chromium, whose microphone is a WAV file that begins anew whenever it is opened. */

const rate = 8000;
/** Silence until the page has the sound, then speech. */
const [leadSeconds, spokenSeconds] = [2.5, 5];
const goodEnough = 0.9;
const rounds = 5;

const folder = makeFolder(t);
const spoken = readSpeech(ourSpeech).slice(0, spokenSeconds * rate);
const microphone = join(folder, 'microphone.wav');
const samples = new Int16Array((leadSeconds + spokenSeconds + 60) * rate);
samples.set(spoken, leadSeconds * rate);
writeFileSync(microphone, Buffer.concat([wavHeader(rate, samples.byteLength), new Uint8Array(samples.buffer)]));

// The network's delay is nobody's subject here, and time that is bent to adapt to it would be compared as well.
const phone = await startPhoneAndExchange({ data: join(folder, 'phone'), settings: { 'jitterBuffer.minimumMs': '100' } });
t.teardown(() => phone.stop());
await registerLine(phone);
const browser = await chromium.launch({
  executablePath: '/usr/bin/chromium',
  args: [
    ...['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking'],
    ...['--disable-component-update', '--disable-sync', '--autoplay-policy=no-user-gesture-required'],
    ...['--use-fake-device-for-media-stream', `--use-file-for-fake-audio-capture=${microphone}%noloop`],
  ],
});
t.teardown(() => browser.close());
const originOf = (at: VirtualPhone) => `http://127.0.0.1:${at.settingOf('web.port')}`;
const origin = originOf(phone);
const complaints: string[] = [];

async function answers(at: string): Promise<boolean> {
  try {
    return (await fetch(`${at}/`)).ok;
  } catch {
    // Nobody listens yet.
    return false;
  }
}

/** The page as a person of their own has it open: with or without leave to use the microphone. */
async function openPage(allowed: boolean, context?: BrowserContext, at = origin): Promise<Page> {
  // The page's daemon starts last.
  while (!(await answers(at))) await new Promise((resolve) => setTimeout(resolve, 50));
  const own = context ?? (await browser.newContext({ bypassCSP: true }));
  if (allowed) await own.grantPermissions(['microphone'], { origin: at });
  if (!context) await own.addInitScript({ path: join(import.meta.dirname, 'loudspeaker-recorder.js') });
  const page = await own.newPage();
  page.on('pageerror', (error) => complaints.push(error.message));
  page.on('console', (message) => message.type() === 'error' && complaints.push(message.text()));
  await page.goto(`${at}/`);
  await page.locator('[data-sound=off]').waitFor();
  return page;
}

const use = (page: Page) => page.getByRole('button', { name: 'Use this microphone and loudspeaker' }).click();
const giveBack = (page: Page) => page.getByRole('button', { name: 'Back to the handset' }).click();
const holder = async () => ((await (await fetch(`${origin}/api/sound`)).json()) as { page: string | null }).page;

/** What went to the page's loudspeaker since it has the sound. */
async function heardAt(page: Page): Promise<Int16Array> {
  const heard = (await page.evaluate('heard()')) as { rate: number; samples: string };
  const bytes = Buffer.from(heard.samples, 'base64');
  const recorded = new Int16Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length));
  const output = new Int16Array(Math.ceil((recorded.length * rate) / heard.rate) + 2);
  return output.slice(0, new Resampler(heard.rate, rate).process(recorded, recorded.length, output));
}

/** Stretches of half a second, each where it fits best within 0.3 s of where the whole does: delays may change, speech may not. */
function likeness(reference: Int16Array, recording: Int16Array): { whole: number; stretches: number[] } {
  const { lag: place } = align(reference, recording);
  const stretches: number[] = [];
  let [products, sent, received] = [0, 0, 0];
  for (let at = 0; at + rate / 2 <= reference.length; at += rate / 2) {
    const part = reference.subarray(at, at + rate / 2);
    const from = Math.max(0, at + place - 0.3 * rate);
    const around = recording.subarray(from, at + place + 0.8 * rate);
    const { correlation, lag } = align(part, around);
    stretches.push(correlation);
    for (let index = 0; index < part.length; index++) {
      const [a, b] = [part[index] ?? 0, around[index + lag] ?? 0];
      products += a * b;
      sent += a * a;
      received += b * b;
    }
  }
  return { whole: products / Math.sqrt(sent * received), stretches };
}

t.test('a newcomer lifts, dials 600 at the page and hears what they say', async (t) => {
  const page = await openPage(true);
  await page.getByLabel('headphones').check();
  await page.getByRole('button', { name: 'Lift' }).click();
  await page.keyboard.type('600');
  await page.locator('[data-call-state=active]').waitFor();
  t.equal(await holder(), null, 'nobody has the sound until somebody asks');
  const found: number[] = [];
  // A machine that stands still for a moment costs sound in one round; what is wrong is wrong in each.
  while ((found.at(-1) ?? 0) < goodEnough && found.length < rounds) {
    await use(page);
    await page.locator('[data-sound=on]').waitFor();
    t.equal(await holder(), '127.0.0.1');
    await page.waitForFunction('Number(document.querySelector("[data-level=loudspeaker]")?.value ?? -60) > -45');
    await page.waitForTimeout((spokenSeconds + 1) * 1000);
    const { whole, stretches } = likeness(spoken, await heardAt(page));
    found.push(whole);
    const middle = [...stretches].sort((a, b) => a - b)[Math.floor(stretches.length / 2)] ?? 0;
    const state = await page.locator('.levels').getAttribute('title');
    t.comment(`there and back ${whole.toFixed(3)}, half of all stretches at least ${middle.toFixed(3)}; at the end ${state}`);
    await giveBack(page);
    await page.locator('[data-sound=off]').waitFor();
  }
  t.ok((found.at(-1) ?? 0) >= goodEnough, `correlation there and back in each round: ${found.map((one) => one.toFixed(3)).join(', ')}`);
  await page.locator('[data-call-state=active]').waitFor();
  await page.getByRole('button', { name: 'Hang up' }).click();
  await page.context().close();
});

t.test('two people talk: one at the page, the other at baresip; each hears what the other says', async (t) => {
  const house = await startHouse(t, { 'jitterBuffer.minimumMs': '100' });
  const baresip = await addBaresip(t, house, '201', 'auto');
  const page = await openPage(true, undefined, originOf(house.phone));
  await page.getByLabel('headphones').check();
  const theirs = readSpeech(theirSpeech);
  const [here, there]: [number[], number[]] = [[], []];
  // Each way for itself: a moment in which the machine stood still harms one of them.
  const worst = () => Math.min(Math.max(0, ...here), Math.max(0, ...there));
  while (worst() < goodEnough && here.length < rounds) {
    await page.getByRole('button', { name: 'Lift' }).click();
    await page.keyboard.type('201');
    await page.locator('[data-call-state=active]').waitFor();
    await use(page);
    await page.locator('[data-sound=on]').waitFor();
    await page.waitForTimeout((leadSeconds + spokenSeconds + 0.5) * 1000);
    const heard = await heardAt(page);
    await giveBack(page);
    await page.getByRole('button', { name: 'Hang up' }).click();
    await baresip.saw('CALL_CLOSED');
    here.push(likeness(heard.subarray(heard.length - spokenSeconds * rate), theirs).whole);
    there.push(likeness(spoken, readSpeech(await baresip.heardFile())).whole);
    await house.phone.until('it is idle', ({ calls, hook }) => calls.length === 0 && hook === 'onHook');
  }
  const [row, other] = [here, there].map((ones) => ones.map((one) => one.toFixed(3)).join(', '));
  t.comment(`in each round heard at the page: ${row}; at baresip: ${other}`);
  t.ok(worst() >= goodEnough, `heard at the page: ${row}; at baresip: ${other}`);
  await page.context().close();
});

t.test(
  'another page is told, takes over, and the first is told; a page that closes gives the handset back, and the call goes on',
  async (t) => {
    const first = await openPage(true);
    const second = await openPage(true, first.context());
    await first.getByRole('button', { name: 'Lift' }).click();
    await first.keyboard.type('600');
    await first.locator('[data-call-state=active]').waitFor();
    await use(first);
    await first.locator('[data-sound=on]').waitFor();
    await use(second);
    await second.getByText('Another page has the sound of this telephone.').waitFor();
    await second.getByRole('button', { name: 'Take it over' }).click();
    await second.locator('[data-sound=on]').waitFor();
    await first.getByText('Another page has taken over the sound').waitFor();
    await second.close();
    for (let looks = 0; looks < 200 && (await holder()) !== null; looks++) await new Promise((resolve) => setTimeout(resolve, 20));
    t.equal(await holder(), null);
    t.equal(phone.status?.calls[0]?.state, 'active');
    await first.getByRole('button', { name: 'Hang up' }).click();
    await phone.until('it is idle', ({ calls }) => calls.length === 0);
    await first.context().close();
  },
);

t.test('a microphone that is refused, missing, or not to be had by http: said in words', async (t) => {
  const page = await openPage(false);
  await use(page);
  await page.getByText('The browser refused the microphone.').waitFor();
  await page.evaluate("navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException('', 'NotFoundError'))");
  await use(page);
  await page.getByText('There is no microphone here.').waitFor();
  await page.getByRole('button', { name: 'Only listen' }).click();
  await page.locator('[data-sound=on]').waitFor();
  await giveBack(page);
  await page.evaluate("void Object.defineProperty(window, 'isSecureContext', { value: false })");
  await use(page);
  await page.getByText('Browsers give a microphone only to pages opened by https').waitFor();
  t.equal(await holder(), null);
  t.same(complaints, [], 'the pages had no error of their own');
});
