import type { Settings } from '#firmware/config/settings.ts';
import type { RecordWish } from './recording-settings.ts';

/** What a line does with calls that ask to be accepted at once. */
export interface LineFeatures {
  readonly autoAnswer: 'off' | 'idle' | 'notBusy' | 'always';
  /** Who may ask for it, as a person would dial them; empty = everybody. */
  readonly autoAnswerFrom: readonly string[];
  readonly autoAnswerMuted: boolean;
  /** Who may come into a call that is talked in. */
  readonly acceptJoin: 'off' | 'own' | 'all';
  /** Who may have the phone call somebody without a call to it. */
  readonly acceptRefer: 'off' | 'server' | 'authenticated';
  /** Far ends that are transferred tell how that goes. */
  readonly followTransfers: boolean;
  /** Far ends say first what sound they want (an INVITE without an offer). */
  readonly lateOffer: boolean;
  /** A call may say how the bell is to sound. */
  readonly callerRing: boolean;
  /** Those who are called do not learn who calls. */
  readonly hideNumber: boolean;
  /** Callers who do not say who they are are refused. */
  readonly rejectAnonymous: boolean;
  /** Urgent calls ring although nobody is to disturb. */
  readonly urgentRings: boolean;
  readonly record: RecordWish;
}

/** What may be dialled before a number; empty = nothing. */
export interface DialPrefixes {
  readonly intercom: string;
  readonly hideNumber: string;
}

export function lineFeaturesOf(settings: Settings, line: string): LineFeatures {
  return {
    autoAnswer: settings.get('line.*.autoAnswer', line),
    autoAnswerFrom: settings.get('line.*.autoAnswerFrom', line),
    autoAnswerMuted: settings.get('line.*.autoAnswerMuted', line),
    acceptJoin: settings.get('line.*.acceptJoin', line),
    acceptRefer: settings.get('line.*.acceptRefer', line),
    followTransfers: settings.get('line.*.followTransfers', line),
    lateOffer: settings.get('line.*.lateOffer', line),
    callerRing: settings.get('line.*.callerRing', line),
    hideNumber: settings.get('line.*.hideNumber', line),
    rejectAnonymous: settings.get('line.*.rejectAnonymous', line),
    urgentRings: settings.get('line.*.urgentRings', line),
    record: settings.get('line.*.record', line),
  };
}

export function dialPrefixesOf(settings: Settings): DialPrefixes {
  return { intercom: settings.get('phone.intercomPrefix'), hideNumber: settings.get('phone.hideNumberPrefix') };
}
