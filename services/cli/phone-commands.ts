import type { Actuation } from '#firmware/contract/hal.ts';
import { type Digit, digitSchema } from '#firmware/contract/media.ts';
import { phoneContract } from '#firmware/contract/phone.ts';
import { UsageError } from '#firmware/core/errors.ts';
import type { ContractLink } from '#firmware/platform/unix-socket.ts';
import { withContract } from './contract-call.ts';
import type { Place } from './place.ts';
import { callLogLines, doorLogLines, statusLines, textLines } from './status-view.ts';

type PhoneLink = ContractLink<typeof phoneContract>;

/** How often and how long apart the phone is asked what became of a text message: ten seconds in all. */
const textTries = 50;
const textPauseMs = 200;

/** Lines for stdout; none when there is nothing to say. */
export type Output = readonly string[];

export function status(place: Place, options: { json: boolean }): Promise<Output> {
  return withPhone(place, async (phone) => {
    const snapshot = await phone.command('status', {});
    return options.json ? [JSON.stringify(snapshot, null, 2)] : statusLines(snapshot);
  });
}

export interface CallOptions {
  readonly line?: string | undefined;
  /** The far end is asked to accept it without a hand. */
  readonly intercom?: boolean | undefined;
  readonly hideNumber?: boolean | undefined;
}

export function call(place: Place, target: string, options: CallOptions): Promise<Output> {
  return withPhone(place, async (phone) => {
    const { call } = await phone.command('call', { target, ...options });
    return [`call ${call}`];
  });
}

export function accept(place: Place, call: string | undefined): Promise<Output> {
  return withPhone(place, (phone) => silently(phone.command('accept', { call })));
}

export function hangup(place: Place, call: string | undefined): Promise<Output> {
  return withPhone(place, (phone) => silently(phone.command('hangup', { call })));
}

export function hold(place: Place, call: string | undefined): Promise<Output> {
  return withPhone(place, (phone) => silently(phone.command('hold', { call })));
}

export function resume(place: Place, call: string | undefined): Promise<Output> {
  return withPhone(place, (phone) => silently(phone.command('resume', { call })));
}

/** Sends the far end on to `target`; without one connects the far ends of the two calls. */
export function transfer(place: Place, target: string | undefined, call: string | undefined): Promise<Output> {
  return withPhone(place, (phone) => silently(phone.command('transfer', { target, call })));
}

export function redial(place: Place): Promise<Output> {
  return withPhone(place, async (phone) => {
    const { call } = await phone.command('redial', {});
    return [`call ${call}`];
  });
}

/** Sends keys of the keypad one after the other. */
export function digits(place: Place, keys: string): Promise<Output> {
  const pressed = keys === 'flash' ? (['flash'] as const) : [...keys.toUpperCase()].map(digitOf);
  return withPhone(place, async (phone) => {
    for (const digit of pressed) await phone.command('digit', { digit });
    return [];
  });
}

export function doNotDisturb(place: Place, on: boolean, line: string | undefined): Promise<Output> {
  return withPhone(place, (phone) => silently(phone.command('setDoNotDisturb', { on, line })));
}

/** Moves elements of the virtual board, in order. */
export function actuate(place: Place, ...actuations: readonly Actuation[]): Promise<Output> {
  return withPhone(place, async (phone) => {
    for (const actuation of actuations) await phone.command('actuate', actuation);
    return [];
  });
}

export function alert(place: Place, name: string): Promise<Output> {
  return withPhone(place, async (phone) => {
    const { state } = await phone.command('alert', { alert: name, token: undefined });
    return [`alert ${name}: ${state}`];
  });
}

export function callLog(place: Place, options: { limit: number; json: boolean }): Promise<Output> {
  return withPhone(place, async (phone) => {
    const { entries } = await phone.command('callLog', { limit: options.limit });
    return options.json ? [JSON.stringify(entries, null, 2)] : callLogLines(entries);
  });
}

export function doorLog(place: Place, options: { limit: number; json: boolean }): Promise<Output> {
  return withPhone(place, async (phone) => {
    const { entries } = await phone.command('doorLog', { limit: options.limit });
    return options.json ? [JSON.stringify(entries, null, 2)] : doorLogLines(entries);
  });
}

/** Has the phone call back when the one who was busy is free, or no longer. */
export function completeCall(place: Place, on: boolean): Promise<Output> {
  return withPhone(place, (phone) => silently(phone.command('completeCall', { on })));
}

/** Sends a text message and waits a while for what becomes of it. */
export function message(place: Place, target: string, text: string, line: string | undefined): Promise<Output> {
  return withPhone(place, async (phone) => {
    const { message } = await phone.command('message', { target, text, line });
    for (let tries = 0; tries < textTries; tries++) {
      await new Promise((resolve) => setTimeout(resolve, textPauseMs));
      const { texts } = await phone.command('texts', {});
      const statusCode = texts.find(({ id }) => id === message)?.statusCode ?? undefined;
      if (statusCode !== undefined && statusCode >= 300) throw new UsageError('refused', `the message was refused with ${statusCode}`);
      if (statusCode !== undefined) return ['delivered'];
    }
    return ['not answered yet: hookswitch messages tells later'];
  });
}

/** The last text messages; whoever asks has read them. */
export function messages(place: Place, options: { json: boolean }): Promise<Output> {
  return withPhone(place, async (phone) => {
    const { texts } = await phone.command('texts', {});
    await phone.command('markTextsRead', {});
    return options.json ? [JSON.stringify(texts, null, 2)] : textLines(texts);
  });
}

export function withPhone(place: Place, use: (phone: PhoneLink) => Promise<Output>): Promise<Output> {
  return withContract(place, phoneContract, use);
}

export async function silently(reply: Promise<unknown>): Promise<Output> {
  await reply;
  return [];
}

function digitOf(key: string): Digit {
  const digit = digitSchema.options.find((known) => known === key);
  if (!digit) throw new UsageError('usage', `${key} is not a digit: 0–9, *, #, A–D or flash`);
  return digit;
}
