import type { Milliseconds } from '#firmware/core/clock.ts';
import type { Message } from './message/message.ts';

/** One message on the wire, without anything secret: no header but CSeq, no body. */
export interface LoggedMessage {
  readonly at: Milliseconds;
  readonly direction: 'sent' | 'received';
  /** `udp:192.0.2.1:5060`. */
  readonly peer: string;
  /** The method, or the status code and the reason phrase. */
  readonly start: string;
  readonly isResponse: boolean;
  /** `1 INVITE`. */
  readonly cSeq: string;
  /** Of the body. */
  readonly octets: number;
}

/** The messages of one Call-ID, the oldest first. */
export interface LoggedDialog {
  readonly callId: string;
  /** Of the first request. */
  readonly method: string;
  /** User and host of its Request-URI. */
  readonly target: string;
  /** How many were left out at the beginning because there were too many. */
  leftOut: number;
  readonly messages: LoggedMessage[];
}

/** Bounds: what a message may add here is limited, whoever sends it. */
const most = { calls: 16, others: 16, messages: 48, callId: 128, target: 80, phrase: 48 } as const;

/** The last messages by Call-ID, for a ladder diagram. Calls are not pushed out by registrations, nor the other way round. */
export class MessageLog {
  /** The one that was added to last comes last. */
  readonly #dialogs = new Map<string, LoggedDialog>();
  #calls = 0;

  /** The one with the newest message first. */
  get dialogs(): readonly LoggedDialog[] {
    return [...this.#dialogs.values()].reverse();
  }

  add(at: Milliseconds, direction: 'sent' | 'received', message: Message, peer: string): void {
    const dialog = this.#dialogFor(message);
    if (dialog.messages.length === most.messages) {
      dialog.messages.shift();
      dialog.leftOut++;
    }
    const isResponse = message.kind === 'response';
    const start = isResponse ? `${message.statusCode} ${ownCopy(message.reasonPhrase, most.phrase)}` : ownCopy(message.method, most.phrase);
    const { number, method } = message.cSeq;
    dialog.messages.push({
      at,
      direction,
      peer,
      start,
      isResponse,
      cSeq: `${number} ${ownCopy(method, most.phrase)}`,
      octets: message.body.length,
    });
  }

  #dialogFor(message: Message): LoggedDialog {
    const key = message.callId.length > most.callId ? message.callId.slice(0, most.callId) : message.callId;
    const known = this.#dialogs.get(key);
    if (known) {
      this.#dialogs.delete(key);
      this.#dialogs.set(known.callId, known);
      return known;
    }
    const callId = ownCopy(key, most.callId);
    const method = ownCopy(message.cSeq.method, most.phrase);
    const isCall = method === 'INVITE';
    this.#makeRoom(isCall);
    if (isCall) this.#calls++;
    const dialog = { callId, method, target: targetOf(message), leftOut: 0, messages: [] };
    this.#dialogs.set(callId, dialog);
    return dialog;
  }

  #makeRoom(forCall: boolean): void {
    const count = forCall ? this.#calls : this.#dialogs.size - this.#calls;
    if (count < (forCall ? most.calls : most.others)) return;
    for (const [callId, { method }] of this.#dialogs) {
      if ((method === 'INVITE') !== forCall) continue;
      this.#dialogs.delete(callId);
      if (forCall) this.#calls--;
      return;
    }
  }
}

/** Nothing for a response to a request that came before the log began. Parameters are left out: a password or a secret name may be among them. */
function targetOf(message: Message): string {
  if (message.kind === 'response') return '';
  const uri = message.requestUri;
  if (uri.kind !== 'sip') return ownCopy(uri.text, most.target);
  return ownCopy(uri.user === undefined ? uri.host : `${uri.user}@${uri.host}`, most.target);
}

/** Its own characters: a piece of a message would keep the whole message. */
function ownCopy(text: string, length: number): string {
  return ` ${text.length > length ? `${text.slice(0, length - 1)}…` : text}`.slice(1);
}
