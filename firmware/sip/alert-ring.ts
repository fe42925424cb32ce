import { type RingName, ringNames } from '#firmware/core/ring-names.ts';
import { alertWordsOf } from './answer-mode.ts';
import type { Request } from './message/message.ts';

/** What exchanges have called distinctive rings since Bellcore GR-506. */
const bellcore: Readonly<Record<string, RingName>> = {
  'bellcore-dr1': 'ring',
  'bellcore-dr2': 'classic',
  'bellcore-dr3': 'chime',
  'bellcore-dr4': 'westminster',
  'bellcore-dr5': 'cuckoo',
};

/**
 * RFC 3261 §20.4: how the caller, or the exchange, wants the bell to sound: by `info=chime` or by the last word of an address such as
 * `http://pbx/chime.wav`. Nothing is ever fetched; `undefined` for a melody that is none of ours.
 */
export function wishedRing(request: Request): RingName | undefined {
  for (const [name, value] of alertWordsOf(request)) {
    const found = ringNamed(value) ?? ringNamed(lastWordOf(name));
    if (found) return found;
  }
  return undefined;
}

function ringNamed(text: string): RingName | undefined {
  return ringNames.find((name) => name === text) ?? (Object.hasOwn(bellcore, text) ? bellcore[text] : undefined);
}

function lastWordOf(address: string): string {
  const start = Math.max(address.lastIndexOf('/'), address.lastIndexOf(':')) + 1;
  const end = address.indexOf('.', start);
  return address.slice(start, end < 0 ? undefined : end);
}
