import type { CallLogEntry } from '#firmware/contract/phone.ts';
import type { Milliseconds } from '#firmware/core/clock.ts';
import type { Call } from './call.ts';
import type { CallEnding, RemoteParty } from './call-plan.ts';
import type { LineSettings } from './phone-settings.ts';

type Outcome = CallLogEntry['outcome'];
type Entry = Omit<CallLogEntry, 'id'>;

/** What the log says of a call that is over; `startedAt` is the wall time of its beginning. */
export function entryOf(call: Call, now: Milliseconds, startedAt: number): Entry {
  const { owner, line, remote } = call.plan;
  const { ending } = call.times;
  const talkedMs = call.times.talkedMs(now);
  return {
    at: startedAt,
    direction: call.direction,
    owner: owner.kind,
    line: line?.name ?? null,
    remote: remote.uri,
    displayName: call.remote.displayName,
    outcome: talkedMs === undefined && ending ? outcomeOf(call.direction, ending) : 'accepted',
    statusCode: ending?.statusCode ?? null,
    seconds: Math.round((talkedMs ?? 0) / 1000),
  };
}

/** What the log says of a call that was turned away before it could ring. */
export function refusedEntryOf(remote: RemoteParty, line: LineSettings | undefined, statusCode: number, startedAt: number): Entry {
  return {
    at: startedAt,
    direction: 'incoming',
    owner: 'handset',
    line: line?.name ?? null,
    remote: remote.uri,
    displayName: remote.displayName,
    outcome: statusCode < 400 ? 'forwarded' : statusCode === 480 || statusCode === 486 ? 'missed' : 'failed',
    statusCode,
    seconds: 0,
  };
}

function outcomeOf(direction: 'outgoing' | 'incoming', ending: CallEnding): Outcome {
  const { cause } = ending;
  if (direction === 'incoming') return cause === 'declined' || cause === 'missed' || cause === 'acceptedElsewhere' ? cause : 'failed';
  switch (ending.cause) {
    case 'cancelled':
      return 'cancelled';
    case 'noAnswer':
      return 'noAnswer';
    case 'refused':
      return refusalOutcome(ending.statusCode);
    default:
      return 'failed';
  }
}

function refusalOutcome(statusCode: number | null): Outcome {
  if (statusCode === 486 || statusCode === 600) return 'busy';
  if (statusCode === 603) return 'declined';
  return statusCode === 408 || statusCode === 480 ? 'noAnswer' : 'failed';
}
