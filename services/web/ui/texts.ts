import type { CallLogEntry, CallState, PhoneStatus } from '#firmware/contract/phone.ts';

/** Every sentence the page shows, so that another language is another file. */

type RegistrationState = PhoneStatus['lines'][number]['registration']['state'];

export const registrationTexts: Readonly<Record<RegistrationState, string>> = {
  none: 'direct calls',
  registering: 'registering …',
  registered: 'registered',
  failed: 'not registered',
  rejected: 'refused',
  unregistered: 'signed off',
};

export const callStateTexts: Readonly<Record<CallState, string>> = {
  dialing: 'dialling',
  calling: 'calling …',
  ringback: 'ringing there',
  ringing: 'rings',
  waiting: 'waits',
  accepting: 'connecting …',
  active: 'connected',
  held: 'on hold',
  ending: 'hanging up …',
  ended: 'ended',
};

export const outcomeTexts: Readonly<Record<CallLogEntry['outcome'], string>> = {
  accepted: 'spoken',
  acceptedElsewhere: 'accepted elsewhere',
  missed: 'missed',
  declined: 'declined',
  busy: 'busy',
  noAnswer: 'no answer',
  cancelled: 'given up',
  failed: 'failed',
  forwarded: 'forwarded',
};

export const watchedTexts: Readonly<Record<PhoneStatus['watched'][number]['state'], string>> = {
  unknown: 'unknown',
  idle: 'free',
  ringing: 'rings',
  busy: 'in a call',
  open: 'there',
  away: 'away',
};

export const pageTexts: Readonly<Record<PhoneStatus['pages'][number]['state'], string>> = {
  idle: '',
  heard: 'is heard',
  ignored: 'is not heard now',
  sending: 'you are heard',
};

/** The sound of this page, by what it does. */
export const soundStateTexts = {
  off: 'The telephone sounds at its handset.',
  asking: 'The browser asks whether it may use the microphone …',
  joining: 'joining the telephone …',
  on: 'This page is the handset: lift, dial, talk.',
  lost: 'The telephone does not answer. Trying again …',
  taken: '',
  noMicrophone: '',
};

/** Why this page is not the handset. */
export const soundTexts = {
  insecure:
    'Browsers give a microphone only to pages opened by https or from this machine itself. Open http://localhost there, or come through a tunnel (ssh -L 8080:localhost:8080 …).',
  refused: 'The browser refused the microphone. Allow it for this page (beside the address), then try again.',
  noMicrophone: 'There is no microphone here.',
  microphoneBusy: 'The microphone is not to be had: another program may use it.',
  microphoneGone: 'The microphone is gone: the telephone sounds at its handset again.',
  taken: 'Another page has the sound of this telephone.',
  takenOver: 'Another page has taken over the sound of this telephone.',
  forbidden: 'The setting web.sound forbids sound at the page.',
  broken: 'This browser cannot do it.',
};

/** What became of a message that went out. */
export function deliveryText(statusCode: number | null): string {
  if (statusCode === null) return '…';
  return statusCode < 300 ? '✓' : `not delivered (${statusCode})`;
}

/** `3:07` or `1:02:45`. */
export function durationText(seconds: number): string {
  const whole = Math.max(0, Math.floor(seconds));
  const two = (value: number) => String(value).padStart(2, '0');
  const hours = Math.floor(whole / 3600);
  const minutes = Math.floor(whole / 60) % 60;
  return hours > 0 ? `${hours}:${two(minutes)}:${two(whole % 60)}` : `${minutes}:${two(whole % 60)}`;
}

/** Time of day as the reader's locale writes it. */
export function timeText(wallTime: number): string {
  return new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit' }).format(wallTime);
}

/** What people say of calls with such a score (ITU-T G.107, annex B). */
export function opinionText(score: number | null): string {
  if (score === null) return 'nothing heard yet';
  if (score >= 4) return 'clear';
  if (score >= 3.6) return 'good';
  if (score >= 3.1) return 'fair';
  return score >= 2.6 ? 'poor' : 'bad';
}
