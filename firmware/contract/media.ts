import * as v from 'valibot';
import { ringNames } from '../core/ring-names.ts';
import { srtpSuiteNames } from '../core/srtp-suites.ts';
import { defineContract } from './contract.ts';
import { recordingCommands, recordingNameSchema } from './recordings.ts';

/** phone → media: sound devices, RTP sessions, tones, playback and digits. PCM never crosses this socket. */

const port = v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(65_535));
const name = v.pipe(v.string(), v.minLength(1), v.maxLength(64));
const path = v.pipe(v.string(), v.minLength(1), v.maxLength(1024));
const nothing = v.object({});
const pem = v.pipe(v.string(), v.maxLength(16_384));

/** What is done to the sound of a device's microphone: echo left, taken out, or avoided by letting one side speak at a time. */
const voiceSchema = v.object({
  echo: v.picklist(['off', 'cancel', 'halfDuplex']),
  echoTailMs: v.pipe(v.number(), v.minValue(10), v.maxValue(500)),
  noiseSuppression: v.boolean(),
  gainControl: v.boolean(),
  highPass: v.boolean(),
  /** A factor; 0 = none. */
  sideTone: v.pipe(v.number(), v.minValue(0), v.maxValue(4)),
});
export type VoiceWishes = v.InferOutput<typeof voiceSchema>;

const soundWish = v.pipe(v.string(), v.minLength(1), v.maxLength(1024));

/** A sound device behind the audio port: PortAudio by what stays of it, WAV files, or silence. */
export const audioDeviceSchema = v.variant('driver', [
  v.object({
    driver: v.literal('portaudio'),
    /** A wish (core/sound-wish.ts); `null` = no such direction. */
    input: v.nullable(soundWish),
    output: v.nullable(soundWish),
    /** The card's own when absent. */
    sampleRate: v.optional(v.picklist([8000, 16_000, 44_100, 48_000])),
    /** Sound moves in pieces of this length, ms, 10 when absent; one that a card refuses or cannot keep up with becomes 20. */
    frameMs: v.optional(v.picklist([10, 20])),
    /** Frames each PortAudio callback moves; those of `frameMs` when absent. */
    framesPerBuffer: v.optional(v.pipe(v.number(), v.integer(), v.minValue(32), v.maxValue(4096))),
    voice: v.optional(voiceSchema),
  }),
  v.object({
    driver: v.literal('wav'),
    /** The microphone: played from its start whenever the device opens. */
    input: v.nullable(path),
    loop: v.optional(v.boolean(), true),
    /** The loudspeaker: written anew whenever the device opens. */
    output: v.nullable(path),
    voice: v.optional(voiceSchema),
  }),
  v.object({ driver: v.literal('silence') }),
]);
export type AudioDevice = v.InferOutput<typeof audioDeviceSchema>;

const progressTones = ['dial', 'stutterDial', 'ringback', 'busy', 'congestion', 'callWaiting', 'confirmation', 'howler'] as const;
export const toneNameSchema = v.picklist([...progressTones, ...ringNames]);
export type ToneName = v.InferOutput<typeof toneNameSchema>;

export const digitSchema = v.picklist(['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', '*', '#', 'A', 'B', 'C', 'D', 'flash']);
export type Digit = v.InferOutput<typeof digitSchema>;

const payloadType = v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(127));
/** How Opus is sent: what we want within what the far end asked for (RFC 7587 §6.1). */
const opusEncodingSchema = v.object({
  /** Of the sound here, both ways. */
  sampleRate: v.picklist([8000, 16_000, 48_000]),
  bitrate: v.pipe(v.number(), v.integer(), v.minValue(6000), v.maxValue(510_000)),
  constantBitrate: v.boolean(),
  complexity: v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(10)),
  errorCorrection: v.boolean(),
  discontinuous: v.boolean(),
  /** Highest rate at which the far end plays. */
  playbackRate: v.pipe(v.number(), v.minValue(8000), v.maxValue(48_000)),
});
export type OpusEncoding = v.InferOutput<typeof opusEncodingSchema>;

