import * as v from 'valibot';
import { defineContract } from './contract.ts';

/** phone → media: sound devices, RTP sessions, tones, playback and digits. PCM never crosses this socket. */

const port = v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(65_535));
const name = v.pipe(v.string(), v.minLength(1), v.maxLength(64));
const path = v.pipe(v.string(), v.minLength(1), v.maxLength(1024));
const nothing = v.object({});

/** A sound device behind the audio port: PortAudio by name, WAV files, or silence. */
export const audioDeviceSchema = v.variant('driver', [
  v.object({
    driver: v.literal('portaudio'),
    /** Name as PortAudio shows it; `null` = no such direction. */
    input: v.nullable(name),
    output: v.nullable(name),
    /** The card's own when absent. */
    sampleRate: v.optional(v.picklist([8000, 16_000, 44_100, 48_000])),
    /** Sound moves in pieces of this length, ms, 10 when absent; one that a card refuses or cannot keep up with becomes 20. */
    frameMs: v.optional(v.picklist([10, 20])),
    /** Frames each PortAudio callback moves; those of `frameMs` when absent. */
    framesPerBuffer: v.optional(v.pipe(v.number(), v.integer(), v.minValue(32), v.maxValue(4096))),
  }),
  v.object({
    driver: v.literal('wav'),
    /** The microphone: played from its start whenever the device opens. */
    input: v.nullable(path),
    loop: v.optional(v.boolean(), true),
    /** The loudspeaker: written anew whenever the device opens. */
    output: v.nullable(path),
  }),
  v.object({ driver: v.literal('silence') }),
]);
export type AudioDevice = v.InferOutput<typeof audioDeviceSchema>;

export const toneNameSchema = v.picklist(['dial', 'stutterDial', 'ringback', 'busy', 'congestion', 'callWaiting', 'confirmation', 'ring']);
export type ToneName = v.InferOutput<typeof toneNameSchema>;

export const digitSchema = v.picklist(['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', '*', '#', 'A', 'B', 'C', 'D', 'flash']);
export type Digit = v.InferOutput<typeof digitSchema>;

const payloadType = v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(127));
const codecSchema = v.object({
  name: v.picklist(['PCMU', 'PCMA', 'G722', 'L16']),
  /** Payload types as each side wants them. */
  send: payloadType,
  receive: payloadType,
});

/** What offer and answer agreed on, for one leg. */
export const sessionParametersSchema = v.object({
  remote: v.object({ address: name, rtpPort: port, rtcpPort: port }),
  /** All that may arrive; the first is the one to send. */
  codecs: v.tupleWithRest([codecSchema], codecSchema),
  /** Packet time we send, ms. */
  ptime: v.picklist([10, 20, 30, 40, 60]),
  /** Payload types of RFC 4733 events as each side wants them, or `null` when there are none. */
  telephoneEvent: v.nullable(v.object({ send: payloadType, receive: payloadType })),
  /** Ours: what we send and receive (RFC 3264). */
  direction: v.picklist(['sendrecv', 'sendonly', 'recvonly', 'inactive']),
  /** Follow the peer's real source address (NAT), in the first packets only. */
  symmetric: v.boolean(),
});
export type SessionParameters = v.InferOutput<typeof sessionParametersSchema>;

/** Where sound may be sent to: a device by role, or a session's far end. */
const targetSchema = v.variant('kind', [
  v.object({ kind: v.literal('device'), device: name }),
  v.object({ kind: v.literal('session'), session: name }),
]);
export type AudioTarget = v.InferOutput<typeof targetSchema>;

export const sessionStatisticsSchema = v.object({
  session: name,
  packetsSent: v.number(),
  packetsReceived: v.number(),
  octetsSent: v.number(),
  octetsReceived: v.number(),
  /** Expected minus received, RFC 3550 A.3; may be negative with duplicates. */
  packetsLost: v.number(),
  packetsLate: v.number(),
  packetsDuplicate: v.number(),
  /** Dropped: malformed, foreign address, unknown payload type. */
  packetsRefused: v.number(),
  /** Interarrival jitter, ms (RFC 3550 A.8). */
  jitterMs: v.number(),
  jitterBufferMs: v.number(),
  /** Round trip by RTCP, ms, once known. */
  roundTripMs: v.nullable(v.number()),
  concealedMs: v.number(),
  /** How good the far end sounds: mean opinion score by the E-model (G.107), 1 to 4.5; `null` before it was heard. */
  opinionScore: v.nullable(v.number()),
  /** Levels of the last second, dBFS. */
  levelIn: v.number(),
  levelOut: v.number(),
  digitsReceived: v.number(),
});
export type SessionStatistics = v.InferOutput<typeof sessionStatisticsSchema>;

