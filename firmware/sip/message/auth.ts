import { charClass, code, isAt, quote } from './grammar.ts';
import { isPlaced, PlacedParams, paramValueEnd } from './params.ts';
import { classEnd, codesOf, lowerBetween, spaceEnd } from './scan.ts';

/**
 * RFC 3261 §25.1 challenge or credentials: a scheme and its parameters. Serves WWW-Authenticate, Proxy-Authenticate, Authorization and
 * Proxy-Authorization; Authentication-Info has no scheme and is read by `parseAuthParams`.
 */
export interface AuthValue {
  /** Lower-cased: `digest`, `bearer`. */
  readonly scheme: string;
  /** By lower-cased name, quotes and escapes undone. */
  readonly params: ReadonlyMap<string, string>;
}

const paramsAtMost = 64;

/** `undefined` if malformed, if a parameter comes twice, or if there are more than 64 parameters. */
export function parseAuth(text: string, start = 0, end: number = text.length, codes: Uint8Array = codesOf(text)): AuthValue | undefined {
  const schemeEnd = classEnd(codes, start, end, charClass.token);
  if (schemeEnd === start) return undefined;
  const params = parseAuthParams(text, schemeEnd, end, codes);
  return params && { scheme: schemeBetween(text, codes, start, schemeEnd), params };
}

/** Nearly always the one, which is not cut out then. */
function schemeBetween(text: string, codes: Uint8Array, start: number, end: number): string {
  return end - start === 6 && isAt(text, start, 'Digest') ? 'digest' : lowerBetween(text, codes, start, end);
}

/** Parameters alone (Authentication-Info, RFC 7616 §3.5). A parameter that comes twice is refused: two readers might take different ones. */
export function parseAuthParams(
  text: string,
  start = 0,
  end: number = text.length,
  codes: Uint8Array = codesOf(text),
): ReadonlyMap<string, string> | undefined {
  const places: number[] = [];
  let at = start;
  for (;;) {
    const name = spaceEnd(codes, at, end);
    const nameEnd = classEnd(codes, name, end, charClass.token);
    if (nameEnd === name || places.length === 4 * paramsAtMost || isPlaced(codes, places, name, nameEnd)) return undefined;
    const equals = spaceEnd(codes, nameEnd, end);
    if (equals >= end || codes[equals] !== code.equals) return undefined;
    const value = spaceEnd(codes, equals + 1, end);
    const valueEnd = paramValueEnd(codes, value, end);
    if (valueEnd <= value) return undefined;
    places.push(name, nameEnd, value, valueEnd);
    at = spaceEnd(codes, valueEnd, end);
    if (at === end) return new PlacedParams(text, codes, places);
    if (codes[at] !== code.comma) return undefined;
    at++;
  }
}

const tokensInBoth = ['algorithm', 'stale', 'nc', 'userhash', 'charset', 'username*'];

/** Quotes the parameters that are defined as quoted strings and leaves the others (algorithm, stale, nc; qop of credentials) as tokens. */
export function formatAuth(value: AuthValue, kind: 'challenge' | 'credentials'): string {
  const parts: string[] = [];
  for (const [name, text] of value.params) {
    const isToken = tokensInBoth.includes(name) || (name === 'qop' && kind === 'credentials');
    parts.push(`${name}=${isToken ? text : quote(text)}`);
  }
  return `${value.scheme === 'digest' ? 'Digest' : value.scheme} ${parts.join(', ')}`;
}
