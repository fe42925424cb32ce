import type { ToneName } from '#firmware/contract/media.ts';
import type { CallEnding } from './call-plan.ts';

/** Why the person hears a tone instead of somebody. */
export interface Failure {
  readonly tone: ToneName;
  readonly reason: string;
}

/** What a person hears after a call that ended by itself: the far end is engaged or gone, or the network has failed. */
export function toneAfter(ending: CallEnding | undefined): ToneName {
  if (!ending || ending.cause === 'remoteHungUp') return 'busy';
  const { statusCode } = ending;
  return ending.cause === 'refused' && (statusCode === 486 || statusCode === 600 || statusCode === 603) ? 'busy' : 'congestion';
}
