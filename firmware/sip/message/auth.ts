import { charClass, code, isAt, quote } from './grammar.ts';
import { paramValueEnd, valueBetween } from './params.ts';
import { classEnd, codesOf, isLowerAt, lowerBetween, lowerCodeAt, spaceEnd } from './scan.ts';
import { UnreadParams } from './unread-params.ts';

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
  let params: AuthParams | undefined;
  let at = start;
  for (let count = 0; count < paramsAtMost; count++) {
    const name = spaceEnd(codes, at, end);
    const nameEnd = classEnd(codes, name, end, charClass.token);
    const equals = spaceEnd(codes, nameEnd, end);
    if (nameEnd === name || equals >= end || codes[equals] !== code.equals) return undefined;
    const value = spaceEnd(codes, equals + 1, end);
    const valueEnd = paramValueEnd(codes, value, end);
    if (valueEnd <= value) return undefined;
    const place = new AuthParamPlace(lettersOf(nameEnd - name, lowerCodeAt(codes, name)), name, value, valueEnd);
    if (!params) params = new AuthParams(text, codes, place);
    else if (!params.add(place)) return undefined;
    at = spaceEnd(codes, valueEnd, end);
    if (at === end) return params;
    if (codes[at] !== code.comma) return undefined;
    at++;
  }
  return undefined;
}

/** Length and first letter of a name: different ones mean different names, and those of credentials all differ. */
function lettersOf(length: number, first: number): number {
  return length * 256 + first;
}

/** Where a parameter stands in the text. */
class AuthParamPlace {
  readonly letters: number;
  readonly name: number;
  readonly value: number;
  readonly valueEnd: number;
  next: AuthParamPlace | undefined;

  constructor(letters: number, name: number, value: number, valueEnd: number) {
    this.letters = letters;
    this.name = name;
    this.value = value;
    this.valueEnd = valueEnd;
    this.next = undefined;
  }

  get nameEnd(): number {
    return this.name + (this.letters >> 8);
  }
}

/** Parameters that stay in the text they came in until somebody asks, in a chain, each name once. */
class AuthParams extends UnreadParams {
  readonly #text: string;
  readonly #codes: Uint8Array;
  readonly #first: AuthParamPlace;
  #last: AuthParamPlace;

  constructor(text: string, codes: Uint8Array, first: AuthParamPlace) {
    super();
    this.#text = text;
    this.#codes = codes;
    this.#first = first;
    this.#last = first;
  }

  /** False if the name is there already. */
  add(added: AuthParamPlace): boolean {
    for (let place: AuthParamPlace | undefined = this.#first; place; place = place.next) {
      if (place.letters === added.letters && isLowerAt(this.#codes, place.name, this.#nameOf(added))) return false;
    }
    this.#last.next = added;
    this.#last = added;
    return true;
  }

  get(name: string): string | undefined {
    const place = this.#find(name);
    return place && valueBetween(this.#text, this.#codes, place.value, place.valueEnd);
  }

  has(name: string): boolean {
    return this.#find(name) !== undefined;
  }

  #find(name: string): AuthParamPlace | undefined {
    const letters = lettersOf(name.length, name.charCodeAt(0));
    let place: AuthParamPlace | undefined = this.#first;
    while (place && (place.letters !== letters || !isLowerAt(this.#codes, place.name, name))) place = place.next;
    return place;
  }

  #nameOf(place: AuthParamPlace): string {
    return lowerBetween(this.#text, this.#codes, place.name, place.nameEnd);
  }

  protected override all(): ReadonlyMap<string, string> {
    const params = new Map<string, string>();
    for (let place: AuthParamPlace | undefined = this.#first; place; place = place.next) {
      params.set(this.#nameOf(place), valueBetween(this.#text, this.#codes, place.value, place.valueEnd));
    }
    return params;
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
