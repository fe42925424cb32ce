import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { chromium } from 'playwright-core';
import { registerLine, startPhoneAndExchange } from './phone-with-exchange.ts';

/** Takes the pictures of the page anew, in a call and of its messages: `node --import tsx scripts/screenshot.ts [FILE]` after `npm run build`. */

const file = process.argv[2] ?? join(import.meta.dirname, '../docs/images/desk-phone.png');
const folder = mkdtempSync(join(tmpdir(), 'hookswitch-picture-'));
const phone = await startPhoneAndExchange({ data: folder, settings: { 'log.level': 'warn' } });
const browser = await chromium.launch({ executablePath: '/usr/bin/chromium', args: ['--no-sandbox', '--disable-gpu'] });
try {
  await registerLine(phone);
  const page = await browser.newPage({ viewport: { width: 960, height: 700 }, deviceScaleFactor: 1.5 });
  await page.goto(`http://127.0.0.1:${phone.settingOf('web.port')}/`);
  // One call to the greeting, so that the list of last calls is not empty; then the echo test.
  for (const number of ['601', '600']) {
    await page.getByRole('button', { name: 'Lift' }).click();
    await page.keyboard.type(number);
    await page.locator('[data-call-state=active]').waitFor();
    await page.locator('[data-timer]', { hasText: number === '600' ? '0:12' : '0:03' }).waitFor();
    await page.locator('.display').click(); // takes the focus ring off the handset
    if (number === '600') await page.screenshot({ path: file });
    await page.getByRole('button', { name: 'Hang up' }).click();
    await page.locator('[data-call-state]').waitFor({ state: 'detached' });
  }
  await page.getByRole('link', { name: 'Messages on the wire' }).click();
  await page.locator('.ladder', { hasText: 'BYE' }).waitFor();
  await page.locator('.ladders .card').screenshot({ path: join(dirname(file), 'ladder.png') });
  console.log(file);
} finally {
  await browser.close();
  await phone.stop();
  rmSync(folder, { recursive: true, force: true });
}