/** Payload types as each side wants them. */
const payloadTypes = { send: payloadType, receive: payloadType };
const codecSchema = v.variant('name', [
  v.object({ name: v.picklist(['PCMU', 'PCMA', 'G722', 'L16', 'L16/16000', 'L16/44100']), ...payloadTypes }),
  v.object({ name: v.literal('opus'), ...payloadTypes, encoding: opusEncodingSchema }),
]);

const base64 = v.pipe(v.string(), v.base64(), v.maxLength(64));
/** Master key and salt, one behind the other, as SDP carries them (RFC 4568 §6.1). */
const masterKey = v.pipe(base64, v.minLength(40));

const iceText = v.pipe(v.string(), v.minLength(1), v.maxLength(256));
const candidates = v.pipe(v.array(v.pipe(v.string(), v.maxLength(512))), v.maxLength(32));
const serverText = v.pipe(v.string(), v.maxLength(256));
/** Servers that help to be found from outside: host with or without port, empty = none. */
const iceServersSchema = v.object({
  stunServer: serverText,
  turnServer: serverText,
  turnUsername: serverText,
  turnPassword: v.pipe(v.string(), v.maxLength(1024)),
});
const ownIceSchema = v.object({ ufrag: iceText, password: iceText, candidates, address: name, port, rtcpPort: port });
/** What a peer is told of our search for a way (RFC 8839), and the candidate for peers that know no ICE. */
export type OwnIce = v.InferOutput<typeof ownIceSchema>;

/** How the packets of a leg are protected (SRTP). Keys travel over this socket and are never written anywhere. */
export const sessionSecuritySchema = v.variant('kind', [
  v.object({
    kind: v.literal('sdes'),
    suite: v.picklist(srtpSuiteNames),
    sendKey: masterKey,
    receiveKey: masterKey,
    /** Bytes of master key identifier in what the peer sends. */
    mkiLength: v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(128)),
  }),
  v.object({
    kind: v.literal('dtls'),
    /** Of the certificate that the peer has to show (RFC 8122). */
    fingerprint: v.object({ hash: v.picklist(['sha-1', 'sha-256', 'sha-384', 'sha-512']), value: v.pipe(v.string(), v.maxLength(191)) }),
    /** The client begins the handshake. */
    role: v.picklist(['client', 'server']),
  }),
]);
export type SessionSecurity = v.InferOutput<typeof sessionSecuritySchema>;

/** What offer and answer agreed on, for one leg. */
export const sessionParametersSchema = v.object({
  remote: v.object({ address: name, rtpPort: port, rtcpPort: port }),
  /** All that may arrive; the first is the one to send. */
  codecs: v.tupleWithRest([codecSchema], codecSchema),
  /** Packet time we send, ms. */
  ptime: v.picklist([10, 20, 30, 40, 60]),
  /** Payload types of RFC 4733 events as each side wants them, and their clocks; the first is the one to send. */
  telephoneEvents: v.array(v.object({ ...payloadTypes, clockRate: v.pipe(v.number(), v.minValue(1000), v.maxValue(384_000)) })),
  /** Listen for digits in the sound too. */
  detectDigits: v.boolean(),
  /** Describe silence instead of sending it (RFC 3389). */
  comfortNoise: v.boolean(),
  /** Ours: what we send and receive (RFC 3264). */
  direction: v.picklist(['sendrecv', 'sendonly', 'recvonly', 'inactive']),
  /** Follow the peer's real source address (NAT), in the first packets only. */
  symmetric: v.boolean(),
  /** RTCP shares the port of RTP, both ways (RFC 5761). */
  rtcpMux: v.boolean(),
  /** The peer wants to be told how well it is heard (RFC 3611). */
  extendedReports: v.optional(v.boolean()),
  /** The peer's side of the search for a way; `null` = there is none, and packets go straight to `remote`. */
  ice: v.nullable(v.object({ ufrag: iceText, password: iceText, candidates, lite: v.boolean(), controlling: v.boolean() })),
  /** `null` = the packets are not protected. */
  security: v.nullable(sessionSecuritySchema),
});
export type SessionParameters = v.InferOutput<typeof sessionParametersSchema>;

