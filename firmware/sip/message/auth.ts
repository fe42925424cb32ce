import { charClass, code, lowerSlice, quote, skipClass } from './grammar.ts';
import { Cursor, readParamValue } from './params.ts';

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
export function parseAuth(text: string, start = 0, end: number = text.length): AuthValue | undefined {
  const schemeEnd = skipClass(text, start, end, charClass.token);
  if (schemeEnd === start) return undefined;
  const params = parseAuthParams(text, schemeEnd, end);
  return params && { scheme: lowerSlice(text, start, schemeEnd), params };
}

/** Parameters alone (Authentication-Info, RFC 7616 §3.5). A parameter that comes twice is refused: two readers might take different ones. */
export function parseAuthParams(text: string, start = 0, end: number = text.length): ReadonlyMap<string, string> | undefined {
  const cursor = new Cursor(text, start, end);
  const params = new Map<string, string>();
  do {
    cursor.skipSpace();
    const nameEnd = skipClass(text, cursor.at, end, charClass.token);
    if (nameEnd === cursor.at || params.size === paramsAtMost) return undefined;
    const name = lowerSlice(text, cursor.at, nameEnd);
    cursor.at = nameEnd;
    if (!cursor.skip(code.equals)) return undefined;
    const value = readParamValue(cursor);
    if (value === undefined || params.has(name)) return undefined;
    params.set(name, value);
  } while (cursor.skip(code.comma));
  return cursor.at === end ? params : undefined;
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
