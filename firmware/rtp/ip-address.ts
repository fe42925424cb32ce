/**
 * The text of an IP address as the kernel prints it (RFC 5952), so that what a peer signals can be compared with where its packets come
 * from. IPv4 and what is no address come back as they are.
 */
export function canonicalAddress(text: string): string {
  if (!text.includes(':')) return text;
  const groups = groupsOf(text);
  if (!groups) return text;
  const mapped = groups.slice(0, 5).every((group) => group === 0) && groups[5] === 0xffff;
  if (mapped) return `::ffff:${dotted(groups[6] ?? 0, groups[7] ?? 0)}`;
  const [start, length] = longestZeroRun(groups);
  const hex = groups.map((group) => group.toString(16));
  if (length < 2) return hex.join(':');
  return `${hex.slice(0, start).join(':')}::${hex.slice(start + length).join(':')}`;
}

/** The eight groups, or `undefined`. */
function groupsOf(text: string): number[] | undefined {
  const gap = text.indexOf('::');
  const head = partOf(gap < 0 ? text : text.slice(0, gap));
  const tail = gap < 0 ? [] : partOf(text.slice(gap + 2));
  if (!head || !tail) return undefined;
  const missing = 8 - head.length - tail.length;
  if (gap < 0 ? missing !== 0 : missing < 1) return undefined;
  return [...head, ...new Array<number>(missing).fill(0), ...tail];
}

function partOf(text: string): number[] | undefined {
  if (text === '') return [];
  const groups: number[] = [];
  for (const word of text.split(':', 9)) {
    const octets = word.includes('.') ? word.split('.', 5).map(Number) : [];
    if (octets.length === 4) groups.push(((octets[0] ?? 0) << 8) | (octets[1] ?? 0), ((octets[2] ?? 0) << 8) | (octets[3] ?? 0));
    else groups.push(word.length >= 1 && word.length <= 4 ? Number(`0x${word}`) : Number.NaN);
  }
  return groups.some(Number.isNaN) ? undefined : groups;
}

/** The first of the longest runs of zero groups: where it begins and how long it is. */
function longestZeroRun(groups: readonly number[]): [start: number, length: number] {
  let best: [number, number] = [0, 0];
  for (let start = 0; start < groups.length; start++) {
    let length = 0;
    while (groups[start + length] === 0) length++;
    if (length > best[1]) best = [start, length];
  }
  return best;
}

function dotted(high: number, low: number): string {
  return `${high >> 8}.${high & 255}.${low >> 8}.${low & 255}`;
}

/** An address that stands for none: sound is not wanted (RFC 3264 §8.4 of old). */
export function isNullAddress(address: string): boolean {
  return address === '0.0.0.0' || address === '::';
}
