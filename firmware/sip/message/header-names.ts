/** A header name this stack knows, in one of its spellings. */
export interface KnownHeader {
  /** As it is usually written: `Call-ID`, or the compact form `i`. */
  readonly spelling: string;
  /** The lower-cased long form: `call-id`. */
  readonly key: string;
  /** A bit of its own if the header may stand in a message only once, else 0. */
  readonly onceBit: number;
}

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
    let slot = slotOf(spelling, 0, spelling.length);
    while (filled[slot]) slot = (slot + 1) % slots;
    const bit = once.indexOf(longForm);
    filled[slot] = { spelling, key: longForm.toLowerCase(), onceBit: bit < 0 ? 0 : 1 << bit };
  };
  for (const name of [...once, ...several]) add(name, name);
  for (const [compact, name] of Object.entries(compactForms)) add(compact, name);
  return filled;
}

function slotOf(text: string, start: number, end: number): number {
  const length = end - start;
  const first = text.charCodeAt(start) | 32;
  const middle = text.charCodeAt(start + (length >> 1)) | 32;
  const last = text.charCodeAt(end - 1) | 32;
  return (length * 67 + first * 31 + middle * 17 + last * 7) & (slots - 1);
}

/** The known header whose name stands from `start` to `end`, in any case; the text there must be a token. */
export function knownHeader(text: string, start: number, end: number): KnownHeader | undefined {
  if (start >= end) return undefined;
  for (let slot = slotOf(text, start, end); ; slot = (slot + 1) & (slots - 1)) {
    const candidate = table[slot];
    if (!candidate || isSpelled(candidate.spelling, text, start, end)) return candidate;
  }
}

function isSpelled(spelling: string, text: string, start: number, end: number): boolean {
  if (spelling.length !== end - start) return false;
  if (text.startsWith(spelling, start)) return true;
  // Names consist of letters and hyphens, so setting the case bit maps no other token character onto them.
  for (let i = 0; i < spelling.length; i++) {
    if ((text.charCodeAt(start + i) | 32) !== (spelling.charCodeAt(i) | 32)) return false;
  }
  return true;
}

/** The lower-cased long form of a header name: `v` and `VIA` give `via`. */
export function headerKey(name: string): string {
  return knownHeader(name, 0, name.length)?.key ?? name.toLowerCase();
}
