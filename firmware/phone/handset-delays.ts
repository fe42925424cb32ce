import type { Milliseconds } from '#firmware/core/clock.ts';
import type { HandsetTimer } from './handset-table.ts';
import type { PhoneSettings } from './phone-settings.ts';

const dialTonePatienceMs = 20_000;
const failureToneMs = 30_000;
/** Without a handset nobody hangs up to end the tone. */
const handsFreeToneMs = 4_000;

/** How long each timer of the handset runs. */
export function handsetDelay(timer: HandsetTimer, { dialing, mixing }: PhoneSettings, handsFree: boolean): Milliseconds {
  const delays: Record<HandsetTimer, Milliseconds> = {
    patience: dialTonePatienceMs,
    interDigit: dialing.interDigitMs,
    tone: handsFree ? handsFreeToneMs : failureToneMs,
    howler: mixing.howlerMs,
  };
  return delays[timer];
}
