import * as v from 'valibot';
import { defineContract } from './contract.ts';
import { actuationSchema, boardProfileSchema, boardStateSchema, learnArgumentsSchema, lessonSchema } from './hal.ts';
import { ladderSchema } from './ladder.ts';
import { digitSchema, levelSchema, sessionStatisticsSchema, soundCommands } from './media.ts';
import { recordingCommands } from './recordings.ts';

/** web, cli, bridge → phone: everything a person or a program may see of the device or ask of it. */

const nothing = v.object({});
const word = v.pipe(v.string(), v.minLength(1), v.maxLength(64));
/** What a person typed: a number, a name of the phone book or a URI. */
const dialStringSchema = v.pipe(v.string(), v.trim(), v.minLength(1), v.maxLength(512));
/** Wall-clock milliseconds since the epoch, for people; never for timers. */
const wallTime = v.number();

const registrationStateSchema = v.picklist(['none', 'registering', 'registered', 'failed', 'rejected', 'unregistered']);

const lineStatusSchema = v.object({
  line: word,
  aor: v.string(),
  registration: v.object({
    state: registrationStateSchema,
    /** Of the last final answer, with its phrase; `null` before any. */
    statusCode: v.nullable(v.number()),
    reason: v.nullable(v.string()),
    /** Until the next refresh or try, ms. */
    nextInMs: v.nullable(v.number()),
    /** From the REGISTER sent to its 200, ms. */
    elapsedMs: v.nullable(v.number()),
  }),
  doNotDisturb: v.boolean(),
  forward: v.nullable(v.string()),
  messageWaiting: v.object({ waiting: v.boolean(), newMessages: v.number(), oldMessages: v.number() }),
});

export const callStateSchema = v.picklist([
  'dialing',
  'calling',
  'ringback',
  'ringing',
  'waiting',
  'accepting',
  'active',
  'held',
  'ending',
  'ended',
]);
export type CallState = v.InferOutput<typeof callStateSchema>;

const textSchema = v.object({
  id: word,
  at: wallTime,
  direction: v.picklist(['outgoing', 'incoming']),
  line: v.nullable(word),
  remote: v.object({ displayName: v.string(), uri: v.string() }),
  text: v.string(),
  /** Of the answer to one that went out; `null` until it has come, and for those that came in. */
  statusCode: v.nullable(v.number()),
});
export type TextEntry = v.InferOutput<typeof textSchema>;

const callStatusSchema = v.object({
  call: word,
  line: v.nullable(word),
  direction: v.picklist(['outgoing', 'incoming']),
  /** Whose call it is: a person's at the handset, a door's or an alert's. */
  owner: v.picklist(['handset', 'door', 'alert']),
  state: callStateSchema,
  remote: v.object({ displayName: v.string(), uri: v.string() }),
  /** What else is known of a call that came in: urgent, by whom it was forwarded or sent, its subject. */
  remarks: v.array(v.string()),
  /** Seconds since it was accepted; `null` before. */
  seconds: v.nullable(v.number()),
  heldByRemote: v.boolean(),
  /** It is one of several that talk with each other. */
  conference: v.boolean(),
  /** How much louder than received its far end is heard, dB. */
  level: v.number(),
  /** It is recorded. */
  recording: v.boolean(),
  /** How the sound is encrypted: the suite of SRTP, or `DTLS` where the media ports agree on it; `null` = not, or not yet known. */
  encryption: v.nullable(v.string()),
  /** By which kinds of ICE candidates sound travels, ours and theirs, such as `host–relay`; `null` = straight, or not yet known. */
  way: v.nullable(v.string()),
  /** Whether its far end has been asked to call somebody else; `null` when not. */
  transfer: v.nullable(v.picklist(['underWay', 'failed'])),
  /** Digits we sent and digits that came in, the last 64 of each. */
  digitsSent: v.string(),
  digitsReceived: v.string(),
  /** How digits go to the far end, and what is known of how it takes them. */
  digitWay: v.object({ way: v.picklist(['info', 'rfc4733', 'sound']), evidence: v.array(v.string()) }),
  /** From INVITE sent to 200 received (or received to sent), ms. */
  acceptedInMs: v.nullable(v.number()),
  media: v.nullable(sessionStatisticsSchema),
});
export type CallStatus = v.InferOutput<typeof callStatusSchema>;

