import type { Milliseconds } from '#firmware/core/clock.ts';
import { UsageError } from '#firmware/core/errors.ts';
import type { Logger } from '#firmware/core/logger.ts';
import { muteEar } from './ear.ts';
import type { EventDesk } from './event-desk.ts';
import type { Handset } from './handset.ts';
import type { MediaDesk } from './media-desk.ts';
import { isDigit } from './phone-settings.ts';
import type { SoundDesk } from './sound-desk.ts';
import type { TransferDesk } from './transfer-desk.ts';

/** Before the name of the group that the key lets one speak to. */
const pageKey = 'page-';
/** Of a key press. */
const volumeStep = 5;

export interface KeyPorts {
  readonly handset: Handset;
  readonly sounds: SoundDesk;
  readonly media: MediaDesk;
  readonly transfers: TransferDesk;
  readonly events: EventDesk;
  readonly logger: Logger;
}

/** Keys that are no digits do what their name says; a key that has no use now is no error. */
export function pressKey(now: Milliseconds, key: string, { handset, sounds, media, transfers, events, logger }: KeyPorts): void {
  try {
    if (key === 'redial') handset.redial(now);
    else if (key === 'transfer') transfers.transfer(now, {});
    else if (key === 'conference') handset.unite(now);
    else if (key === 'hold') {
      if (handset.focus?.onHold) handset.resume(now);
      else handset.hold(now);
    } else if (key === 'mute') muteEar(media, handset.ear, !media.isMuted(handset.ear.role));
    else if (key === 'speaker' || key === 'headset') handset.handsFree(now, key);
    else if (key === 'volume-up' || key === 'volume-down') sounds.turnVolume(key === 'volume-up' ? volumeStep : -volumeStep);
    else if (key === 'record') sounds.record();
    else if (key.startsWith(pageKey)) sounds.page(now, key.slice(pageKey.length));
    else if (key === 'flash') handset.hook(now, 'flash');
    else if (key === 'pickup') events.watches.pickUp(now);
    else if (key === 'join') events.watches.join(now);
    else if (key === 'callback') events.completion.ask(now);
    else if (!events.watches.press(now, key) && isDigit(key)) sounds.press(now, key);
  } catch (thrown) {
    if (!(thrown instanceof UsageError)) throw thrown;
    logger.debug('key-ignored', { reason: thrown.message });
  }
}