/** Where sound may be sent to: a device by role, or a session's far end. */
const targetSchema = v.variant('kind', [
  v.object({ kind: v.literal('device'), device: name }),
  v.object({ kind: v.literal('session'), session: name }),
]);
export type AudioTarget = v.InferOutput<typeof targetSchema>;

/** How much louder than received, dB. */
export const levelSchema = v.pipe(v.number(), v.minValue(-30), v.maxValue(20));

const digitWaySchema = v.picklist(['event', 'sound']);
const healthSchema = v.object({ ok: v.boolean(), reason: v.optional(v.string()) });
/** `standIn`: the role whose device helps out while its own is gone. */
const deviceHealthSchema = v.object({ ...healthSchema.entries, standIn: v.optional(name) });

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
  /** Of those: not protected with the key agreed on, or sent again by somebody. */
  packetsUnauthentic: v.number(),
  /** Interarrival jitter, ms (RFC 3550 A.8). */
  jitterMs: v.number(),
  jitterBufferMs: v.number(),
  /** Round trip by RTCP, ms, once known. */
  roundTripMs: v.nullable(v.number()),
  /** How good we sound to the far end, as it says itself (RFC 3611). */
  farOpinionScore: v.optional(v.nullable(v.number())),
  /** What is done to the microphone it is joined with; `null` = nothing. */
  voice: v.optional(
    v.nullable(
      v.object({
        echo: v.picklist(['off', 'cancelling', 'halfDuplex']),
        /** How much fainter the far end's voice leaves than it came in (ERLE), dB; `null` before it was heard. */
        echoReductionDb: v.nullable(v.number()),
        echoDelayMs: v.nullable(v.number()),
        gainDb: v.number(),
      }),
    ),
  ),
  concealedMs: v.number(),
  /** Times that nothing was there to be played in time, in the middle of sound. */
  underruns: v.number(),
  /** How good the far end sounds: mean opinion score by the E-model (G.107), 1 to 4.5; `null` before it was heard. */
  opinionScore: v.nullable(v.number()),
  /** Levels of the last second, dBFS. */
  levelIn: v.number(),
  levelOut: v.number(),
  digitsReceived: v.number(),
});
export type SessionStatistics = v.InferOutput<typeof sessionStatisticsSchema>;

/** How well one side hears the other (RFC 3611); shares 0 to 1, times ms, `null` = not known. */
const voiceMetricsSchema = v.object({
  lossRate: v.number(),
  discardRate: v.number(),
  burstDensity: v.number(),
  gapDensity: v.number(),
  burstMs: v.number(),
  gapMs: v.number(),
  roundTripMs: v.nullable(v.number()),
  endSystemMs: v.number(),
  rating: v.nullable(v.number()),
  listeningScore: v.nullable(v.number()),
  conversationScore: v.nullable(v.number()),
  jitterBufferMs: v.number(),
  jitterBufferMaximumMs: v.number(),
  jitterBufferLimitMs: v.number(),
});

const legQualitySchema = v.object({
  localSsrc: v.number(),
  remoteSsrc: v.number(),
  remote: v.object({ address: name, port }),
  codec: v.string(),
  sampleRate: v.number(),
  ptime: v.number(),
  jitterMs: v.number(),
  local: voiceMetricsSchema,
  /** As the far end told. */
  far: v.nullable(voiceMetricsSchema),
});
/** How well a session went, for a report at its end. */
export type LegQuality = v.InferOutput<typeof legQualitySchema>;

const soundDeviceSchema = v.object({
  /** What to write into a setting to mean this device over boots and sockets. */
  wish: v.string(),
  name: v.string(),
  /** 0 = none; `null` = not known. */
  inputChannels: v.nullable(v.number()),
  outputChannels: v.nullable(v.number()),
  /** Its own, samples a second. */
  sampleRate: v.nullable(v.number()),
  rates: v.array(v.number()),
  /** Roles that use it now. */
  usedBy: v.array(v.string()),
});
export type SoundDeviceListing = v.InferOutput<typeof soundDeviceSchema>;

