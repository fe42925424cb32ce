import type { CallRecord, Journal } from '#firmware/contract/journal.ts';
import type { Milliseconds } from '#firmware/core/clock.ts';
import type { UserAgent } from '#firmware/sip/user-agent.ts';
import type { AlertDesk } from './alert-desk.ts';
import type { Board } from './board.ts';
import type { Call } from './call.ts';
import type { CallDesk } from './call-desk.ts';
import type { DoorDesk } from './door-desk.ts';
import type { Handset } from './handset.ts';
import type { Outbox } from './outbox.ts';

/** What a process that died has left. */
export interface Inheritance {
  readonly journal: Journal;
  /** To be added to the times of the journal, so that they are those of this process. */
  readonly clockShift: Milliseconds;
  /** How long nobody was there. */
  readonly awayMs: Milliseconds;
}

/** The parts of a phone that take over from one that died. */
export interface Heirs {
  readonly userAgent: UserAgent;
  readonly desk: CallDesk;
  readonly handset: Handset;
  readonly doors: DoorDesk;
  readonly alerts: AlertDesk;
  readonly board: Board;
  readonly outbox: Outbox;
  /** How long media keeps the sound of calls without a phone. */
  readonly graceMs: Milliseconds;
}

/** What a successor needs to go on with the calls of this phone. Calls that nobody has accepted yet are not in it. */
export function journalOf({ userAgent, desk, handset }: Pick<Heirs, 'userAgent' | 'desk' | 'handset'>): Journal {
  const calls = desk.all.flatMap((call) => call.record() ?? []);
  const person = calls.length > 0 ? handset.record() : { grip: 'none' as const, focus: null, putAside: [], conference: [] };
  return { contactUsers: userAgent.contactUsers, handset: person, calls };
}

/**
 * Goes on with the calls of a process that died. Its accounts are set up again, hal and media are not connected yet: media then finds the
 * sessions it has kept, and hal tells whether the handset was put down meanwhile. Calls without sound for too long are ended.
 */
export function adoptCalls(now: Milliseconds, { journal, clockShift, awayMs }: Inheritance, heirs: Heirs): void {
  const { userAgent, desk, handset, board, outbox, graceMs } = heirs;
  const inTime = awayMs <= graceMs;
  const adopted: Call[] = [];
  for (const left of journal.calls) {
    const record = shifted(left, clockShift);
    const call = userAgent.adopt(now, record.session) ? desk.adopt(now, record) : undefined;
    if (call) adopted.push(call);
    outbox.fact('call.adopted', { call: record.call, adopted: call !== undefined, inTime, awayMs: Math.round(awayMs) });
  }
  if (adopted.length > 0 && inTime) {
    handset.adopt(now, journal.handset);
    if (journal.handset.grip === 'lifted') board.expectLifted();
  }
  for (const call of adopted) if (!inTime || !findOwner(now, call, heirs)) call.hangUp(now);
}

function findOwner(now: Milliseconds, call: Call, { doors, alerts }: Heirs): boolean {
  const { owner } = call.plan;
  if (owner.kind === 'handset') return true;
  return owner.kind === 'door' ? doors.adopt(now, owner.name, call) : alerts.adopt(now, owner.name, call);
}

function shifted(record: CallRecord, by: Milliseconds): CallRecord {
  const { session, createdAt, acceptedAt } = record;
  const timer = session.timer && { ...session.timer, since: session.timer.since + by };
  return { ...record, createdAt: createdAt + by, acceptedAt: acceptedAt + by, session: { ...session, timer } };
}
