import { join } from 'node:path';
import { chromium, type Page } from 'playwright-core';
import t from 'tap';
import { makeFolder } from '#test/support/interop-house.ts';
import { registerLine, startPhoneAndExchange } from '../../scripts/phone-with-exchange.ts';

/** The page in Debian's Chromium, against a whole phone with its exchange. */

const folder = makeFolder(t);
const phone = await startPhoneAndExchange({ data: join(folder, 'phone'), settings: { 'sip.acceptWatchers': 'true' } });
t.teardown(() => phone.stop());
const browser = await chromium.launch({
  executablePath: '/usr/bin/chromium',
  args: [
    '--no-sandbox',
    '--disable-gpu',
    '--disable-quic',
    '--no-first-run',
    '--disable-background-networking',
    '--disable-component-update',
    '--disable-sync',
  ],
});
t.teardown(() => browser.close());
const page: Page = await browser.newPage();
const complaints: string[] = [];
page.on('pageerror', (error) => complaints.push(error.message));
page.on('console', (message) => message.type() === 'error' && complaints.push(message.text()));
// The web daemon is the last to come up, and on a busy machine later than the phone.
for (let tries = 1; ; tries++) {
  const refused = await page.goto(`http://127.0.0.1:${phone.settingOf('web.port')}/`).catch((thrown: unknown) => thrown);
  if (!(refused instanceof Error)) break;
  if (tries === 60) throw refused;
  await page.waitForTimeout(500);
}

t.test('a phone without a line says so', async (t) => {
  await page.getByText('No line is set up').waitFor();
  t.equal(await page.locator('.key').count(), 12);
  t.equal(await page.title(), 'hookswitch');
});

t.test('a new line appears and is registered, without a reload', async (t) => {
  await registerLine(phone);
  await page.locator('[data-registration=main]', { hasText: /^registered$/ }).waitFor();
  t.ok(await page.locator('.lamp.registered').isVisible());
});

t.test('lift, dial 600, talk, press digits, hang up: with mouse and keyboard', async (t) => {
  await page.getByRole('button', { name: 'Lift' }).click();
  await page.locator('.handset.lifted').waitFor();
  t.equal(phone.status?.hook, 'offHook');
  await page.getByRole('button', { name: 'key 6' }).click();
  await page.keyboard.press('0');
  await page.keyboard.press('0');
  await page.locator('[data-call-state=active]').waitFor();
  const timer = page.locator('[data-timer]');
  await page.locator('[data-timer]', { hasText: /^0:0[2-9]$/ }).waitFor();
  t.match(await timer.textContent(), /^0:0[2-9]$/, 'the call timer runs');
  await page.keyboard.press('7');
  await page.getByRole('button', { name: 'key #' }).click();
  await phone.untilExchange('the digits arrived', ({ extensionCalls }) => extensionCalls[0]?.digits === '7#');
  await page.locator('[data-quality] [data-opinion]', { hasText: /^[1-4]\.\d$/ }).waitFor();
  t.equal(await page.locator('[data-quality] canvas').count(), 1, 'how the call sounds is drawn');
  await page.getByRole('button', { name: 'Hang up' }).click();
  await page.locator('[data-call-state]').waitFor({ state: 'detached' });
  await page.locator('.calls li', { hasText: '600' }).waitFor();
  await page.locator('.quality').waitFor({ state: 'detached' });
  t.equal(phone.status?.hook, 'onHook');
});

t.test('hold and resume by the soft keys', async (t) => {
  await page.getByRole('button', { name: 'Lift' }).click();
  await page.keyboard.type('600');
  await page.locator('[data-call-state=active]').waitFor();
  await page.getByRole('button', { name: 'Hold' }).click();
  await page.locator('[data-call-state=held]').waitFor();
  await page.getByRole('button', { name: 'Resume' }).click();
  await page.locator('[data-call-state=active]').waitFor();
  await page.getByRole('button', { name: 'Hang up' }).click();
  await phone.until('it is idle', ({ calls }) => calls.length === 0);
  t.pass('held and taken back');
});

