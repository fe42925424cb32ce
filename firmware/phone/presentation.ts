import type { ToneName } from '#firmware/contract/media.ts';
import type { Board } from './board.ts';
import type { DoorDesk } from './door-desk.ts';
import { earRoles, muteEar } from './ear.ts';
import type { EventDesk } from './event-desk.ts';
import type { Handset } from './handset.ts';
import type { LampPatterns } from './lamp-patterns.ts';
import type { Line } from './line.ts';
import type { MediaDesk } from './media-desk.ts';
import { lampsOf, soundsOf } from './ringing.ts';
import type { SoundDesk } from './sound-desk.ts';

/** The parts that say what is to be heard and seen, and those that make it so. */
export interface Presented {
  readonly handset: Handset;
  readonly lines: readonly Line[];
  readonly events: EventDesk;
  readonly doors: DoorDesk;
  readonly missedCalls: number;
  readonly media: MediaDesk;
  readonly sounds: SoundDesk;
  readonly board: Board;
  readonly lamps: LampPatterns;
}

const bellDevice = 'ringer';

/** Makes tones, bell and lamps follow from the state; gives what sounds now, the bell before the ear. */
export function present({ handset, lines, events, doors, missedCalls, media, sounds, board, lamps }: Presented): ToneName | null {
  const messageWaiting = lines.some((line) => line.messageWaiting);
  const { ear, bell } = soundsOf(handset, messageWaiting, events.completion.ready);
  if (handset.state === 'idle') muteEar(media, handset.ear, false);
  for (const role of earRoles) media.toneOn(role, (role === handset.ear.role ? ear : null) ?? doors.toneOn(role));
  media.toneOn(bellDevice, bell ?? doors.toneOn(bellDevice));
  for (const [led, pattern] of events.watches.lamps()) board.showLed(led, pattern);
  const lit = { missedCalls, muted: media.isMuted(handset.ear.role), recorded: sounds.recordings.active };
  for (const [led, pattern] of Object.entries(lampsOf(handset, lines, lit, lamps))) board.showLed(led, pattern);
  return bell ?? ear;
}