const alertStatusSchema = v.object({
  alert: word,
  /** `queued`: it waits for another alert's call, or for its line to be registered. */
  state: v.picklist(['idle', 'queued', 'calling', 'pausing', 'acknowledged', 'exhausted']),
  startedAt: v.nullable(wallTime),
  round: v.number(),
  person: v.nullable(v.string()),
  acknowledgedBy: v.nullable(v.string()),
});

/** A line or person of others that we watch (RFC 4235, 3856). */
const watchedSchema = v.object({
  line: word,
  /** As the settings name it. */
  name: v.string(),
  kind: v.picklist(['calls', 'presence']),
  state: v.picklist(['unknown', 'idle', 'ringing', 'busy', 'open', 'away']),
  /** With whom. */
  remote: v.nullable(v.string()),
  /** Why nothing is known. */
  reason: v.nullable(v.string()),
});

const earSchema = v.picklist(['handset', 'speaker', 'headset']);

export const phoneStatusSchema = v.object({
  version: v.string(),
  startedAt: wallTime,
  hook: v.nullable(v.picklist(['onHook', 'offHook'])),
  /** What the display shows: two or more short lines, ready for people. */
  display: v.array(v.string()),
  /** Digits collected so far while dialling. */
  dialed: v.string(),
  lines: v.array(lineStatusSchema),
  calls: v.array(callStatusSchema),
  alerts: v.array(alertStatusSchema),
  board: v.nullable(boardStateSchema),
  /** Leaves that answer and those that do not. */
  daemons: v.object({ hal: v.boolean(), media: v.boolean() }),
  sound: v.object({
    /** Where the person listens and speaks, or would. */
    ear: earSchema,
    /** All where they could. */
    roles: v.array(earSchema),
    /** `standIn`: the role whose device helps out while its own is gone; `volume` 0 to 100. */
    devices: v.array(
      v.object({ role: word, ok: v.boolean(), reason: v.nullable(v.string()), standIn: v.nullable(v.string()), volume: v.number() }),
    ),
  }),
  /** The tone or bell that sounds now. */
  tone: v.nullable(v.string()),
  missedCalls: v.number(),
  /** Text messages that nobody has looked at yet. */
  unreadTexts: v.number(),
  /** Addresses of those who write a text message to us now (RFC 3994). */
  writing: v.array(v.string()),
  watched: v.array(watchedSchema),
  /** Somebody who was busy, and whether the person has asked to be called back (RFC 6910). */
  completion: v.nullable(v.object({ remote: v.string(), state: v.picklist(['offered', 'waiting', 'ready']) })),
  /** Groups of telephones that announcements are for. */
  pages: v.array(
    v.object({
      group: word,
      priority: v.number(),
      /** `ignored`: somebody speaks to it, and it is not to be heard now. */
      state: v.picklist(['idle', 'heard', 'ignored', 'sending']),
      source: v.nullable(v.string()),
      /** Packets that were not heard: of senders elsewhere, and of those who came second. */
      refused: v.number(),
    }),
  ),
  /** What people should know of the device and mend, in plain words. */
  notices: v.array(v.string()),
  counters: v.record(v.string(), v.number()),
});
export type PhoneStatus = v.InferOutput<typeof phoneStatusSchema>;

export const callLogEntrySchema = v.object({
  id: v.number(),
  at: wallTime,
  direction: v.picklist(['outgoing', 'incoming']),
  owner: v.picklist(['handset', 'door', 'alert']),
  line: v.nullable(v.string()),
  remote: v.string(),
  displayName: v.string(),
  /** `accepted`, `acceptedElsewhere` (on another phone), `missed`, `declined`, `busy`, `noAnswer`, `cancelled`, `failed`, `forwarded`. */
  outcome: v.picklist(['accepted', 'acceptedElsewhere', 'missed', 'declined', 'busy', 'noAnswer', 'cancelled', 'failed', 'forwarded']),
  statusCode: v.nullable(v.number()),
  seconds: v.number(),
});
export type CallLogEntry = v.InferOutput<typeof callLogEntrySchema>;