export const mediaContract = defineContract({
  name: 'media',
  version: 1,
  commands: {
    /** Sent at each connect: devices by role (`handset`, `ringer`, …), port range, tones. Running sessions are kept. */
    configure: {
      args: v.object({
        devices: v.record(name, audioDeviceSchema),
        rtpPorts: v.object({ from: port, to: port }),
        /** ISO 3166 country of the call progress tones, lower case. */
        country: v.pipe(v.string(), v.length(2)),
        jitterBuffer: v.object({ minimumMs: v.number(), startMs: v.number(), maximumMs: v.number() }),
        /** Sessions end this long after the controller went away, s. */
        graceSeconds: v.number(),
        /** `rtpSilence` is reported after this long without a packet where one is due, s; 0 = never. */
        silenceSeconds: v.number(),
      }),
      result: v.object({ devices: v.record(name, v.object({ ok: v.boolean(), reason: v.optional(v.string()) })) }),
    },
    /** Binds an even RTP port and the RTCP port above it on `address`; `rtpPort` if it is free, when the far end knows it already. */
    openSession: {
      args: v.object({ session: name, address: name, rtpPort: v.optional(port) }),
      result: v.object({ rtpPort: port, rtcpPort: port }),
    },
    /** Starts or changes what a session sends and receives. */
    updateSession: { args: v.object({ session: name, parameters: sessionParametersSchema }), result: nothing },
    /** Sends RTCP BYE, frees the ports. Closing an unknown session is no error. */
    closeSession: { args: v.object({ session: name }), result: v.object({ statistics: v.nullable(sessionStatisticsSchema) }) },
    /** Joins a session's sound with a device (both ways); `null` = with nothing. Several sessions on one device are mixed. */
    connectSession: { args: v.object({ session: name, device: v.nullable(name) }), result: nothing },
    /** One tone per target; another replaces it. */
    startTone: { args: v.object({ target: targetSchema, tone: toneNameSchema }), result: nothing },
    stopTone: { args: v.object({ target: targetSchema }), result: nothing },
    /** Plays a WAV file, `repeat` times (0 = until stopped) with `gapMs` between; ends with `playbackEnded`. */
    startPlayback: {
      args: v.object({ playback: name, target: targetSchema, file: path, repeat: v.number(), gapMs: v.number() }),
      result: nothing,
    },
    stopPlayback: { args: v.object({ playback: name }), result: nothing },
    /** One RFC 4733 event. */
    sendDigit: { args: v.object({ session: name, digit: digitSchema, durationMs: v.number() }), result: nothing },
    setMuted: { args: v.object({ device: name, muted: v.boolean() }), result: nothing },
    /** Playback volume, 0–100; 0 is silent, 80 is unity. */
    setVolume: { args: v.object({ device: name, volume: v.pipe(v.number(), v.minValue(0), v.maxValue(100)) }), result: nothing },
    /** The sessions that run, so that a restarted phone can adopt or close them. */
    sessions: { args: nothing, result: v.object({ sessions: v.array(v.object({ session: name, rtpPort: port })) }) },
    describe: { args: nothing, result: v.looseObject({}) },
  },
  events: {
    /** An RFC 4733 digit came in: once per press. */
    digit: v.object({ session: name, digit: digitSchema, durationMs: v.number() }),
    statistics: v.object({ sessions: v.array(sessionStatisticsSchema) }),
    /** Nothing came in for `silenceSeconds` although the direction says that it should. */
    rtpSilence: v.object({ session: name, seconds: v.number() }),
    playbackEnded: v.object({ playback: name, completed: v.boolean() }),
    deviceChanged: v.object({ device: name, ok: v.boolean(), reason: v.optional(v.string()) }),
  },
});
