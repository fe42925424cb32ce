import { splitList } from './message/header-values.ts';
import type { Request } from './message/message.ts';

/** RFC 5373 §4.1: how a caller wants to be answered, and how a callee was. */
export type AnswerMode = 'Auto' | 'Manual';

/** A caller wants the call to be accepted without a hand that does it. */
export interface AutoAnswerWish {
  /** How long it may ring first, s. */
  readonly afterSeconds: number;
  /** RFC 5373 §4.3: rather refused than to ring. */
  readonly required: boolean;
}

/** RFC 5373 §7: what a far end may require of us. */
export const answerModeOption = 'answermode';

/** A display that counts down longer than that is no help. */
const afterSecondsAtMost = 60;

/** What an INVITE of ours says to be accepted at once, in each of the ways that telephones understand. */
export const autoAnswerLines: readonly (readonly [name: string, value: string])[] = [
  ['Answer-Mode', 'Auto'],
  ['Call-Info', '<sip:intercom.invalid>;answer-after=0'],
  ['Alert-Info', '<http://intercom.invalid>;info=alert-autoanswer;delay=0'],
];

/** The answer mode that a request names; `undefined` when it names none. */
export function answerModeOf(request: Request): { readonly mode: AnswerMode; readonly required: boolean } | undefined {
  const [value] = [...request.headerValues('Priv-Answer-Mode'), ...request.headerValues('Answer-Mode')];
  const [mode = '', ...params] = value?.toLowerCase().split(';').map(trimmed) ?? [];
  if (mode !== 'auto' && mode !== 'manual') return undefined;
  return { mode: mode === 'auto' ? 'Auto' : 'Manual', required: params.includes('require') };
}

/**
 * Whether a caller wants to be accepted at once: by RFC 5373, else by what telephones have said since before it: Call-Info and Alert-Info
 * with `answer-after`, `info=alert-autoanswer` or `intercom`, in brackets or out of them.
 */
export function autoAnswerWishOf(request: Request): AutoAnswerWish | undefined {
  const named = answerModeOf(request);
  if (named?.mode === 'Manual') return undefined;
  const said = ['Call-Info', 'Alert-Info'].flatMap((name) => request.headerValues(name)).flatMap(wordsOf);
  const after = saidOf(said, 'answer-after');
  const delay = saidOf(said, 'delay');
  const info = saidOf(said, 'info');
  const isIntercom = saidOf(said, 'intercom') !== undefined && saidOf(said, 'intercom') !== 'false';
  const isAutomatic = info === 'alert-autoanswer' || info === 'intercom' || isIntercom;
  if (!named && after === undefined && !isAutomatic) return undefined;
  return { afterSeconds: secondsOf(after ?? (isAutomatic ? delay : undefined)), required: named?.required ?? false };
}

/** What Alert-Info says, word by word, in lower case. */
export function alertWordsOf(request: Request): readonly (readonly [name: string, value: string])[] {
  return request.headerValues('Alert-Info').flatMap(wordsOf);
}

/** The parameters around and within the brackets of a value, as they are written in the field. */
function wordsOf(text: string): (readonly [name: string, value: string])[] {
  return splitList(text)
    .flatMap((value) => value.replaceAll('<', ';').replaceAll('>', ';').split(';'))
    .map((word) => {
      const [name = '', ...values] = word.split('=');
      return [trimmed(name).toLowerCase(), trimmed(values.join('=')).replaceAll('"', '').toLowerCase()] as const;
    });
}

function saidOf(words: readonly (readonly [name: string, value: string])[], name: string): string | undefined {
  return words.find(([known]) => known === name)?.[1];
}

function secondsOf(text: string | undefined): number {
  const seconds = Number(text ?? '');
  return seconds >= 0 ? Math.min(seconds, afterSecondsAtMost) : 0;
}

function trimmed(text: string): string {
  return text.trim();
}
