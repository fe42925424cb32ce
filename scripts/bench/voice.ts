import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { AudioCodec } from '#firmware/audio/codec.ts';
import { audioCodecs } from '#firmware/audio/codecs.ts';
import type { OpusMaker } from '#firmware/audio/opus.ts';
import { wavHeader } from '#firmware/audio/wav.ts';
import type { AudioDevice, SessionParameters } from '#firmware/contract/media.ts';
import { hurry } from '#firmware/platform/priority.ts';
import { loadOpus } from '#services/media/opus-codec.ts';
import type { Impairment } from '#test/support/impaired-way.ts';
import { LabPcm } from '#test/support/labpcm.ts';
import { freePorts } from '../free-ports.ts';
import { readSpeech } from '../speech.ts';
import { RivalBaresip } from './baresip.ts';
import { BenchMedia } from './media-daemon.ts';
import { RivalCaller } from './rival-call.ts';
import { type BenchRow, type BenchScope, skipped } from './row.ts';
import { type SpeechScore, scoreSpeech } from './speech-score.ts';
import { type Arrival, arrivalsOf, missingSpeech, resampled, speechOf } from './voice-sender.ts';
import { heardUndisturbed } from './voice-undisturbed.ts';

const area = 'voice';
const speechRate = 48_000;
/** As the settings have it by default. */
const opusEncoding = {
  sampleRate: 16_000,
  bitrate: 24_000,
  constantBitrate: false,
  complexity: 5,
  errorCorrection: true,
  discontinuous: false,
  playbackRate: 48_000,
} as const;
/** Until baresip's card runs, and until what was sent last is heard. */
const beforeMs = 1_000;
const afterMs = 700;

const quiet: Impairment = { delayMs: 10, jitterMs: 0, loss: 0, duplication: 0 };
const shares = [0.01, 0.03, 0.05, 0.1];
const networks: readonly (readonly [string, Impairment])[] = [
  ['nothing amiss', quiet],
  ...shares.map((loss) => [`${100 * loss} % lost`, { ...quiet, loss }] as const),
  ...shares.map((loss) => [`${100 * loss} % lost in bursts of 3`, { ...quiet, loss, burst: 3 }] as const),
  ...[20, 50, 100].map((jitterMs) => [`${jitterMs} ms of jitter`, { ...quiet, jitterMs, queued: true }] as const),
  ['5 % overtaken', { ...quiet, reordering: 0.05 }],
  ['10 % twice', { ...quiet, duplication: 0.1 }],
];

interface CodecUnderTest {
  readonly name: string;
  /** Also the role of its device. */
  readonly id: string;
  readonly codec: AudioCodec;
  readonly leg: SessionParameters['codecs'][0];
  readonly payloadType: number;
  /** Of baresip's card. */
  readonly cardRate: number;
  /** At which sound is compared. */
  readonly scoreRate: number;
  readonly rival: { readonly module: string; readonly name: string; readonly channels: number; readonly media: string };
}

/** What all measurements of a run share. */
interface Bench {
  readonly opus: OpusMaker;
  readonly lab: LabPcm;
  readonly media: BenchMedia;
  readonly caller: RivalCaller;
  readonly speech: Int16Array;
}

/**
 * How well speech gets through bad networks, beside Debian's baresip. Each packet goes to both at the same instant. What they play is compared
 * with what was said: our media daemon plays to a file that has the beat of a card, baresip, which cannot, to a card of the lab. A busy machine is
 * a bad network too: what our phone plays undisturbed, in virtual time, stands between them.
 */
export async function voiceRows({ seconds }: BenchScope): Promise<BenchRow[]> {
  const missing = RivalBaresip.missing() ?? missingSpeech();
  if (missing !== undefined) return [skipped(area, 'speech over bad networks', missing)];
  hurry(-15);
  const opus = await loadOpus();
  const codecs = codecsUnderTest(opus);
  const cards = codecs.map(({ id, cardRate, rival }) => [id, { playback: id, rate: cardRate, channels: rival.channels }] as const);
  const lab = await LabPcm.start(Object.fromEntries(cards));
  const media = await BenchMedia.start();
  const caller = await RivalCaller.start();
  try {
    // The wires of fast cards remember ten seconds.
    const speech = speechOf(Math.max(4, Math.min(8, Math.round(seconds / 7))), media.folder);
    return await rowsOf({ opus, lab, media, caller, speech }, codecs);
  } finally {
    await caller.stop();
    await media.stop();
    lab.end();
  }
}

function codecsUnderTest(opusOf: OpusMaker): CodecUnderTest[] {
  const { PCMU, G722 } = audioCodecs;
  const opus = opusOf(opusEncoding);
  const plain = { scoreRate: 8000, cardRate: 8000, payloadType: 0, leg: { name: 'PCMU', send: 0, receive: 0 } } as const;
  const wide = { scoreRate: 16_000, cardRate: 16_000, payloadType: 9, leg: { name: 'G722', send: 9, receive: 9 } } as const;
  const encoded = { name: 'opus', send: 96, receive: 96, encoding: opusEncoding } as const;
  const opusMedia = '96\r\na=rtpmap:96 opus/48000/2\r\na=fmtp:96 useinbandfec=1';
  return [
    { ...plain, name: 'G.711', id: 'pcmu', codec: PCMU, rival: { module: 'g711', name: 'pcmu', channels: 1, media: '0' } },
    { ...wide, name: 'G.722', id: 'g722', codec: G722, rival: { module: 'g722', name: 'g722', channels: 1, media: '9' } },
    {
      ...{ name: 'Opus', id: 'opus', codec: opus, leg: encoded, payloadType: 96, cardRate: 48_000, scoreRate: 16_000 },
      rival: { module: 'opus', name: 'opus/48000/2', channels: 2, media: opusMedia },
    },
  ];
}

