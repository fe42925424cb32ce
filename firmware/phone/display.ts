import { parseUri } from '#firmware/sip/message/uri.ts';
import type { Call } from './call.ts';
import type { RemoteParty } from './call-plan.ts';
import type { CompletionDesk } from './completion-desk.ts';
import type { Handset } from './handset.ts';
import type { Line } from './line.ts';
import type { TextDesk } from './text-desk.ts';
import type { TransferDesk } from './transfer-desk.ts';

const lineLength = 32;

export interface Displayed {
  readonly handset: Handset;
  readonly lines: readonly Line[];
  readonly missedCalls: number;
  readonly texts: TextDesk;
  readonly transfers: TransferDesk;
  /** The group of telephones that is heard or spoken to. */
  readonly page: string | undefined;
  readonly completion: CompletionDesk;
  /** False while the daemon is away: then there is no sound, or no key. */
  readonly daemons: { readonly hal: boolean; readonly media: boolean };
}

/** The short lines a desk phone shows; what matters most first. */
export function displayOf(displayed: Displayed): string[] {
  const { handset } = displayed;
  const ringing = handset.calls.filter((call) => call.state === 'ringing');
  const rows = mainRows(displayed, ringing[0]);
  if (handset.state !== 'idle') for (const call of ringing) rows.push(`Waiting: ${nameOf(call.remote)}`);
  const together = handset.conference.some((call) => call === handset.focus) ? handset.conference : [];
  for (const call of handset.calls)
    if (call.onHold && call !== handset.focus && !together.includes(call)) rows.push(`On hold: ${nameOf(call.remote)}`);
  return rows.map((row) => row.slice(0, lineLength));
}

function mainRows(displayed: Displayed, ringing: Call | undefined): string[] {
  const { handset } = displayed;
  const { state, focus } = handset;
  switch (state) {
    case 'idle':
      return ringing
        ? ['Incoming call', nameOf(ringing.remote), ...(ringing.plan.remarks ?? [])]
        : (pageRows(displayed) ?? completionRows(displayed) ?? idleRows(displayed));
    case 'dialTone':
      return ['Dial a number'];
    case 'collecting':
      return ['Dial', handset.dialing.digits];
    case 'engaged':
      if (focus && handset.conference.includes(focus)) return conferenceRows(handset.conference, focus);
      if (!focus) return pageRows(displayed) ?? [];
      return [nameOf(focus.remote), displayed.transfers.textOf(focus) ?? focusText(focus)];
    case 'failed':
      return [handset.dialing.failure.tone === 'busy' ? 'Busy' : 'Not connected', handset.dialing.failure.reason];
    case 'howling':
    case 'silent':
      return ['Hang up the handset'];
    default:
      return state satisfies never;
  }
}

function pageRows({ page }: Displayed): string[] | undefined {
  return page === undefined ? undefined : ['Announcement', page];
}

function conferenceRows(calls: readonly Call[], focus: Call): string[] {
  return [focus.onHold ? 'Conference on hold' : `Conference of ${calls.length + 1}`, calls.map(({ remote }) => nameOf(remote)).join(', ')];
}

/** Somebody who was busy is free, or may be asked to say so. */
function completionRows({ completion }: Displayed): string[] | undefined {
  const { remote, state } = completion.status() ?? {};
  if (remote === undefined || state === 'waiting') return undefined;
  return state === 'ready' ? [`${remote} is free`, 'Lift to call'] : [`${remote} was busy`, 'Call back when free?'];
}

function idleRows({ lines, missedCalls, texts, daemons }: Displayed): string[] {
  const [line] = lines;
  if (!daemons.media) return ['No sound', 'the media daemon is away'];
  if (!daemons.hal) return ['No keys', 'the hal daemon is away'];
  const messages = lines.filter(({ messageWaiting }) => messageWaiting).length;
  const first = line ? line.settings.displayName || nameOf({ displayName: '', uri: line.settings.aor.toString() }) : 'No line';
  const { newest } = texts;
  if (newest) return [`${nameOf(newest.remote)}:`, newest.text];
  if (lines.some(({ doNotDisturb }) => doNotDisturb)) return [first, 'Do not disturb'];
  if (missedCalls > 0) return [first, `${missedCalls} missed ${missedCalls === 1 ? 'call' : 'calls'}`];
  if (messages > 0) return [first, 'New messages'];
  return [first, line ? registrationTexts[line.state] : 'set one up, or call an address'];
}

const registrationTexts: Readonly<Record<Line['state'], string>> = {
  none: 'Direct calls',
  registering: 'Registering …',
  registered: 'Registered',
  failed: 'Not registered',
  rejected: 'Registration refused',
  unregistered: 'Signed off',
};

function focusText(call: Call): string {
  if (call.onHold) return 'On hold';
  if (call.heldByRemote) return 'They hold the call';
  switch (call.state) {
    case 'opening':
    case 'calling':
      return 'Calling …';
    case 'ringback':
      return 'Ringing there';
    case 'accepting':
    case 'active':
      return 'Connected';
    case 'offered':
    case 'ringing':
      return 'Ringing';
    case 'ending':
    case 'ended':
      return 'Ended';
    default:
      return call.state satisfies never;
  }
}

/** A name for a small display: the one they go by, else the number, else the host. */
function nameOf({ displayName, uri }: RemoteParty): string {
  if (displayName !== '') return displayName;
  const parsed = parseUri(uri);
  return parsed?.kind === 'sip' ? (parsed.user ?? parsed.host) : uri;
}
