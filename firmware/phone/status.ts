import type { BoardState } from '#firmware/contract/hal.ts';
import type { CallStatus, PhoneStatus } from '#firmware/contract/phone.ts';
import type { Milliseconds } from '#firmware/core/clock.ts';
import type { Counters } from '#firmware/core/counters.ts';
import type { AlertDesk } from './alert-desk.ts';
import type { Board } from './board.ts';
import type { Call } from './call.ts';
import type { CallDesk } from './call-desk.ts';
import { displayOf } from './display.ts';
import type { EventDesk } from './event-desk.ts';
import type { Handset } from './handset.ts';
import type { Line } from './line.ts';
import type { MediaDesk } from './media-desk.ts';
import type { SoundDesk } from './sound-desk.ts';
import type { TextDesk } from './text-desk.ts';
import type { TransferDesk } from './transfer-desk.ts';

/** The parts of a phone that a snapshot looks at. */
export interface Observed {
  readonly version: string;
  readonly startedAt: number;
  readonly board: Board;
  readonly media: MediaDesk;
  readonly desk: CallDesk;
  readonly handset: Handset;
  readonly lines: readonly Line[];
  readonly alerts: AlertDesk;
  readonly transfers: TransferDesk;
  readonly texts: TextDesk;
  readonly events: EventDesk;
  readonly sounds: SoundDesk;
  readonly missedCalls: number;
  readonly notices: readonly string[];
  /** What sounds now, the bell before the ear. */
  readonly tone: string | null;
  readonly counters: Counters;
}

/** The whole device at one moment, for people and programs. */
export function statusOf(now: Milliseconds, observed: Observed): PhoneStatus {
  const { version, startedAt, board, media, desk, handset, lines, alerts, transfers, texts, missedCalls, notices, tone, counters } =
    observed;
  const daemons = { hal: board.up, media: media.up };
  const state: BoardState | undefined = board.state;
  return {
    version,
    startedAt,
    hook: board.hook,
    display: displayOf({
      handset,
      lines,
      missedCalls,
      transfers,
      texts,
      page: observed.sounds.paging.shown,
      completion: observed.events.completion,
      daemons,
    }),
    dialed: handset.dialing.digits,
    lines: lines.map((line) => line.status(now)),
    calls: desk.all.map((call) => callStatusOf(now, call, observed, isWaiting(handset, call))),
    alerts: alerts.status(),
    board: state ?? null,
    daemons,
    sound: { ear: handset.ear.role, roles: [...handset.ear.roles], devices: media.roles.status(media.volumes) },
    tone,
    missedCalls,
    unreadTexts: texts.unread,
    writing: texts.writing(),
    watched: observed.events.watches.all.map((watched) => watched.status()),
    completion: observed.events.completion.status(),
    pages: observed.sounds.paging.status(),
    notices: [...notices],
    counters: counters.describe(),
  };
}

/** A call that rings while the person is doing something else. */
export function isWaiting(handset: Handset, call: Call): boolean {
  return call.plan.owner.kind === 'handset' && call.knocking && handset.state !== 'idle';
}

function callStatusOf(now: Milliseconds, call: Call, { media, transfers, handset, sounds }: Observed, waiting: boolean): CallStatus {
  const { plan } = call;
  const talkedMs = call.times.talkedMs(now);
  const acceptedInMs = call.times.acceptedInMs;
  return {
    call: plan.id,
    line: plan.line?.name ?? null,
    direction: call.direction,
    owner: plan.owner.kind,
    state: call.stateFor(waiting),
    remote: call.remote,
    remarks: [...(plan.remarks ?? [])],
    seconds: talkedMs === undefined ? null : Math.floor(talkedMs / 1000),
    heldByRemote: call.heldByRemote,
    conference: handset.conference.includes(call),
    level: media.levelOf(plan.id),
    recording: sounds.recordings.isRecorded(plan.id),
    encryption: call.encryption,
    way: call.leg.way,
    transfer: transfers.stageOf(call) ?? null,
    digitsSent: call.digits.sent,
    digitsReceived: call.digits.received,
    digitWay: call.digits.way,
    acceptedInMs: acceptedInMs === undefined ? null : Math.round(acceptedInMs),
    media: media.statisticsOf(plan.id) ?? null,
  };
}
