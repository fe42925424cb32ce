/** What a dial plan says of the digits so far: dial now, or wait for more. */
export type DialVerdict = 'complete' | 'open';

/** One place of a pattern: the keys that fit, and whether it may be taken any number of times, also none. */
interface Place {
  readonly keys: string;
  readonly repeats: boolean;
}

/**
 * Patterns of complete numbers, such as `112`, `[2-5]xx`, `0.`; a final dot stands for any number of digits more. A number is complete when a pattern fits it and no pattern could fit
 * more digits after it; everything else waits for the inter-digit time or `#`, so the plan never keeps a person from dialling.
 */
export class DialPlan {
  readonly #patterns: readonly (readonly Place[])[];

  constructor(patterns: readonly string[]) {
    this.#patterns = patterns.map(placesOf);
  }

  judge(digits: string): DialVerdict {
    let complete = false;
    for (const pattern of this.#patterns) {
      const reached = reachedPlaces(pattern, digits);
      if (reached.has(pattern.length)) complete = true;
      for (const place of reached) if (place < pattern.length) return 'open';
    }
    return complete ? 'complete' : 'open';
  }
}

/** Which places of the pattern may come next after `digits`; its length stands for the end. */
function reachedPlaces(pattern: readonly Place[], digits: string): Set<number> {
  let reached = withSkipped(pattern, new Set([0]));
  for (const digit of digits) {
    const next = new Set<number>();
    for (const index of reached) {
      const place = pattern[index];
      if (place?.keys.includes(digit)) next.add(place.repeats ? index : index + 1);
    }
    reached = withSkipped(pattern, next);
    if (reached.size === 0) break;
  }
  return reached;
}

/** A repeating place may be passed over. */
function withSkipped(pattern: readonly Place[], reached: Set<number>): Set<number> {
  for (const index of reached) if (pattern[index]?.repeats) reached.add(index + 1);
  return reached;
}

const anyDigit = '0123456789';

function placesOf(pattern: string): Place[] {
  const places: Place[] = [];
  let index = 0;
  while (index < pattern.length) {
    const character = pattern.charAt(index);
    const close = character === '[' ? pattern.indexOf(']', index) : -1;
    let keys = character;
    if (close > 0) {
      keys = keysOfSet(pattern.slice(index + 1, close));
      index = close;
    } else if (character === 'x' || character === 'X') keys = anyDigit;
    index++;
    places.push(character === '.' ? { keys: anyDigit, repeats: true } : { keys, repeats: false });
  }
  return places;
}

/** `2-5`, `134`, `1*#`. */
function keysOfSet(set: string): string {
  let keys = '';
  for (let index = 0; index < set.length; index++) {
    const first = anyDigit.indexOf(set.charAt(index));
    const last = set.charAt(index + 1) === '-' ? anyDigit.indexOf(set.charAt(index + 2)) : -1;
    if (first >= 0 && last > first) {
      keys += anyDigit.slice(first, last + 1);
      index += 2;
    } else keys += set.charAt(index);
  }
  return keys;
}
