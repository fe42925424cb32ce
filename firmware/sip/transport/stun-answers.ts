import type { Milliseconds } from '#firmware/core/clock.ts';
import { parseStun, type StunMessage } from './stun-message.ts';

/** Told of the answer to a request, once. */
type Taker = (now: Milliseconds, answer: StunMessage) => void;

/** STUN requests of ours that wait for their answers, by transaction id. */
export class StunAnswers {
  readonly #takers = new Map<string, Taker>();

  /** Gives the name under which to `forget`. */
  expect(id: Uint8Array, taker: Taker): string {
    const name = [...id].map((octet) => octet.toString(16).padStart(2, '0')).join('');
    this.#takers.set(name, taker);
    return name;
  }

  forget(name: string): void {
    this.#takers.delete(name);
  }

  /** False for what is broken, or answers nothing that was asked. */
  receive(now: Milliseconds, bytes: Uint8Array): boolean {
    const answer = parseStun(bytes);
    const taker = answer && (answer.kind === 'success' || answer.kind === 'error') && this.#takers.get(answer.transactionId);
    if (!answer || !taker) return false;
    this.#takers.delete(answer.transactionId);
    taker(now, answer);
    return true;
  }
}
