import { codesOf, lowerCodeAt } from './scan.ts';

/** The name of a header. */
export interface HeaderName {
  /** As written: `Call-ID`, `CALL-ID`, or the compact form `i`. */
  readonly name: string;
  /** The lower-cased long form: `call-id`. */
  readonly key: string;
  /** True if the parser looks at the value before it lets a message in. */
  readonly isJudged: boolean;
  /** A bit of its own if the header may stand in a message only once, else 0. */
  readonly onceBit: number;
}

/** One that this stack knows, in one of its spellings. */
interface KnownHeader extends HeaderName {
  /** The characters of the spelling, and the same in lower case. */
  readonly codes: Uint8Array;
  readonly lowerCodes: Uint8Array;
}

/** Headers whose values the parser looks at before it lets a message in. */
const judged = ['Via', 'From', 'To', 'Call-ID', 'CSeq', 'Content-Length', 'Max-Forwards', 'Contact', 'Route', 'Record-Route'];

/** Headers whose value is no list and decides what happens: a second one means that two readers may see different requests. */
const once = [
  ...['Call-ID', 'Content-Length', 'Content-Type', 'CSeq', 'Event', 'Expires', 'From', 'Join', 'Max-Forwards', 'Min-Expires', 'Min-SE'],
  ...['RAck', 'Refer-To', 'Referred-By', 'Replaces', 'RSeq', 'Session-Expires', 'SIP-ETag', 'SIP-If-Match', 'Subscription-State'],
  ...['Target-Dialog', 'To'],
];

const several = [
  ...['Accept', 'Accept-Contact', 'Accept-Encoding', 'Accept-Language', 'Alert-Info', 'Allow', 'Allow-Events', 'Answer-Mode'],
  ...['Authentication-Info', 'Authorization', 'Call-Info', 'Contact', 'Content-Disposition', 'Content-Encoding', 'Content-ID'],
  ...['Content-Language', 'Date', 'Diversion', 'Error-Info', 'Flow-Timer', 'Geolocation', 'History-Info', 'Identity', 'Identity-Info'],
  ...['Info-Package', 'In-Reply-To', 'MIME-Version', 'Organization', 'P-Asserted-Identity', 'P-Associated-URI', 'P-Preferred-Identity'],
  ...['Path', 'Priority', 'Priv-Answer-Mode', 'Privacy', 'Proxy-Authenticate', 'Proxy-Authorization', 'Proxy-Require', 'Reason'],
  ...['Record-Route', 'Recv-Info', 'Refer-Sub', 'Reject-Contact', 'Remote-Party-ID', 'Reply-To', 'Request-Disposition', 'Require'],
  ...['Retry-After', 'Route', 'Security-Client', 'Security-Server', 'Security-Verify', 'Server', 'Service-Route', 'Subject'],
  ...['Supported', 'Suppress-If-Match', 'Timestamp', 'Unsupported', 'User-Agent', 'Via', 'Warning', 'WWW-Authenticate'],
];

/** RFC 3261 §7.3.3 and the IANA registry. */
const compactForms: Readonly<Record<string, string>> = {
  a: 'Accept-Contact',
  b: 'Referred-By',
  c: 'Content-Type',
  d: 'Request-Disposition',
  e: 'Content-Encoding',
  f: 'From',
  i: 'Call-ID',
  j: 'Reject-Contact',
  k: 'Supported',
  l: 'Content-Length',
  m: 'Contact',
  n: 'Identity-Info',
  o: 'Event',
  r: 'Refer-To',
  s: 'Subject',
  t: 'To',
  u: 'Allow-Events',
  v: 'Via',
  x: 'Session-Expires',
  y: 'Identity',
};

/** Open addressing over a hash of length, first, middle and last letter: the parser looks up a name without cutting it out first. */
const slots = 1_024;
const table = buildTable();

function buildTable(): readonly (KnownHeader | undefined)[] {
  const filled: (KnownHeader | undefined)[] = new Array(slots).fill(undefined);
  const add = (spelling: string, longForm: string) => {
    const codes = codesOf(spelling);
    let slot = slotOf(codes, 0, codes.length);
    while (filled[slot]) slot = (slot + 1) % slots;
    const bit = once.indexOf(longForm);
    const key = longForm.toLowerCase();
    filled[slot] = {
      name: spelling,
      key,
      isJudged: judged.includes(longForm),
      onceBit: bit < 0 ? 0 : 1 << bit,
      codes,
      lowerCodes: codesOf(spelling.toLowerCase()),
    };
  };
  for (const name of [...once, ...several]) add(name, name);
  for (const [compact, name] of Object.entries(compactForms)) add(compact, name);
  return filled;
}

function slotOf(codes: Uint8Array, start: number, end: number): number {
  const length = end - start;
  const first = (codes[start] ?? 0) | 32;
  const middle = (codes[start + (length >> 1)] ?? 0) | 32;
  const last = (codes[end - 1] ?? 0) | 32;
  return (length * 67 + first * 31 + middle * 17 + last * 7) & (slots - 1);
}

/** The known header whose name stands from `start` to `end`, as it is written there: the text there is a token then. */
export function knownHeader(text: string, codes: Uint8Array, start: number, end: number): HeaderName | undefined {
  if (start >= end) return undefined;
  // Nearly always it is the first one looked at, written as usual.
  const first = table[slotOf(codes, start, end)];
  if (first && first.codes.length === end - start && isNamed(first.codes, codes, start)) return first;
  const known = knownBetween(codes, start, end);
  if (!known || isNamed(known.codes, codes, start)) return known;
  return { name: text.slice(start, end), key: known.key, isJudged: known.isJudged, onceBit: known.onceBit };
}

function knownBetween(codes: Uint8Array, start: number, end: number): KnownHeader | undefined {
  for (let slot = slotOf(codes, start, end); ; slot = (slot + 1) & (slots - 1)) {
    const candidate = table[slot];
    if (!candidate) return undefined;
    const { lowerCodes } = candidate;
    if (lowerCodes.length === end - start && isNamedInAnyCase(lowerCodes, codes, start)) return candidate;
  }
}

/** True if the name at `start` is written as it usually is. */
function isNamed(name: Uint8Array, codes: Uint8Array, start: number): boolean {
  for (let i = 0; i < name.length; i++) if (codes[start + i] !== name[i]) return false;
  return true;
}

function isNamedInAnyCase(lowerName: Uint8Array, codes: Uint8Array, start: number): boolean {
  for (let i = 0; i < lowerName.length; i++) if (lowerCodeAt(codes, start + i) !== lowerName[i]) return false;
  return true;
}

/** A header that this stack does not know. */
export function otherHeader(name: string): HeaderName {
  return { name, key: name.toLowerCase(), isJudged: false, onceBit: 0 };
}

/** For names that are asked for in the code, as they are usually written and as keys. */
const usual: ReadonlyMap<string, HeaderName> = new Map(table.flatMap((known) => (known ? [[known.name, known] as const] : [])));
const keys: ReadonlyMap<string, string> = new Map(
  table.flatMap((known) => (known ? [[known.name, known.key] as const, [known.key, known.key] as const] : [])),
);

/** The header of that name, a token. */
export function headerNamed(name: string): HeaderName {
  return usual.get(name) ?? knownHeader(name, codesOf(name), 0, name.length) ?? otherHeader(name);
}

/** The lower-cased long form of a header name: `v` and `VIA` give `via`. */
export function headerKey(name: string): string {
  return keys.get(name) ?? headerNamed(name).key;
}
