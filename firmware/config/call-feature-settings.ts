import { dialString } from './checks.ts';
import { choice, flag, list, type Setting, type SettingValue, text } from './setting.ts';

/** Settings of calls that accept themselves, of who is called by whom, and of how a caller is known. */
export const callFeatureSettings = {
  'line.*.autoAnswer': choice({
    title: 'Accept intercom calls',
    description:
      'Whether a call that asks for it (Answer-Mode of RFC 5373, Call-Info answer-after, Alert-Info alert-autoanswer or intercom) is accepted ' +
      'without a hand: off = it rings; idle = when the phone is not in use; notBusy = also with a call on hold; always = the call that is ' +
      'talked in is put on hold. One that may only be accepted so is refused with 403 otherwise.',
    owner: 'phone',
    choices: ['off', 'idle', 'notBusy', 'always'],
    default: 'off',
  }),
  'line.*.autoAnswerFrom': list({
    title: 'Intercom callers',
    description: 'Numbers or addresses whose calls may be accepted without a hand; empty = all whom the server of the line lets through.',
    owner: 'phone',
    check: dialString,
  }),
  'line.*.autoAnswerMuted': flag({
    title: 'Intercom calls muted',
    description: 'The microphone is off when a call accepts itself: the caller is heard, and hears nothing before the mute key is pressed.',
    owner: 'phone',
    default: true,
  }),
  'line.*.acceptJoin': choice({
    title: 'Join calls',
    description:
      'Who may come into a call that is talked in, so that all hear each other (INVITE with Join, RFC 3911): off = nobody; own = who calls ' +
      'from an address of this phone, such as another phone of the same person; all = everybody the server of the line lets through. Others ' +
      'get 403, and nobody may who does not come from the server of the line.',
    owner: 'phone',
    choices: ['off', 'own', 'all'],
    default: 'off',
  }),
  'line.*.acceptRefer': choice({
    title: 'Calls by click',
    description:
      'Who may have the phone call somebody without being in a call with it (REFER outside a dialog, as a click on a page of the exchange ' +
      'sends it): off = nobody, answered 403; server = the server of the line; authenticated = such a server that proves by digest that it ' +
      'knows the password of the line. The call is made hands-free, as if by the page of the phone.',
    owner: 'phone',
    choices: ['off', 'server', 'authenticated'],
    default: 'off',
  }),
  'line.*.followTransfers': flag({
    title: 'Follow transfers',
    description:
      'Whoever is transferred tells how that goes, and the call ends when it has worked. Without it they are asked to tell nothing ' +
      '(Refer-Sub: false, RFC 4488), and the call ends as soon as they have agreed, for exchanges that never tell.',
    owner: 'phone',
    default: true,
  }),
  'line.*.lateOffer': flag({
    title: 'Far ends offer sound first',
    description:
      'Calls of the line go out without an offer of sound: the far end makes it in its 200 OK, and ours is the answer, in the ACK (late ' +
      'offer), as some gateways and conference servers want it. There is no early media then, and no reliable provisional response.',
    owner: 'phone',
    default: false,
  }),
  'line.*.callerRing': flag({
    title: 'Ring as the call says',
    description:
      'A call may name the melody of the bell by Alert-Info, such as <http://pbx/chime.wav>, info=chime or Bellcore-dr2: the names are those ' +
      'of the setting ring; others ring as the line does. Nothing is fetched.',
    owner: 'phone',
    default: true,
  }),
  'line.*.hideNumber': flag({
    title: 'Hide my number',
    description:
      'Those who are called do not learn who calls: From is anonymous and Privacy: id asks the servers to keep the number (RFC 3323, 3325). ' +
      'Servers must know Privacy, and take the P-Preferred-Identity for who calls.',
    owner: 'phone',
    default: false,
  }),
  'line.*.rejectAnonymous': flag({
    title: 'Refuse the nameless',
    description: 'Callers who do not say who they are are refused with 433 (RFC 5079), without ringing.',
    owner: 'phone',
    default: false,
  }),
  'line.*.urgentRings': flag({
    title: 'Urgent calls ring',
    description: 'A call with Priority urgent or emergency rings although the line is not to be disturbed or is forwarded.',
    owner: 'phone',
    default: false,
  }),
  'phone.hideNumberPrefix': text({
    title: 'Prefix that hides the number',
    description: 'Dialled before a number, it hides ours from the far end for this call, such as *31*; empty = there is none.',
    owner: 'phone',
    check: dialString,
  }),
  'phone.intercomPrefix': text({
    title: 'Intercom prefix',
    description: 'Dialled before a number, it asks the far end to accept the call without a hand, such as *80; empty = there is none.',
    owner: 'phone',
    check: dialString,
  }),
} as const satisfies Readonly<Record<string, Setting<SettingValue>>>;