export const doorLogEntrySchema = v.object({
  id: v.number(),
  at: wallTime,
  door: v.string(),
  event: v.picklist(['rung', 'released', 'refused']),
  /** Who it was: the far end's URI, or what pressed. */
  by: v.string(),
  /** How the code came: `info`, `rfc4733`; empty for others. */
  via: v.string(),
  detail: v.string(),
});
export type DoorLogEntry = v.InferOutput<typeof doorLogEntrySchema>;

/** Anything worth showing, with its time: ladder, metrics, MQTT and replay will read the same stream. */
export const factSchema = v.object({
  sequence: v.number(),
  at: wallTime,
  /** Such as `call.state`, `sip.message`, `hook`, `relay`, `alert.state`. */
  kind: v.string(),
  fields: v.record(v.string(), v.union([v.string(), v.number(), v.boolean(), v.null()])),
});
export type Fact = v.InferOutput<typeof factSchema>;

const settingSchema = v.object({
  key: v.string(),
  /** Text form; `••••••` for a secret that is set and was not asked for. */
  value: v.string(),
  isDefault: v.boolean(),
  title: v.string(),
  unit: v.string(),
  secret: v.boolean(),
  restart: v.boolean(),
});

export const phoneContract = defineContract({
  name: 'phone',
  version: 1,
  commands: {
    status: { args: nothing, result: phoneStatusSchema },
    /** Calls as if the handset were lifted and the number dialled (hands-free when there is no hook). */
    call: {
      args: v.object({
        target: dialStringSchema,
        line: v.optional(word),
        /** The far end is asked to accept the call without a hand. */
        intercom: v.optional(v.boolean()),
        /** The far end does not learn who calls. */
        hideNumber: v.optional(v.boolean()),
      }),
      result: v.object({ call: word }),
    },
    accept: { args: v.object({ call: v.optional(word) }), result: nothing },
    hangup: { args: v.object({ call: v.optional(word) }), result: nothing },
    /** A digit key of the keypad: dials or, in a call, goes to the far end. */
    digit: { args: v.object({ digit: digitSchema }), result: nothing },
    hold: { args: v.object({ call: v.optional(word) }), result: nothing },
    /** Takes a held call back, holding the active one; also changes between two calls. */
    resume: { args: v.object({ call: v.optional(word) }), result: nothing },
    /** Sends the far end of a call on to `target`; without one the far ends of the two accepted calls are connected with each other. */
    transfer: { args: v.object({ call: v.optional(word), target: v.optional(dialStringSchema) }), result: nothing },
    /** Brings all accepted calls of the person together, or that one to those that talk with each other already. */
    conference: { args: v.object({ call: v.optional(word) }), result: nothing },
    /** How much louder than received the far end of a call is heard, dB; in a conference by all. */
    setLevel: { args: v.object({ call: v.optional(word), decibels: levelSchema }), result: nothing },
    /** Plays a WAV file of the directory of sounds to the far end, `repeat` times (0 = until stopped); one that cannot be played is refused. */
    play: {
      args: v.object({
        call: v.optional(word),
        file: word,
        repeat: v.optional(v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(100)), 1),
      }),
      result: v.object({ seconds: v.number() }),
    },
    stopPlaying: { args: v.object({ call: v.optional(word) }), result: nothing },
    /** Begins or ends the recording of an accepted call. */
    record: { args: v.object({ on: v.boolean(), call: v.optional(word) }), result: nothing },
    ...recordingCommands,
    /** Lets the person speak to a group of telephones until they hang up, or plays it a file of the directory of sounds. */
    page: { args: v.object({ group: word, file: v.optional(word) }), result: nothing },
    stopPage: { args: nothing, result: nothing },
    /** The key of the loudspeaker or headset: takes the sound there, and back; on the hook it begins what lifting does, and ends it. */
    handsFree: { args: v.object({ role: v.picklist(['speaker', 'headset']) }), result: nothing },
    ...soundCommands,
    redial: { args: nothing, result: v.object({ call: word }) },
    setDoNotDisturb: { args: v.object({ on: v.boolean(), line: v.optional(word) }), result: nothing },
    /** Moves the virtual board; refused when the board is real. */
    actuate: { args: actuationSchema, result: nothing },
    /** A lesson at the board, as hal gives it; refused while there are calls. */
    learn: { args: learnArgumentsSchema, result: lessonSchema },
    /** The board profile in use. */
    board: { args: nothing, result: v.object({ profile: boardProfileSchema }) },
    /** Stores a board profile and uses it; `keepOutputs`: with lamps, relays and sound of the present one. */
    keepBoard: {
      args: v.object({ profile: boardProfileSchema, keepOutputs: v.optional(v.boolean(), false) }),
      result: v.object({ path: v.string() }),
    },
    /** Starts an alert. From the network the alert's token is checked by phone; the local CLI passes none. */
    alert: {
      args: v.object({ alert: word, token: v.optional(v.pipe(v.string(), v.maxLength(256))) }),
      result: v.object({ state: v.string() }),
    },
    callLog: {
      args: v.object({ limit: v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(1000)) }),
      result: v.object({ entries: v.array(callLogEntrySchema) }),
    },
    doorLog: {
      args: v.object({ limit: v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(1000)) }),
      result: v.object({ entries: v.array(doorLogEntrySchema) }),
    },
    clearMissed: { args: nothing, result: nothing },
    /** The last SIP messages by Call-ID, the newest first. */
    ladders: { args: nothing, result: v.object({ ladders: v.array(ladderSchema) }) },
    /** Sends a text message; what becomes of it is shown by `texts`. */
    message: {
      args: v.object({ target: dialStringSchema, text: v.pipe(v.string(), v.minLength(1), v.maxLength(1300)), line: v.optional(word) }),
      result: v.object({ message: word }),
    },
    /** The text messages that are kept, oldest first. */
    texts: { args: nothing, result: v.object({ texts: v.array(textSchema) }) },
    /** A person writes a message to `target`, or has stopped to. */
    composing: { args: v.object({ target: dialStringSchema, active: v.boolean(), line: v.optional(word) }), result: nothing },
    /** Takes a call that rings at a watched line; without a name the first that rings. */
    pickUp: { args: v.object({ name: v.optional(dialStringSchema) }), result: v.object({ call: word }) },
    /** Asks to be let into the call of a watched line; without a name the first that is in one. */
    join: { args: v.object({ name: v.optional(dialStringSchema) }), result: v.object({ call: word }) },
    /** Be called back when the one who was busy is free, or no longer. */
    completeCall: { args: v.object({ on: v.boolean() }), result: nothing },
    /** A person has read them: the display forgets them. */
    markTextsRead: { args: nothing, result: nothing },
    listSettings: {
      args: v.object({ prefix: v.optional(v.string(), ''), reveal: v.optional(v.boolean(), false) }),
      result: v.object({ settings: v.array(settingSchema) }),
    },
    /** Sets all or none. */
    changeSettings: {
      args: v.object({ set: v.record(v.string(), v.string()), unset: v.optional(v.array(v.string()), []) }),
      result: v.object({ changed: v.array(v.string()), restartNeeded: v.array(v.string()) }),
    },
    exportSettings: { args: v.object({ reveal: v.optional(v.boolean(), false) }), result: v.object({ document: v.string() }) },
    importSettings: {
      args: v.object({ document: v.pipe(v.string(), v.maxLength(200_000)) }),
      result: v.object({ changed: v.array(v.string()), restartNeeded: v.array(v.string()) }),
    },
    describe: { args: nothing, result: v.looseObject({}) },
  },
  events: {
    /** The whole snapshot, at most ten times a second, when something of it changed. */
    status: phoneStatusSchema,
    fact: factSchema,
  },
});
