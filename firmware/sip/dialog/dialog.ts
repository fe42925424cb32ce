import { isHidden } from '../anonymous-caller.ts';
import type { DialogNames } from '../event/dialog-document.ts';
import { destinationOf, securedFor } from '../identity.ts';
import { buildRequest, type RequestParts, type TypedBody } from '../message/build.ts';
import type { Message, Request, Response } from '../message/message.ts';
import { NameAddr } from '../message/name-addr.ts';
import type { SipUri, Uri } from '../message/uri.ts';
import type { Destination } from '../transport/sip-core.ts';

/** What makes a dialog (RFC 3261 §12.1): fixed but for the remote target and the sequence numbers. */
export interface DialogParts {
  readonly callId: string;
  /** Our From in requests we send, with our tag. */
  readonly local: NameAddr;
  /** Our To in requests we send, with their tag if they have one (RFC 2543 peers have none). */
  readonly remote: NameAddr;
  readonly routeSet: readonly NameAddr[];
  readonly remoteTarget: Uri;
  readonly localSequence: number;
  readonly remoteSequence: number | undefined;
  /** Our Contact in the request that made it. */
  readonly toldContact?: string | undefined;
}

/** RFC 3261 §12: a relation between two user agents, which orders and routes the requests within it. */
export class Dialog {
  readonly callId: string;
  readonly local: NameAddr;
  readonly routeSet: readonly NameAddr[];
  #remote: NameAddr;
  #remoteTarget: Uri;
  #localSequence: number;
  /** Our Contact as the far end knows it from a request; `undefined` until there was one. */
  #toldContact: string | undefined;
  /** Of the last request of theirs; `undefined` before the first. */
  #remoteSequence: number | undefined;

  constructor(parts: DialogParts) {
    this.callId = parts.callId;
    this.local = parts.local;
    this.#remote = parts.remote;
    this.routeSet = parts.routeSet;
    this.#remoteTarget = parts.remoteTarget;
    this.#localSequence = parts.localSequence;
    this.#remoteSequence = parts.remoteSequence;
    this.#toldContact = parts.toldContact;
  }

  /**
   * RFC 3261 §12.1.2: as UAC, from the response to our request. A peer without a Contact is called back where we called it. A 2xx after an
   * `early` dialog makes the routes anew and keeps the numbers (§13.2.2.4).
   */
  static ofResponse(request: Request, response: Response, early?: Dialog): Dialog {
    return new Dialog({
      callId: request.callId,
      local: request.from,
      remote: response.to,
      routeSet: [...response.recordRoutes].reverse(),
      remoteTarget: contactOf(response) ?? request.requestUri,
      localSequence: early ? early.#localSequence : request.cSeq.number,
      toldContact: request.headerValues('Contact')[0],
      remoteSequence: early ? early.#remoteSequence : undefined,
    });
  }

  /** RFC 3261 §12.1.1: as UAS, from a request that has a Contact. */
  static ofRequest(request: Request, localTag: string): Dialog {
    return new Dialog({
      callId: request.callId,
      local: request.to.withParam('tag', localTag),
      remote: request.from,
      routeSet: request.recordRoutes,
      remoteTarget: contactOf(request) ?? request.from.uri,
      localSequence: 0,
      remoteSequence: request.cSeq.number,
    });
  }

  /** RFC 6665 §4.4.1: as subscriber, from a NOTIFY that came before the answer to our SUBSCRIBE. */
  static ofNotify(subscribe: Request, notify: Request): Dialog {
    return new Dialog({
      callId: subscribe.callId,
      local: subscribe.from,
      remote: notify.from,
      routeSet: notify.recordRoutes,
      remoteTarget: contactOf(notify) ?? subscribe.requestUri,
      localSequence: subscribe.cSeq.number,
      remoteSequence: undefined,
    });
  }

  /** Our To in requests we send. */
  get remote(): NameAddr {
    return this.#remote;
  }

  /** Their Contact. */
  get remoteTarget(): Uri {
    return this.#remoteTarget;
  }

  /** Of the last request of ours. */
  get localSequence(): number {
    return this.#localSequence;
  }

  get remoteSequence(): number | undefined {
    return this.#remoteSequence;
  }

  /** Both tags, `0` for a peer that knows none (RFC 3891 §3). */
  get names(): DialogNames {
    return { callId: this.callId, localTag: this.local.tag ?? '0', remoteTag: this.remote.tag ?? '0' };
  }

  get key(): string {
    return dialogKey(this.callId, this.local.tag, this.remote.tag);
  }