t.test('a second call, swap, connecting both, a conference and sending one on: every control of the page', async (t) => {
  const dial = async () => {
    await page.getByLabel('number', { exact: true }).fill('600');
    await page.getByRole('button', { name: 'Dial', exact: true }).click();
  };
  const states = () => phone.status?.calls.map(({ state }) => state);
  await page.getByRole('button', { name: 'Lift' }).click();
  await dial();
  await page.locator('[data-call-state=active]').waitFor();
  await dial();
  await phone.until('the second is talked in', ({ calls }) => calls[1]?.state === 'active');
  t.same(states(), ['held', 'active']);
  await page.getByRole('button', { name: 'Swap' }).click();
  await phone.until('the first is talked in', ({ calls }) => calls[0]?.state === 'active' && calls[1]?.state === 'held');
  // The echo test calls nobody, and says so.
  await page.getByRole('button', { name: 'Connect both' }).click();
  await phone.until('it was asked', ({ calls }) => calls.some(({ transfer }) => transfer === 'failed'));
  await page.getByRole('button', { name: 'Conference' }).click();
  await phone.until('all talk', ({ calls }) => calls.every(({ conference, state }) => conference && state === 'active'));
  await page.getByRole('button', { name: /^drop/ }).first().click();
  await phone.until('one is left', ({ calls }) => calls.length === 1 && calls[0]?.conference === false);
  await page.getByLabel('number', { exact: true }).fill('601');
  await page.getByRole('button', { name: 'Transfer' }).click();
  await phone.until('the other was asked', ({ calls }) => calls[0]?.transfer === 'failed');
  await page.getByRole('button', { name: 'Hang up' }).click();
  await phone.until('it is idle', ({ calls }) => calls.length === 0);
  await page.getByLabel('number', { exact: true }).fill('600');
  await page.getByRole('button', { name: 'Lift' }).click();
  await page.getByRole('button', { name: 'Intercom' }).click();
  await page.locator('[data-call-state=active]').waitFor();
  await page.getByRole('button', { name: 'Hang up' }).click();
  await phone.until('it is idle', ({ calls }) => calls.length === 0);
});

t.test('a watched line has its lamp; a message is sent, delivered, and the answer shown as read', async (t) => {
  const own = phone.status?.lines[0]?.aor ?? '';
  await phone.link.command('changeSettings', { set: { 'line.main.watch': own }, unset: [] });
  await page.locator('[data-watched][data-state=idle]').waitFor();
  await page.getByLabel('write to').fill(own);
  await page.getByLabel('write to').press('Enter');
  await page.getByLabel('message', { exact: true }).fill('to myself');
  await page.getByRole('button', { name: 'Send' }).click();
  await page.locator('.said .outgoing', { hasText: '✓' }).waitFor();
  await page.locator('.said .incoming', { hasText: 'to myself' }).waitFor();
  await phone.until('it is read', ({ unreadTexts }) => unreadTexts === 0);
  await page.getByRole('button', { name: 'Lift' }).click();
  await page.keyboard.type('600');
  await page.locator('[data-watched][data-state=busy]').waitFor();
  await page.getByRole('button', { name: 'Hang up' }).click();
  await page.locator('[data-watched][data-state=idle]').waitFor();
  t.pass('free, in a call, free');
});

t.test('the messages of the last call as a ladder', async (t) => {
  await page.getByRole('link', { name: 'Messages on the wire' }).click();
  await page.locator('.ladder-list button[aria-pressed=true]', { hasText: 'INVITE 600@' }).waitFor();
  const shown = await page.locator('.ladder g > text:not(.at)').allTextContents();
  t.same(shown.slice(0, 1), ['INVITE']);
  t.match(shown.join(' '), /200 OK ACK( |$).*BYE 200 OK/);
  await page.getByText('back to the telephone').click();
  await page.locator('.desk').waitFor();
});

