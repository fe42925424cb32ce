import { codesOf, lowerCodeAt } from './scan.ts';

/** A header name this stack knows, in one of its spellings. */
export interface KnownHeader {
  /** As it is usually written: `Call-ID`, or the compact form `i`. */
  readonly spelling: string;
  /** The lower-cased long form: `call-id`. */
  readonly key: string;
  /** A bit of its own if the header may stand in a message only once, else 0. */
  readonly onceBit: number;
  /** Its place among `judged`, from 1 on; 0 if it is not one of them. */
  readonly judgedAs: number;
  /** The characters of the spelling, and the same in lower case. */
  readonly codes: Uint8Array;
  readonly lowerCodes: Uint8Array;
}

/** Headers whose values the parser looks at before it lets a message in, by key. */
export const judged = [
  'via',
  'from',
  'to',
  'call-id',
  'cseq',
  'content-length',
  'max-forwards',
  'contact',
  'route',
  'record-route',
] as const;

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
      spelling,
      key,
      onceBit: bit < 0 ? 0 : 1 << bit,
      judgedAs: judged.findIndex((one) => one === key) + 1,
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

/** The known header whose name stands from `start` to `end`, in any case: the text there is a token then. */
export function knownHeader(codes: Uint8Array, start: number, end: number): KnownHeader | undefined {
  if (start >= end) return undefined;
  for (let slot = slotOf(codes, start, end); ; slot = (slot + 1) & (slots - 1)) {
    const candidate = table[slot];
    if (!candidate || (candidate.codes.length === end - start && isNamed(candidate, codes, start))) return candidate;
  }
}

/** True if the name at `start` is written as it usually is. */
export function isUsualSpelling(known: KnownHeader, codes: Uint8Array, start: number): boolean {
  const usual = known.codes;
  for (let i = 0; i < usual.length; i++) if (codes[start + i] !== usual[i]) return false;
  return true;
}

function isNamed(candidate: KnownHeader, codes: Uint8Array, start: number): boolean {
  if (isUsualSpelling(candidate, codes, start)) return true;
  const { lowerCodes } = candidate;
  for (let i = 0; i < lowerCodes.length; i++) if (lowerCodeAt(codes, start + i) !== lowerCodes[i]) return false;
  return true;
}

/** For names that are asked for in the code, as they are usually written and as keys. */
const keys: ReadonlyMap<string, string> = new Map(
  table.flatMap((known) => (known ? [[known.spelling, known.key] as const, [known.key, known.key] as const] : [])),
);

/** The lower-cased long form of a header name: `v` and `VIA` give `via`. */
export function headerKey(name: string): string {
  return keys.get(name) ?? knownHeader(codesOf(name), 0, name.length)?.key ?? name.toLowerCase();
}
