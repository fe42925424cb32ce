import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { messageOf } from '#firmware/core/errors.ts';
import { prettyLines } from '#services/cli/pretty-log.ts';
import { freePorts } from '../free-ports.ts';
import { VirtualPhone } from '../virtual-phone.ts';
import { checkPhone } from './check.ts';

/** A phone on virtual hardware with its own exchange, for people without hardware: `scripts/demo`; `--check` proves that it works. */

/** Real human speech, from Debian's asterisk-core-sounds-en-wav. */
const speech = '/usr/share/asterisk/sounds/en_US_f_Allison/demo-instruct.wav';
const user = 'desk';

const { values } = parseArgs({ options: { check: { type: 'boolean', default: false } } });
process.exitCode = values.check ? await check() : await show();

/** Free ports, no browser, a table, and an exit code that says whether all of it worked. */
async function check(): Promise<number> {
  const data = mkdtempSync(join(tmpdir(), 'hookswitch-check-'));
  const recording = join(data, 'heard.wav');
  try {
    const web = await freePorts(1);
    const phone = await startPhone(data, { web, recording });
    try {
      return await checkPhone(phone, { speech, recording, page: `http://127.0.0.1:${web}/` });
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
    const web = await freePorts(1);
    const format = await prettyLines(process.stdout.isTTY);
    const phone = await startPhone(data, { web, recording: '', onLine: (line) => process.stdout.write(format(line)) });
    console.log(`\n  The phone is up:  http://127.0.0.1:${web}/\n`);
    console.log('  Lift the handset, dial 600 (echo test) or 601 (greeting). From another terminal:');
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

async function startPhone(
  data: string,
  { web, recording, onLine }: { web: number; recording: string; onLine?: (line: string) => void },
): Promise<VirtualPhone> {
  const [sip, exchange] = [await freePorts(1), await freePorts(1)];
  const [rtp, exchangeRtp] = [await freePorts(20), await freePorts(20)];
  const phone = await VirtualPhone.start({
    data,
    exchange: true,
    ...(onLine ? { onLine } : {}),
    settings: {
      'sip.address': '127.0.0.1',
      'sip.port': String(sip),
      'rtp.portFrom': String(rtp),
      'rtp.portTo': String(rtp + 19),
      'exchange.address': '127.0.0.1',
      'exchange.port': String(exchange),
      'exchange.rtpPortFrom': String(exchangeRtp),
      'exchange.rtpPortTo': String(exchangeRtp + 19),
      'web.address': '127.0.0.1',
      'web.port': String(web),
      'audio.handset.driver': existsSync(speech) ? 'wav' : 'silence',
      'audio.handset.input': existsSync(speech) ? speech : '',
      'audio.handset.output': recording,
      'phone.dialPlan': '6xx',
    },
  });
  // The exchange has to know the user before the line asks for him: a refused registration is not repeated soon.
  const password = `demo-${process.pid}-${Math.trunc(performance.now())}`;
  await phone.exchange?.command('setUser', { user, password });
  await phone.link.command('changeSettings', {
    set: {
      'line.main.aor': `sip:${user}@127.0.0.1:${exchange}`,
      'line.main.displayName': 'Desk',
      'line.main.registrar': `sip:127.0.0.1:${exchange}`,
      'line.main.password': password,
    },
    unset: [],
  });
  return phone;
}