t.test('a loudspeaker that is set up has a key, its volume is turned, and a device that is gone is named', async (t) => {
  t.equal(await page.getByRole('button', { name: 'Speaker', exact: true }).count(), 0);
  const set = { 'audio.speaker.driver': 'wav', 'audio.speaker.input': '/nowhere.wav' };
  await phone.link.command('changeSettings', { set, unset: [] });
  await page.locator('[data-sound-role=speaker] .refusal', { hasText: 'nowhere.wav cannot be read' }).waitFor();
  await page.getByRole('button', { name: 'Speaker', exact: true }).click();
  await phone.until('the dial tone sounds there', ({ tone, sound }) => tone === 'dial' && sound.ear === 'speaker');
  await page.locator('button[aria-pressed=true]', { hasText: 'Speaker' }).click();
  await phone.until('it is over', ({ tone, sound }) => tone === null && sound.ear === 'handset');
  await page.getByLabel('volume of the speaker').fill('40');
  await phone.until('it is softer', ({ sound }) => sound.devices.find(({ role }) => role === 'speaker')?.volume === 40);
  await page.locator('[data-sound-role=speaker] button', { hasText: 'Test' }).click();
  await page.locator('p.refusal', { hasText: 'nothing sounds at the speaker' }).waitFor();
  await phone.link.command('changeSettings', { set: {}, unset: Object.keys(set) });
  await page.locator('[data-sound-role=speaker]').waitFor({ state: 'detached' });
});

t.test('do not disturb, and an input of the board', async (t) => {
  await page.getByRole('button', { name: 'DND' }).click();
  await page.locator('.badge', { hasText: 'do not disturb' }).waitFor();
  await page.getByRole('button', { name: 'DND' }).click();
  await page.locator('.badge', { hasText: 'do not disturb' }).waitFor({ state: 'detached' });
  await page.locator('[data-input=button]').click();
  await page.locator('[data-input=button][aria-pressed=true]').waitFor();
  t.equal(phone.status?.board?.inputs.button, true);
});

t.test('the workbench: what is wired where is asked for, shown as it moves, used and drawn', async (t) => {
  await page.getByText('Wiring, and finding out').click();
  await page.getByLabel('practise, without hardware').check();
  await page.locator('select').selectOption('none');
  await page.getByPlaceholder('button contact pir').fill('button');
  await page.getByPlaceholder('call message').fill('call');
  await page.getByRole('button', { name: 'Begin' }).click();
  const asked = (words: string) => page.locator('.lesson-ask', { hasText: words }).waitFor();
  const pin = page.getByLabel('pin', { exact: true });
  const join = page.getByRole('button', { name: 'Join' });
  const part = page.getByRole('button', { name: 'Part' });
  await asked('Lift the handset.');
  await join.click();
  await asked('Lay the handset down.');
  await page.locator('[data-signal="GPIO 17"] path.closed').waitFor();
  await part.click();
  await asked('Make button active');
  await pin.fill('22');
  await join.click();
  await asked('Let button go back');
  await part.click();
  await asked('Lines are switched one after the other');
  const answer = (word: string) => page.locator('[data-choices]').getByRole('button', { name: word, exact: true }).click();
  await answer('begin');
  await asked('GPIO 4 was switched on');
  await answer('nothing');
  await asked('GPIO 5 was switched on');
  await answer('call');
  await asked('Done.');
  await page.getByRole('button', { name: 'Use it' }).click();
  await page.locator('.desk').waitFor();
  const read = async (path: string) => await page.evaluate(async (from) => await (await fetch(from)).text(), path);
  t.match(JSON.parse(await read('/api/board')), {
    profile: {
      name: 'learnt',
      hook: { pin: 17 },
      inputs: { button: { pin: 22 } },
      leds: { call: { pin: 5 }, message: {} },
      relays: { door: {} },
    },
  });
  const drawing = await read('/api/wiring');
  t.match(drawing, /^<svg .*GPIO 22.*<\/svg>\n$/s);
  const set = { set: { 'board.profile': 'virtual' } };
  await page.evaluate(
    async (body) => await fetch('/api/changeSettings', { method: 'POST', headers: { 'content-type': 'application/json' }, body }),
    JSON.stringify(set),
  );
  await page.locator('[data-input=button]').waitFor();
});

t.test('a refusal is shown in words', async (t) => {
  const refused = await page.evaluate(
    async () => (await fetch('/api/hangup', { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{}' })).status,
  );
  t.equal(refused, 409);
  t.same(
    complaints.filter((text) => !text.includes('409')),
    [],
    'the page had no error of its own',
  );
});
