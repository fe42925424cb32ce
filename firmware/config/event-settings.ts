import { dialString } from './checks.ts';
import { choice, flag, integer, list, type Setting, type SettingValue, text } from './setting.ts';

/** Settings of what lines tell each other, and of text messages. */
export const eventSettings = {
  'sip.acceptWatchers': flag({
    title: 'Busy lamps of others',
    description:
      'Tell the server of a line, and whom it lets through, on request whether the line is in a call and with whom (event package dialog, ' +
      'RFC 4235), so that they may pick the call up, and whether the person is there (presence, RFC 3856).',
    owner: 'phone',
    restart: true,
    default: false,
  }),
  'sip.offerCompletion': flag({
    title: 'Offer to be called back',
    description: 'Whoever finds this phone busy may ask to be told when it is free (RFC 6910).',
    owner: 'phone',
    restart: true,
    default: false,
  }),
  'sip.subscriptions': integer({
    title: 'Subscriptions of others',
    description: 'How many may watch the lines of this phone at once; more are answered 503.',
    owner: 'phone',
    restart: true,
    default: 64,
    minimum: 1,
    maximum: 1000,
  }),
  'sip.acceptCheckSync': choice({
    title: 'Commands of the exchange',
    description:
      'Who may have the phone read its settings anew, or restart when nobody talks (NOTIFY check-sync): never, the server of a line, or ' +
      'authenticated = such a server that proves by digest that it knows the password of the line.',
    owner: 'phone',
    restart: true,
    choices: ['never', 'server', 'authenticated'],
    default: 'never',
  }),
  'line.*.watch': list({
    title: 'Watched lines',
    description:
      'Numbers or addresses whose calls are shown by the lamps watch1, watch2 … and on the page (RFC 4235); a call that rings there can be ' +
      'picked up.',
    owner: 'phone',
    check: dialString,
  }),
  'line.*.watchPresence': list({
    title: 'Watched people',
    description: 'Numbers or addresses of people whose presence is shown on the page (RFC 3856).',
    owner: 'phone',
    check: dialString,
  }),
  'line.*.publishPresence': flag({
    title: 'Publish presence',
    description: 'Tell the presence server of the line whether the person is free, in a call or not to be disturbed (RFC 3903).',
    owner: 'phone',
    default: false,
  }),
  'line.*.watchRegistration': flag({
    title: 'Watch the registration',
    description: 'Ask the registrar to tell what becomes of the registration (RFC 3680), and register again when it was taken away.',
    owner: 'phone',
    default: false,
  }),
  'phone.joinByKey': flag({
    title: 'Key of a busy line joins',
    description:
      'The key beside the lamp of a watched line that is in a call asks to be let into that call (Join, RFC 3911) instead of calling it.',
    owner: 'phone',
    default: false,
  }),
  'phone.pickupCode': text({
    title: 'Pickup code',
    description:
      'What is dialled before the number of a watched line to take the call that rings there, such as *8; empty = the phone takes the place ' +
      'of the one that rings (Replaces, RFC 3891).',
    owner: 'phone',
    check: dialString,
  }),
  'texts.maximum': integer({
    title: 'Text messages',
    description: 'How many text messages are kept; the oldest go.',
    owner: 'phone',
    default: 500,
    minimum: 1,
    maximum: 10_000,
  }),
} as const satisfies Readonly<Record<string, Setting<SettingValue>>>;
