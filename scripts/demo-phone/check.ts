import { align } from '#firmware/audio/correlation.ts';
import type { CallStatus, PhoneStatus } from '#firmware/contract/phone.ts';
import { messageOf } from '#firmware/core/errors.ts';
import { readSpeech } from '../speech.ts';
import type { VirtualPhone } from '../virtual-phone.ts';

export interface CheckOptions {
  readonly speech: string;
  /** WAV file the loudspeaker of the handset is. */
  readonly recording: string;
  readonly page: string;
}

interface Row {
  readonly what: string;
  readonly value: string;
  readonly ok: boolean;
}

const digits = '123*';
const correlationAtLeast = 0.95;
/** Speech that has to come back before the call is judged: 6 s of 20 ms packets. */
const packetsAtLeast = 300;
const sampleRate = 8000;
const judgedSeconds = 4;

/** Lifts, dials the echo test, speaks, presses digits, hangs up; prints what came of it. Gives the exit code. */
export async function checkPhone(phone: VirtualPhone, options: CheckOptions): Promise<number> {
  const rows: Row[] = [];
  try {
    await measure(phone, options, rows);
  } catch (thrown) {
    rows.push({ what: 'stopped by', value: messageOf(thrown).split('\n')[0] ?? '', ok: false });
    console.error(messageOf(thrown));
  }
  print(rows);
  return rows.every(({ ok }) => ok) ? 0 : 1;
}

async function measure(phone: VirtualPhone, { speech, recording, page }: CheckOptions, rows: Row[]): Promise<void> {
  const registered = await phone.until('the line is registered', (status) => registrationOf(status) === 'registered');
  const registerMs = registered.lines[0]?.registration.elapsedMs ?? null;
  rows.push({ what: 'registered', value: milliseconds(registerMs), ok: registerMs !== null });

  await phone.hook('offHook');
  await phone.until('the dial tone sounds', ({ tone }) => tone === 'dial');
  await phone.press('600');
  const accepted = callOf(await phone.until('600 accepts', (status) => callOf(status)?.state === 'active'));
  const acceptedInMs = accepted?.acceptedInMs ?? null;
  rows.push({ what: 'INVITE → 200', value: milliseconds(acceptedInMs), ok: acceptedInMs !== null });

  await phone.until('speech came back', (status) => (callOf(status)?.media?.packetsReceived ?? 0) >= packetsAtLeast, 20_000);
  await phone.press(digits);
  await phone.untilExchange('the digits arrived', ({ extensionCalls }) => (extensionCalls[0]?.digits.length ?? 0) >= digits.length);
  const media = callOf(phone.status)?.media;
  await phone.hook('onHook');
  await phone.until('the call is over', ({ calls, hook }) => calls.length === 0 && hook === 'onHook');
  const { extensionCalls } = await phone.untilExchange('600 hung up', (status) => status.extensionCalls[0]?.state === 'ended');

  rows.push({ what: 'packets sent / received', value: `${media?.packetsSent} / ${media?.packetsReceived}`, ok: media !== undefined });
  rows.push({ what: 'packets lost', value: String(media?.packetsLost), ok: media?.packetsLost === 0 });
  rows.push(rowOfSpeech(speech, recording));
  const [call] = extensionCalls;
  rows.push({
    what: 'digits received',
    value: `${call?.digits} by ${call?.digitsBy}`,
    ok: call?.digits === digits && /info/i.test(call.digitsBy),
  });
  rows.push({ what: 'page', value: await titleOf(page), ok: (await titleOf(page)) === 'hookswitch' });
}

/** The last seconds that were heard, found again in what was spoken. */
function rowOfSpeech(speech: string, recording: string): Row {
  const heard = readSpeech(recording);
  const tail = sampleRate; // the hang-up is in it
  const part = heard.subarray(Math.max(0, heard.length - tail - judgedSeconds * sampleRate), heard.length - tail);
  const { correlation } = align(part, readSpeech(speech));
  return { what: 'speech correlation', value: correlation.toFixed(3), ok: correlation >= correlationAtLeast };
}

async function titleOf(page: string): Promise<string> {
  const text = await (await fetch(page)).text();
  return /<title>(.*?)<\/title>/.exec(text)?.[1] ?? 'no page';
}

function registrationOf(status: PhoneStatus): string | undefined {
  return status.lines[0]?.registration.state;
}

function callOf(status: PhoneStatus | undefined): CallStatus | undefined {
  return status?.calls[0];
}

function milliseconds(value: number | null): string {
  return value === null ? 'never' : `${value.toFixed(1)} ms`;
}

function print(rows: readonly Row[]): void {
  const width = Math.max(...rows.map(({ what }) => what.length));
  for (const { what, value, ok } of rows) console.log(`  ${ok ? 'ok    ' : 'FAILED'}  ${what.padEnd(width)}  ${value}`);
}