const soundTestSchema = v.object({
  /** What was tested: the device in the role as it is now. */
  device: v.string(),
  sampleRate: v.number(),
  /** The microphone before the tone, while it sounded, and at its loudest after it, dBFS; `null` = the device has none. */
  quiet: v.nullable(v.number()),
  duringTone: v.nullable(v.number()),
  loudest: v.nullable(v.number()),
});
export type SoundTest = v.InferOutput<typeof soundTestSchema>;

/** Commands to look at sound devices: phone passes them on as they are. */
export const soundCommands = {
  /** All devices of this machine. */
  soundDevices: { args: nothing, result: v.object({ devices: v.array(soundDeviceSchema) }) },
  /** Gives a tone at the device in a role and listens to its microphone, four seconds in all; refused while there is a call. */
  testSound: { args: v.object({ role: name }), result: soundTestSchema },
};

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
        /** Calls may be in Opus: the library for it is loaded. */
        opus: v.boolean(),
        /** Of this device, for handshakes between media ports (DTLS): certificate and key, PEM. */
        certificate: v.nullable(v.object({ certificate: pem, privateKey: pem })),
        /** Sessions end this long after the controller went away, s. */
        graceSeconds: v.number(),
        /** `rtpSilence` is reported after this long without a packet where one is due, s; 0 = never. */
        silenceSeconds: v.number(),
        /** Class of the packets of sound (RFC 2474); 0 = none. */
        dscp: v.optional(v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(63))),
      }),
      /** `opus`: whether there is any, when it was asked for; `marked`: whether packets can have their class. */
      result: v.object({
        devices: v.record(name, deviceHealthSchema),
        opus: healthSchema,
        marked: v.optional(healthSchema),
        speech: v.optional(healthSchema),
      }),
    },
    /** Binds an even RTP port and the RTCP port above it on `address`; `rtpPort` if it is free, when the far end knows it already. */
    openSession: {
      args: v.object({ session: name, address: name, rtpPort: v.optional(port), ice: v.optional(iceServersSchema) }),
      result: v.object({ rtpPort: port, rtcpPort: port, ice: v.nullable(ownIceSchema) }),
    },
    /** Starts or changes what a session sends and receives. */
    updateSession: { args: v.object({ session: name, parameters: sessionParametersSchema }), result: nothing },
    /** Sends RTCP BYE, frees the ports. Closing an unknown session is no error. */
    closeSession: {
      args: v.object({ session: name }),
      result: v.object({ statistics: v.nullable(sessionStatisticsSchema), quality: v.optional(v.nullable(legQualitySchema)) }),
    },
    /** Joins a session's sound with a device (both ways); `null` = with nothing. Several sessions on one device are mixed. */
    connectSession: { args: v.object({ session: name, device: v.nullable(name) }), result: nothing },
    /** How much louder than received a session's far end is heard. */
    setLevel: { args: v.object({ session: name, decibels: levelSchema }), result: nothing },
    /** One tone per target; another replaces it. */
    startTone: { args: v.object({ target: targetSchema, tone: toneNameSchema }), result: nothing },
    stopTone: { args: v.object({ target: targetSchema }), result: nothing },
    /** How much may be recorded; sent at each connect. */
    configureRecordings: {
      args: v.object({
        maximumMinutes: v.number(),
        maximumMegabytes: v.number(),
        keepFreeMegabytes: v.number(),
        whenFull: v.picklist(['deleteOldest', 'refuse']),
      }),
      result: nothing,
    },
    /** Records both sides of a session, in a file named after the time and the label; one that is recorded already goes on. */
    startRecording: {
      args: v.object({
        session: name,
        label: v.pipe(v.string(), v.regex(/^[A-Za-z0-9_-]{1,32}$/)),
        beep: v.picklist(['off', 'start', 'repeated']),
      }),
      result: v.object({ name: recordingNameSchema }),
    },
    /** Also done when the session is closed. One that is not recorded is no error. */
    stopRecording: { args: v.object({ session: name }), result: nothing },
    ...recordingCommands,
    /** The groups whose announcements are waited for, by name; sent at each connect. Only senders in these networks are heard. */
    configurePaging: {
      args: v.object({
        groups: v.record(name, v.object({ address: name, port, opusPayloadType: payloadType })),
        interface: v.pipe(v.string(), v.maxLength(64)),
        networks: v.array(name),
        silenceMs: v.number(),
      }),
      result: v.object({ groups: v.record(name, healthSchema) }),
    },
    /** Lets a device give the announcement that comes to a group; `null` = none. */
    hearPage: { args: v.object({ group: name, device: v.nullable(name) }), result: nothing },
    /** Opens a session that sends to a group; it is joined, played to and closed as any. */
    openPage: {
      args: v.object({
        session: name,
        group: name,
        address: name,
        port,
        interface: v.pipe(v.string(), v.maxLength(64)),
        ttl: v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(255)),
        codec: codecSchema,
      }),
      result: nothing,
    },
    /** Plays a WAV file, `repeat` times (0 = until stopped) with `gapMs` between; ends with `playbackEnded`. */
    startPlayback: {
      args: v.object({ playback: name, target: targetSchema, file: path, repeat: v.number(), gapMs: v.number() }),
      result: nothing,
    },
    /** Whether a WAV file can be played, and how long it is; refused with the reason when not. */
    examineSound: { args: v.object({ file: path }), result: v.object({ seconds: v.number() }) },
    stopPlayback: { args: v.object({ playback: name }), result: nothing },
    /** One digit: as an RFC 4733 event, or as a tone in place of the sound. */
    sendDigit: {
      args: v.object({ session: name, digit: digitSchema, durationMs: v.number(), way: v.optional(digitWaySchema, 'event') }),
      result: nothing,
    },
    /** Lets the person at a device hear the key they pressed. */
    playKey: { args: v.object({ device: name, digit: digitSchema, durationMs: v.number() }), result: nothing },
    ...soundCommands,
    setMuted: { args: v.object({ device: name, muted: v.boolean() }), result: nothing },
    /** Playback volume, 0–100; 0 is silent, 80 is unity. */
    setVolume: { args: v.object({ device: name, volume: v.pipe(v.number(), v.minValue(0), v.maxValue(100)) }), result: nothing },
    /** The sessions that run, so that a restarted phone can adopt or close them. */
    sessions: { args: nothing, result: v.object({ sessions: v.array(v.object({ session: name, rtpPort: port })) }) },
    describe: { args: nothing, result: v.looseObject({}) },
  },
  events: {
    /** A digit came in, as an RFC 4733 event or heard in the sound: once per press and way. */
    digit: v.object({ session: name, digit: digitSchema, durationMs: v.number(), way: digitWaySchema }),
    statistics: v.object({ sessions: v.array(sessionStatisticsSchema) }),
    /** Nothing came in for `silenceSeconds` although the direction says that it should. */
    rtpSilence: v.object({ session: name, seconds: v.number() }),
    /** The handshake of a session has agreed on keys; until then nothing was sent or heard. */
    secured: v.object({ session: name, suite: v.picklist(srtpSuiteNames) }),
    /** The search has found a way: kinds of candidates, ours and theirs. */
    connected: v.object({ session: name, local: iceText, remote: iceText }),
    /** It has found none, or the way is gone; or a server does not help, and the search goes on (`final` is false). */
    notConnected: v.object({ session: name, reason: v.pipe(v.string(), v.maxLength(512)), final: v.boolean() }),
    /** It failed: the session stays silent. */
    securityFailed: v.object({ session: name, reason: v.pipe(v.string(), v.maxLength(512)) }),
    playbackEnded: v.object({ playback: name, completed: v.boolean() }),
    /** `failed`: the disk; `full`: no more may be kept. */
    recordingEnded: v.object({
      session: name,
      name: recordingNameSchema,
      reason: v.picklist(['stopped', 'tooLong', 'full', 'failed']),
      detail: v.optional(v.pipe(v.string(), v.maxLength(512))),
    }),
    /** Somebody speaks to a group. */
    pageBegan: v.object({ group: name, source: name }),
    /** They have fallen silent. */
    pageEnded: v.object({ group: name }),
    /** Packets to a group that were not heard, in all: of senders elsewhere, and of those who came second. */
    pageRefused: v.object({ group: name, packets: v.number() }),
    deviceChanged: v.object({ device: name, ...deviceHealthSchema.entries }),
  },
});
