import type { StateTable } from '#firmware/core/state-table.ts';

export type OfferExchangeState = 'idle' | 'offering' | 'withdrawing' | 'retrying' | 'offered' | 'awaitingAck' | 'closing' | 'terminated';
export type OfferExchangeTimer = 'noAnswer' | 'retry';
export type OfferExchangeInput =
  | `timer ${OfferExchangeTimer}`
  | 'offer'
  | 'accepted'
  | 'glare'
  | 'refused'
  | 'theirOffer'
  | 'answer'
  | 'answerUpdate'
  | 'refuse'
  | 'cancelled'
  | 'acknowledged'
  | 'close';
export type OfferExchangeAction =
  | 'sendOffer'
  | 'sendCancel'
  | 'acknowledge'
  | 'reportAnswer'
  | 'reportGlare'
  | 'reportOffer'
  | 'respondPending'
  | 'respondBusy'
  | 'respondAnswer'
  | 'respondRefusal'
  | 'respondTerminated';

/**
 * RFC 3261 §14 and RFC 3311 §5: changing a confirmed call, one offer at a time. Ours is a re-INVITE; theirs is a re-INVITE or an UPDATE.
 * An INVITE that we accept leads to `awaitingAck`; with an UPDATE the answer is the end of it. A call that ends while our re-INVITE is on
 * its way still owes its 2xx an ACK (`closing`).
 */
export const offerExchangeTable: StateTable<OfferExchangeState, OfferExchangeInput, OfferExchangeAction, OfferExchangeTimer> = {
  idle: {
    timers: [],
    on: {
      offer: { to: 'offering', do: ['sendOffer'] },
      theirOffer: { to: 'offered', do: ['reportOffer'] },
      close: { to: 'terminated', do: [] },
    },
  },
  offering: {
    timers: ['noAnswer'],
    on: {
      accepted: { to: 'idle', do: ['acknowledge', 'reportAnswer'] },
      glare: { to: 'retrying', do: [] },
      refused: { to: 'idle', do: ['reportAnswer'] },
      'timer noAnswer': { to: 'withdrawing', do: ['sendCancel'] },
      theirOffer: { to: 'offering', do: ['respondPending'] },
      close: { to: 'closing', do: [] },
    },
  },
  withdrawing: {
    timers: [],
    on: {
      accepted: { to: 'idle', do: ['acknowledge', 'reportAnswer'] },
      glare: { to: 'idle', do: ['reportGlare'] },
      refused: { to: 'idle', do: ['reportAnswer'] },
      theirOffer: { to: 'withdrawing', do: ['respondPending'] },
      close: { to: 'closing', do: [] },
    },
  },
  retrying: {
    timers: ['retry'],
    on: {
      'timer retry': { to: 'offering', do: ['sendOffer'] },
      theirOffer: { to: 'offered', do: ['reportGlare', 'reportOffer'] },
      close: { to: 'terminated', do: [] },
    },
  },
  offered: {
    timers: [],
    on: {
      answer: { to: 'awaitingAck', do: ['respondAnswer'] },
      answerUpdate: { to: 'idle', do: ['respondAnswer'] },
      refuse: { to: 'idle', do: ['respondRefusal'] },
      cancelled: { to: 'idle', do: ['respondTerminated'] },
      theirOffer: { to: 'offered', do: ['respondBusy'] },
      close: { to: 'terminated', do: ['respondTerminated'] },
    },
  },
  awaitingAck: {
    timers: [],
    on: {
      acknowledged: { to: 'idle', do: [] },
      theirOffer: { to: 'awaitingAck', do: ['respondPending'] },
      close: { to: 'terminated', do: [] },
    },
  },
  closing: {
    timers: [],
    on: {
      accepted: { to: 'terminated', do: ['acknowledge'] },
      glare: { to: 'terminated', do: [] },
      refused: { to: 'terminated', do: [] },
    },
  },
  terminated: { timers: [], on: {} },
};
