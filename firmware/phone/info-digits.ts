import { type Digit, digitSchema } from '#firmware/contract/media.ts';
import type { Body } from '#firmware/sip/user-agent-events.ts';

/** A digit as a SIP INFO carries it. */
export interface InfoDigit {
  readonly digit: Digit;
  readonly durationMs: number;
}

export type InfoFormat = 'dtmf-relay' | 'dtmf';

const defaultDurationMs = 160;
/** No digit needs more; the rest is not looked at. */
const readBytes = 256;
/** In the order of their RFC 4733 numbers, 0 to 16. */
const digits: readonly string[] = digitSchema.options;

/** The body of an INFO that carries one digit. A flash is the number 16, which every receiver of numbers knows. */
export function formatInfoDigit(format: InfoFormat, digit: Digit, durationMs: number): Body {
  const signal = digit === 'flash' ? '16' : digit;
  const text = format === 'dtmf' ? `${signal}\r\n` : `Signal=${signal}\r\nDuration=${durationMs}\r\n`;
  return { contentType: `application/${format}`, bytes: new TextEncoder().encode(text) };
}

/**
 * Reads the digit of an INFO in any of its forms: `Signal=5` with its spellings, a bare `5` or `11` (RFC 4733 numbers from 10 on), words
 * such as `hf`, the payload of RFC 4733 itself. There is no standard, so the content type only says that it is about digits at all.
 */
export function parseInfoDigit(body: Body): InfoDigit | undefined {
  const semicolon = body.contentType.indexOf(';');
  const type = (semicolon < 0 ? body.contentType : body.contentType.slice(0, semicolon)).trim().toLowerCase();
  if (!isAboutDigits(type) || body.bytes.length === 0) return undefined;
  if (type.endsWith('/telephone-event') && isEventPayload(body.bytes)) return eventPayload(body.bytes);
  const fields = readFields(body.bytes.subarray(0, readBytes));
  const digit = fields.signal === undefined ? undefined : digitOf(fields.signal);
  return digit && { digit, durationMs: fields.durationMs };
}

const aboutDigits = ['dtmf', 'telephone-event', 'hook-flash', 'broadsoft', 'nortelnetworks.digits'];

function isAboutDigits(type: string): boolean {
  return (type.startsWith('application/') || type.startsWith('audio/')) && aboutDigits.some((word) => type.includes(word));
}

/** RFC 4733 §2.3: event, E bit and volume, duration. Text never begins with so small a byte. */
function isEventPayload(bytes: Uint8Array): boolean {
  return bytes.length === 4 && (bytes[0] ?? 255) <= 16;
}

function eventPayload(bytes: Uint8Array): InfoDigit | undefined {
  const [event = 0, flags = 0, high = 0, low = 0] = bytes;
  const ended = (flags & 0x80) !== 0;
  const digit = ended ? digits[event] : undefined;
  const durationMs = Math.round(((high << 8) | low) / 8);
  return isDigitName(digit) ? { digit, durationMs } : undefined;
}

interface Fields {
  signal: string | undefined;
  durationMs: number;
}

/** `name = value` or `name: value` a line; a line without either is a bare signal. */
function readFields(bytes: Uint8Array): Fields {
  const fields: Fields = { signal: undefined, durationMs: defaultDurationMs };
  let bare: string | undefined;
  for (const line of new TextDecoder().decode(bytes).split('\n')) {
    const separator = separatorOf(line);
    const name = line.slice(0, Math.max(0, separator)).trim().toLowerCase();
    const value = line.slice(separator + 1).trim();
    if (separator <= 0) bare ??= line.trim() || undefined;
    else if (name === 'signal' || name === 'event' || name === 'd' || name === 'digit') fields.signal ??= value;
    else if (name === 'duration') fields.durationMs = durationOf(value);
  }
  fields.signal ??= bare;
  return fields;
}

function separatorOf(line: string): number {
  const equals = line.indexOf('=');
  return equals >= 0 ? equals : line.indexOf(':');
}

function durationOf(text: string): number {
  const duration = Number.parseInt(text, 10);
  return duration > 0 && duration <= 10_000 ? duration : defaultDurationMs;
}

const words = new Map<string, Digit>([
  ['star', '*'],
  ['pound', '#'],
  ['hash', '#'],
  ['!', 'flash'],
  ['hf', 'flash'],
  ['flash', 'flash'],
  ['hookflash', 'flash'],
  ['hook-flash', 'flash'],
  ['flashhook', 'flash'],
]);

/** `5`, `"5"`, `Digits=5`, `11`, `hf`, `event flashhook`. */
function digitOf(signal: string): Digit | undefined {
  const afterEquals = signal.slice(signal.lastIndexOf('=') + 1);
  const word = (afterEquals.replaceAll('"', '').trim().split(' ').at(-1) ?? '').toLowerCase();
  const known = words.get(word);
  if (known) return known;
  const upper = word.toUpperCase();
  if (upper.length === 1 && isDigitName(upper)) return upper;
  if (word.length !== 2 || word < '10' || word > '16') return undefined;
  const numbered = digits[Number.parseInt(word, 10)];
  return isDigitName(numbered) ? numbered : undefined;
}

function isDigitName(text: string | undefined): text is Digit {
  return text !== undefined && digits.includes(text);
}