/** All codecs at once, one network after the other. */
async function rowsOf(bench: Bench, codecs: readonly CodecUnderTest[]): Promise<BenchRow[]> {
  const rivals = await Promise.all(codecs.map((codec) => startRival(bench, codec)));
  try {
    const byCodec = new Map<CodecUnderTest, BenchRow[]>(codecs.map((codec) => [codec, []]));
    for (const [name, network] of networks) {
      const files = Object.fromEntries(codecs.map(({ id, scoreRate }) => [id, recorderOf(bench.media, id, scoreRate)]));
      await bench.media.useDevices(files, true);
      const heard = await Promise.all(codecs.map((codec, index) => listen(bench, codec, rivals[index]?.port ?? 0, network)));
      await bench.media.useDevices(Object.fromEntries(codecs.map(({ id }) => [id, { driver: 'silence' }])), true);
      for (const [index, codec] of codecs.entries()) {
        const { rival = nothing, undisturbed = nothing } = heard[index] ?? {};
        const own = readSpeech(heardFile(bench.media, codec.id));
        const said = resampled(bench.speech, speechRate, codec.scoreRate);
        const row = (who: string, recording: Int16Array) =>
          rowOf(`${codec.name}, ${name}: ${who}`, recording !== own, scoreSpeech(said, recording, codec.scoreRate));
        byCodec.get(codec)?.push(row('hookswitch', own), row('hookswitch, undisturbed', undisturbed), row('baresip', rival));
      }
    }
    return [...byCodec.values()].flat();
  } finally {
    for (const { baresip } of rivals) await baresip.stop();
  }
}

const nothing = new Int16Array(0);

function heardFile(media: BenchMedia, id: string): string {
  return join(media.folder, `heard-${id}.wav`);
}

/** A card made of files, of the rate of its microphone's. */
function recorderOf(media: BenchMedia, id: string, rate: number): AudioDevice {
  const input = join(media.folder, `mouth-${id}.wav`);
  const silence = new Uint8Array(2 * rate);
  writeFileSync(input, Buffer.concat([wavHeader(rate, silence.length), silence]));
  return { driver: 'wav', input, loop: true, output: heardFile(media, id) };
}

/** When the recording of our daemon began is not known to the millisecond. */
function rowOf(name: string, isTimed: boolean, { similarity, spectralDistance, segmentalRatio, delayMs }: SpeechScore): BenchRow {
  const more = `${spectralDistance.toFixed(1)} dB spectral distance, ${segmentalRatio.toFixed(1)} dB segmental ratio`;
  const late = isTimed ? `, ${delayMs.toFixed(0)} ms late` : '';
  return { area, name, value: similarity, unit: `NSIM, ${more}${late}` };
}

async function startRival({ lab, media }: Bench, { id, cardRate, rival }: CodecUnderTest) {
  const port = await freePorts(24);
  const microphone = join(media.folder, `silence-${id}.wav`);
  const silence = new Uint8Array(2 * rival.channels * cardRate * 60);
  writeFileSync(microphone, Buffer.concat([wavHeader(cardRate, silence.length, rival.channels), silence]));
  const account = `audio_codecs=${rival.name}`;
  const profile = { name: id, settings: {}, rivalRate: cardRate, rivalModules: [rival.module], rivalAccount: account };
  const loudspeaker = { card: id, environment: lab.environment };
  return { port, baresip: await RivalBaresip.start(join(media.folder, `baresip-${id}`), port, microphone, profile, loudspeaker) };
}

/** One call of each phone behind the same network: what the others than our daemon played since sending began. */
async function listen({ opus, lab, media, caller, speech }: Bench, codec: CodecUnderTest, rivalSip: number, network: Impairment) {
  const said = resampled(speech, speechRate, codec.codec.sampleRate);
  const arrivals = arrivalsOf(said, codec.codec, codec.payloadType, network);
  const socket = createSocket('udp4').bind(0, '127.0.0.1');
  await once(socket, 'listening');
  const { port } = socket.address();
  const ownPort = await media.openSession(codec.id);
  await media.speakWith(codec.id, port, codec.leg, codec.id);
  const { session, rtpPort } = await caller.call(rivalSip, port, codec.rival.media);
  try {
    await pause(beforeMs);
    const wire = lab.wire(codec.id);
    const from = wire.now();
    await send(socket, arrivals, [ownPort, rtpPort]);
    await pause(afterMs);
    const rival = resampled(wire.take(from, wire.now() - from), codec.cardRate, codec.scoreRate);
    return { rival, undisturbed: heardUndisturbed(arrivals, codec.leg, opus, speech.length / speechRate + 1) };
  } finally {
    socket.close();
    await media.closeSession(codec.id);
    await caller.hangUp(session);
  }
}

/** Each packet at its time, to both. */
async function send(socket: Socket, arrivals: readonly Arrival[], ports: readonly number[]): Promise<void> {
  const begun = performance.now();
  for (const { at, packet } of arrivals) {
    const left = begun + at - performance.now();
    if (left > 0.5) await pause(left);
    for (const port of ports) socket.send(packet, port, '127.0.0.1');
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
