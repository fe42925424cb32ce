/** One name of the subjectAltName of a certificate. */
export interface AlternativeName {
  readonly type: 'dns' | 'uri' | 'address';
  readonly value: string;
}

/** Names of one certificate that are looked at. */
const namesAtMost = 256;

/** As OpenSSL's names stand in the text that Node.js makes of them. */
const types: ReadonlyMap<string, AlternativeName['type']> = new Map([
  ['DNS', 'dns'],
  ['URI', 'uri'],
  ['IP Address', 'address'],
]);

/**
 * Takes apart what Node.js says of a subjectAltName: `DNS:a.example, URI:sip:b.example`. Values with commas, quotes or control characters
 * stand there as JSON strings, so that nothing in a name can pass for another name. A text that breaks these rules has no names at all.
 */
export function parseAlternativeNames(text: string): readonly AlternativeName[] {
  const names: AlternativeName[] = [];
  for (let at = 0; at < text.length && names.length < namesAtMost; ) {
    const colon = text.indexOf(':', at);
    if (colon === -1) return [];
    const end = text[colon + 1] === '"' ? endOfQuoted(text, colon + 1) : endOfPlain(text, colon + 1);
    if (end === undefined || (end < text.length && !text.startsWith(', ', end))) return [];
    const type = types.get(text.slice(at, colon));
    const value = unquoted(text.slice(colon + 1, end));
    if (type && value !== undefined) names.push({ type, value });
    at = end + 2;
  }
  return names;
}

/**
 * RFC 5922 §7.2: whether the certificate speaks for `domain`, a host name or an address. A `sip:` URI without a user counts before DNS names;
 * wildcards match nothing, and neither does a name with a NUL or any other character that no host name has.
 */
export function certifies(names: readonly AlternativeName[], domain: string): boolean {
  const wanted = domain.toLowerCase();
  const uris = names.flatMap(({ type, value }) => (type === 'uri' ? (hostOfUri(value) ?? []) : []));
  const addresses = names.flatMap(({ type, value }) => (type === 'address' ? [value.toLowerCase()] : []));
  if (isAddress(wanted)) return [...addresses, ...uris].some((one) => sameAddress(one, wanted));
  const hosts = uris.length > 0 ? uris : names.flatMap(({ type, value }) => (type === 'dns' ? [value] : []));
  return isHostName(wanted) && hosts.some((one) => isHostName(one) && one.toLowerCase() === wanted);
}

/** `undefined` for another scheme, and for a URI with a user: that one speaks for a person. */
function hostOfUri(uri: string): string | undefined {
  const host = uri.slice('sip:'.length);
  return uri.toLowerCase().startsWith('sip:') && !host.includes('@') ? host : undefined;
}

function isHostName(text: string): boolean {
  return text.length > 0 && text.length <= 253 && /^[a-z0-9._-]+$/i.test(text);
}

function isAddress(text: string): boolean {
  return text.includes(':') || /^[0-9.]+$/.test(text);
}

/** OpenSSL writes IPv6 addresses without `::`: compared by their eight groups. */
function sameAddress(one: string, other: string): boolean {
  return one === other || (one.includes(':') && other.includes(':') && groupsOf(one) === groupsOf(other));
}

function groupsOf(address: string): string {
  const [head = '', tail] = address.toLowerCase().split('::');
  const left = head === '' ? [] : head.split(':');
  const right = tail === undefined || tail === '' ? [] : tail.split(':');
  const gap = tail === undefined ? [] : Array.from({ length: Math.max(0, 8 - left.length - right.length) }, () => '0');
  return [...left, ...gap, ...right].map((group) => group.replace(/^0+(?=.)/, '')).join(':');
}

function endOfPlain(text: string, from: number): number {
  const comma = text.indexOf(', ', from);
  return comma === -1 ? text.length : comma;
}

function endOfQuoted(text: string, from: number): number | undefined {
  for (let at = from + 1; at < text.length; at++) {
    if (text[at] === '\\') at++;
    else if (text[at] === '"') return at + 1;
  }
  return undefined;
}

function unquoted(text: string): string | undefined {
  if (!text.startsWith('"')) return text;
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'string' ? value : undefined;
  } catch {
    // A name that can't be read names nobody.
    return undefined;
  }
}
