import type { Message } from './message/message.ts';

/** RFC 3326 §2: for those whom we called together with the one who accepted. */
export const acceptedElsewhereReason = 'SIP;cause=200;text="Call completed elsewhere"';

/** Why a peer ended a call, as its Reason headers say. */
export interface CallReason {
  /** Somebody else accepted the call: nobody has missed it. */
  readonly acceptedElsewhere: boolean;
  /** For people; `undefined` when nothing was said. */
  readonly text: string | undefined;
}

/** A display has little room, and a peer much to say. */
const textAtMost = 80;

export function reasonOf(message: Message): CallReason {
  const { reasons } = message;
  const acceptedElsewhere = reasons.some(({ value, params }) => value.toUpperCase() === 'SIP' && params.get('cause') === '200');
  const [first] = reasons;
  const said = reasons.map(({ params }) => params.get('text')).find((text) => text !== undefined && text.trim() !== '');
  const cause = first && `${first.value} ${first.params.get('cause') ?? ''}`.trim();
  return { acceptedElsewhere, text: (said ?? cause)?.slice(0, textAtMost) };
}
