import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { messageOf } from '#firmware/core/errors.ts';
import { prettyLines } from '#services/cli/pretty-log.ts';
import { registerLine, startPhoneAndExchange } from '../phone-with-exchange.ts';
import type { VirtualPhone } from '../virtual-phone.ts';
import { checkPhone } from './check.ts';

/** A phone on virtual hardware with its own exchange, for people without hardware: `scripts/demo`; `--check` proves that it works. */

/** Real human speech, from Debian's asterisk-core-sounds-en-wav. */
const speech = '/usr/share/asterisk/sounds/en_US_f_Allison/demo-instruct.wav';

const { values } = parseArgs({ options: { check: { type: 'boolean', default: false } } });
process.exitCode = values.check ? await check() : await show();

/** Free ports, no browser, a table, and an exit code that says whether all of it worked. */
async function check(): Promise<number> {
  const data = mkdtempSync(join(tmpdir(), 'hookswitch-check-'));
  const recording = join(data, 'heard.wav');
  try {
    const phone = await startPhone(data, recording);
    try {
      return await checkPhone(phone, { speech, recording, page: pageOf(phone) });
    } finally {
      await phone.stop();
    }
  } catch (thrown) {
    console.error(`the demo does not work: ${messageOf(thrown)}`);
    return 1;
  } finally {
    rmSync(data, { recursive: true, force: true });
  }
}

/** Runs until Ctrl-C. */
async function show(): Promise<number> {
  const data = mkdtempSync(join(tmpdir(), 'hookswitch-demo-'));
  try {
    const format = await prettyLines(process.stdout.isTTY);
    const phone = await startPhone(data, '', (line) => process.stdout.write(format(line)));
    console.log(`\n  The phone is up:  ${pageOf(phone)}\n`);
    console.log(
      '  Press "Use this microphone and loudspeaker" there, lift, dial 600 and hear yourself (601 is a greeting). From another terminal:',
    );
    console.log(`  node dist/services/cli/main.js --data ${data} status\n\n  Ctrl-C ends it.\n`);
    await new Promise<void>((resolve) => {
      for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, resolve);
    });
    await phone.stop();
    return 0;
  } catch (thrown) {
    console.error(`the demo does not work: ${messageOf(thrown)}`);
    return 1;
  } finally {
    rmSync(data, { recursive: true, force: true });
  }
}

function pageOf(phone: VirtualPhone): string {
  return `http://127.0.0.1:${phone.settingOf('web.port')}/`;
}

/** With speech for a microphone; `recording` is what the loudspeaker plays, none when empty. */
async function startPhone(data: string, recording: string, onLine?: (line: string) => void): Promise<VirtualPhone> {
  const sound = existsSync(speech)
    ? { 'audio.handset.driver': 'wav', 'audio.handset.input': speech, 'audio.handset.output': recording }
    : {};
  // What is heard is compared with what was spoken, sample by sample: while recording, no time is to be bent to adapt the delay.
  const delay = recording === '' ? {} : { 'jitterBuffer.minimumMs': '100' };
  const phone = await startPhoneAndExchange({ data, settings: { ...sound, ...delay }, ...(onLine ? { onLine } : {}) });
  await registerLine(phone);
  return phone;
}
