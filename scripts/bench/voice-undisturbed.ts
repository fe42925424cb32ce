import type { OpusMaker } from '#firmware/audio/opus.ts';
import { deviceSettings } from '#firmware/config/device-settings.ts';
import { type LegCodec, MediaSession } from '#firmware/media/media-session.ts';
import { seededEntropy } from '#test/support/seeded-entropy.ts';
import { legTowards } from '#test/support/simulated-rtp.ts';
import type { Arrival } from './voice-sender.ts';

const blockMs = 10;
const peer = '192.0.2.1';

/** What our phone plays of these packets with its default settings when no machine disturbs it: in virtual time. */
export function heardUndisturbed(arrivals: readonly Arrival[], codec: LegCodec, opus: OpusMaker, seconds: number): Int16Array {
  const limits = {
    minimum: deviceSettings['jitterBuffer.minimumMs'].default,
    start: deviceSettings['jitterBuffer.startMs'].default,
    maximum: deviceSettings['jitterBuffer.maximumMs'].default,
  };
  const session = new MediaSession(seededEntropy(1), 'voice', limits, opus);
  session.update(0, legTowards(peer, { codecs: [codec] }));
  const heard = new Int16Array(seconds * session.sampleRate);
  const samples = (blockMs * session.sampleRate) / 1000;
  const waiting = arrivals.values();
  let next = waiting.next();
  for (let block = 0; (block + 1) * samples <= heard.length; block++) {
    const now = block * blockMs;
    for (; !next.done && next.value.at <= now; next = waiting.next())
      session.receiveRtp(next.value.at, next.value.packet.slice(), peer, 4000);
    const sound = heard.subarray(block * samples, (block + 1) * samples);
    if (!session.pull(sound)) sound.fill(0);
    session.moved(now);
    session.drain();
  }
  return heard;
}
