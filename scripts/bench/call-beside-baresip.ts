import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { wavHeader } from '#firmware/audio/wav.ts';
import { freePorts } from '../free-ports.ts';
import { VirtualPhone } from '../virtual-phone.ts';
import { RivalBaresip } from './baresip.ts';
import type { CallProfile } from './call-profile.ts';

/** A call under way between our whole phone and Debian's baresip, both speaking the same file. */
export interface CallBesideBaresip {
  readonly phone: VirtualPhone;
  readonly rival: RivalBaresip;
  /** First of the ports each side sends RTP from, and how many. */
  readonly ownPorts: number;
  readonly rivalPorts: number;
}

/** RTP ports each side may use. */
export const portsEach = 20;
const sampleRate = 8000;
/** Longer than any call here: baresip ends with its file. */
const speechSeconds = 600;

/** Makes the call, lets `measure` look at it, and ends it. */
export async function inCallBesideBaresip<T>(profile: CallProfile, measure: (call: CallBesideBaresip) => Promise<T>): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), 'hookswitch-bench-'));
  const speech = join(folder, 'speech.wav');
  writeBabble(speech);
  const [sip, web, ownPorts, rivalFirst] = [await freePorts(1), await freePorts(1), await freePorts(portsEach), await freePorts(24)];
  const phone = await VirtualPhone.start({
    data: join(folder, 'phone'),
    exchange: false,
    settings: {
      'log.level': 'warn',
      'sip.address': '127.0.0.1',
      'sip.port': String(sip),
      'web.address': '127.0.0.1',
      'web.port': String(web),
      'rtp.portFrom': String(ownPorts),
      'rtp.portTo': String(ownPorts + portsEach - 1),
      'audio.handset.driver': 'wav',
      'audio.handset.input': speech,
      ...profile.settings,
    },
  });
  try {
    const rival = await RivalBaresip.start(join(folder, 'baresip'), rivalFirst, speech, profile);
    try {
      await phone.hook('offHook');
      await phone.link.command('call', { target: `sip:bench@127.0.0.1:${rivalFirst}` });
      await phone.until('sound flows', ({ calls: [call] }) => (call?.media?.packetsReceived ?? 0) > 100);
      return await measure({ phone, rival, ownPorts, rivalPorts: rivalFirst + 4 });
    } finally {
      await rival.stop();
    }
  } finally {
    await phone.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Something that sounds like syllables, so that no codec and no voice detection finds silence. */
function writeBabble(path: string): void {
  const samples = Int16Array.from({ length: sampleRate * speechSeconds }, (_, index) => {
    const syllable = Math.max(0, Math.sin(index / 1_300));
    return Math.round(6_000 * syllable * (Math.sin(index / 11) + 0.5 * Math.sin(index / 4.3)));
  });
  writeFileSync(path, Buffer.concat([wavHeader(sampleRate, samples.length * 2), new Uint8Array(samples.buffer)]));
}
