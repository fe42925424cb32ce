import { type SrtpSuiteName, srtpSuiteNames, srtpSuites } from '../core/srtp-suites.ts';
import { parseDecimal, splitWords } from './session-description.ts';

/** One a=crypto line that can be used (RFC 4568 §4). */
export interface CryptoLine {
  readonly tag: number;
  readonly suite: SrtpSuiteName;
  /** Master key and salt, one behind the other, in base64. */
  readonly key: string;
  /** Bytes of master key identifier in the packets that are protected with it; 0 = none. */
  readonly mkiLength: number;
}

const tagAtMost = 999_999_999;
const mkiLengthAtMost = 128;
/** Keys are not changed for having been used up, so one for less than this is refused: six hours of 20 ms packets. */
const lifetimeBitsAtLeast = 20;
const lifetimeBitsAtMost = 48;
const linesAtMost = 32;

/** The lines of a section that can be used, in their order; those with a suite, a key or a parameter that we do not have are left out. */
export function cryptoLinesOf(values: readonly (string | undefined)[]): CryptoLine[] {
  const lines: CryptoLine[] = [];
  for (const value of values.slice(0, linesAtMost)) {
    const line = value === undefined ? undefined : parseLine(value);
    // §5.1.1: a tag stands for one line only.
    if (line && !lines.some(({ tag }) => tag === line.tag)) lines.push(line);
  }
  return lines;
}

/** The value of an a=crypto line of ours. */
export function cryptoValueOf({ tag, suite, key }: CryptoLine): string {
  return `${tag} ${suite} inline:${key}`;
}

function parseLine(value: string): CryptoLine | undefined {
  const [tagText = '', suiteText = '', keyText = '', ...parameters] = splitWords(value);
  const tag = parseDecimal(tagText, tagAtMost);
  const suite = srtpSuiteNames.find((name) => name === suiteText.toUpperCase());
  if (tag === undefined || !suite || !parameters.every(isHarmless)) return undefined;
  const key = parseKey(keyText, srtpSuites[suite].keyLength + srtpSuites[suite].saltLength);
  return key && { tag, suite, ...key };
}

/** `inline:KEY|LIFETIME|MKI:LENGTH`; several keys at once (§6.1) are more than we can tell apart. */
function parseKey(text: string, length: number): { key: string; mkiLength: number } | undefined {
  const [method, content, more] = [text.slice(0, 7), text.slice(7), text.includes(';')];
  if (method.toLowerCase() !== 'inline:' || more) return undefined;
  const [keyText = '', ...others] = content.split('|', 4);
  const key = canonicalBase64(keyText, length);
  if (key === undefined || others.length > 2) return undefined;
  const mki = others.find((part) => part.includes(':'));
  const lifetimes = others.filter((part) => part !== mki);
  const mkiLength = mki === undefined ? 0 : parseDecimal(mki.slice(mki.indexOf(':') + 1), mkiLengthAtMost);
  if (mkiLength === undefined || (mki !== undefined && mkiLength === 0)) return undefined;
  return lifetimes.length <= 1 && lifetimes.every(isLongEnough) ? { key, mkiLength } : undefined;
}

/** §6.1: how many packets the key may serve, as a number or as a power of two. */
function isLongEnough(lifetime: string): boolean {
  const bits = lifetime.startsWith('2^') ? parseDecimal(lifetime.slice(2), lifetimeBitsAtMost) : undefined;
  if (bits !== undefined) return bits >= lifetimeBitsAtLeast;
  return lifetime.length <= 15 && isDigits(lifetime) && Number(lifetime) >= 2 ** lifetimeBitsAtLeast;
}

/** §6.3: what may be passed over. The rest says that something is not encrypted or not authenticated, or is not known. */
function isHarmless(parameter: string): boolean {
  if (parameter.startsWith('-')) return true;
  const [name, value = ''] = parameter.toUpperCase().split('=', 2);
  return (name === 'KDR' && value === '0') || (name === 'WSH' && isDigits(value));
}

function isDigits(text: string): boolean {
  return text.length > 0 && [...text].every((character) => character >= '0' && character <= '9');
}

const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';

/** The text of exactly `length` bytes with its padding, which some leave away; `undefined` when it is of another length or no base64. */
function canonicalBase64(text: string, length: number): string | undefined {
  const end = text.indexOf('=');
  const characters = end < 0 ? text : text.slice(0, end);
  if (characters.length !== Math.ceil((length * 4) / 3) || text.length > characters.length + 2) return undefined;
  if (![...characters].every((character) => alphabet.includes(character))) return undefined;
  if (![...text.slice(characters.length)].every((character) => character === '=')) return undefined;
  return characters.padEnd(4 * Math.ceil(length / 3), '=');
}

/** Bytes as base64. */
export function base64Of(bytes: Uint8Array): string {
  let text = '';
  for (let start = 0; start < bytes.length; start += 3) {
    const [a = 0, b = 0, c = 0] = bytes.subarray(start, start + 3);
    const word = (a << 16) | (b << 8) | c;
    const present = Math.min(4, bytes.length - start + 1);
    for (let place = 0; place < 4; place++) text += place < present ? alphabet.charAt((word >> (18 - 6 * place)) & 63) : '=';
  }
  return text;
}