  /** Where requests go: the first route or, without routes, the remote target; `undefined` when that is no SIP URI, or not secure enough. */
  get destination(): Destination | undefined {
    const secure = this.#remoteTarget.kind === 'sip' && this.#remoteTarget.scheme === 'sips';
    const destination = destinationOf(this.routeSet[0]?.uri ?? this.#remoteTarget, secure ? 'tls' : 'udp');
    const secured = destination && securedFor(this.#remoteTarget, destination);
    return secured && isHidden(this.local) ? { ...secured, isPrivate: true } : secured;
  }

  /** RFC 3261 §12.2.1.1: the next request within the dialog, still without Via. */
  request(method: string, parts: Pick<RequestParts, 'headers' | 'body' | 'contact'> = {}): Request {
    this.#localSequence++;
    if (parts.contact) this.#toldContact = parts.contact.toString();
    return buildRequest({ ...this.#addressing(), ...parts, method, sequence: this.#localSequence });
  }

  /** RFC 3261 §13.2.2.4: the ACK of a 2xx to `invite`, with the credentials the INVITE had. */
  ack(invite: Request, body?: TypedBody): Request {
    const credentials = ['Authorization', 'Proxy-Authorization'];
    const headers = credentials.flatMap((name) => invite.headers.all(name).map(({ value }) => [name, value] as const));
    return this.ackOf(invite.cSeq.number, headers, body);
  }

  /** The ACK of a 2xx to the INVITE of ours with that number. */
  ackOf(sequence: number, headers: Iterable<readonly [name: string, value: string]> = [], body?: TypedBody): Request {
    return buildRequest({ ...this.#addressing(), headers, method: 'ACK', sequence, ...(body && { body }) });
  }

  /** Whether the far end has been told that this is our Contact. */
  knows(contact: NameAddr): boolean {
    return this.#toldContact === contact.toString();
  }

  /** RFC 3261 §12.2.2: false for a request that comes too late; else its number counts from now on. */
  admits(request: Request): boolean {
    if (this.#remoteSequence !== undefined && request.cSeq.number <= this.#remoteSequence) return false;
    this.#remoteSequence = request.cSeq.number;
    return true;
  }

  /** RFC 3261 §12.2: target refresh requests and their 2xx move the remote target. */
  refresh(message: Message): void {
    this.#remoteTarget = contactOf(message) ?? this.#remoteTarget;
  }

  /** RFC 4916 §4.3: they are somebody else now, so our requests go to those; true if that is news. */
  learnRemote(from: NameAddr): boolean {
    if (from.tag !== this.#remote.tag || from.uri.toString() === this.#remote.uri.toString()) return false;
    this.#remote = from;
    return true;
  }

  describe(): object {
    return {
      callId: this.callId,
      remote: this.remote.uri.toString(),
      remoteTarget: this.#remoteTarget.toString(),
      routes: this.routeSet.map((route) => route.uri.toString()),
      localSequence: this.#localSequence,
      remoteSequence: this.#remoteSequence,
    };
  }

  /** RFC 3261 §12.2.1.1: a strict router gets the request-URI, and the target goes to the end of the routes. */
  #addressing(): Pick<RequestParts, 'requestUri' | 'from' | 'to' | 'callId' | 'routes'> {
    const { callId, local, remote, routeSet } = this;
    const first = routeSet[0]?.uri;
    const strict = first?.kind === 'sip' && !first.isLooseRouter ? first : undefined;
    const routes = strict ? [...routeSet.slice(1), new NameAddr(this.#remoteTarget)] : routeSet;
    const requestUri = strict ? asRequestUri(strict) : this.#remoteTarget;
    return { requestUri, from: local, to: remote, callId, routes };
  }
}

export function dialogKey(callId: string, localTag: string | undefined, remoteTag: string | undefined): string {
  return `${callId} ${localTag ?? ''} ${remoteTag ?? ''}`;
}

/** The dialog a request of a peer claims to be in: its To is ours. */
export function dialogKeyOf(request: Request): string {
  return dialogKey(request.callId, request.to.tag, request.from.tag);
}

function contactOf(message: Message): Uri | undefined {
  const { contacts } = message;
  return contacts === '*' ? undefined : contacts[0]?.uri;
}

/** RFC 3261 §12.1.1: whether the Contact of the answer to a request that opens a dialog must be a `sips:` URI. */
export function wantsSips(request: Request): boolean {
  const next = request.recordRoutes[0]?.uri ?? contactOf(request);
  return [request.requestUri, next].some((uri) => uri?.kind === 'sip' && uri.scheme === 'sips');
}

/** RFC 3261 §19.1.1: a request-URI has neither `method` nor headers. */
function asRequestUri(uri: SipUri): SipUri {
  const params = new Map([...uri.params].filter(([name]) => name !== 'method'));
  return uri.with({ params, headers: [] });
}
