import { choice, type Setting, type SettingValue } from './setting.ts';

/** What a lamp of the board may do; a USB handset's knows only on and off. */
const patterns = ['off', 'on', 'blink', 'fastBlink', 'doubleFlash'] as const;
type Pattern = (typeof patterns)[number];

/** How lamps show what is going on. */
export const lampSettings = {
  'lamp.ringing': pattern('Lamp: it rings', 'The lamp call while a call rings here.', 'fastBlink'),
  'lamp.inUse': pattern('Lamp: in use', 'The lamp call while the handset is in use.', 'on'),
  'lamp.onHold': pattern('Lamp: on hold', 'The lamp call while nobody is talked with and a call is on hold.', 'doubleFlash'),
  'lamp.newMessages': pattern('Lamp: new messages', 'The lamp message while new messages wait in the mailbox.', 'on'),
  'lamp.missedCalls': pattern('Lamp: missed calls', 'The lamp message after calls that nobody took.', 'blink'),
  'lamp.registered': pattern('Lamp: registered', 'The lamp registered while all lines are.', 'on'),
  'lamp.notRegistered': pattern('Lamp: not registered', 'The lamp registered while a line is not.', 'blink'),
  'lamp.recording': pattern('Lamp: recording', 'The lamp record while a call is recorded.', 'blink'),
  'lamp.watchedRinging': pattern('Lamp: rings there', 'The lamps of watched lines while a call rings there.', 'fastBlink'),
  'lamp.watchedBusy': pattern('Lamp: busy there', 'The lamps of watched lines while they are in a call.', 'on'),
  'lamp.watchedAway': pattern('Lamp: away', 'The lamps of watched people who are not there.', 'blink'),
} satisfies Record<string, Setting<SettingValue>>;

function pattern(title: string, description: string, initial: Pattern) {
  return choice({ title, description, owner: 'phone', choices: patterns, default: initial });
}
