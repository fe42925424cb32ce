import * as v from 'valibot';

/**
 * phone → the phone that is started when it has died: the calls that go on, in a file of the runtime directory. Times are those of the
 * monotonic clock of whoever wrote it.
 */

const text = v.pipe(v.string(), v.maxLength(1024));
const name = v.pipe(v.string(), v.minLength(1), v.maxLength(64));
const sequence = v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(2 ** 31 - 1));
const port = v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(65_535));
const time = v.number();

const sessionSchema = v.object({
  session: name,
  account: v.nullable(name),
  dialog: v.object({
    callId: text,
    local: text,
    remote: text,
    routeSet: v.pipe(v.array(text), v.maxLength(64), v.readonly()),
    remoteTarget: text,
    localSequence: sequence,
    remoteSequence: v.nullable(v.pipe(v.number(), v.integer(), v.minValue(0))),
  }),
  ownsCallId: v.boolean(),
  inviteSequence: v.pipe(v.number(), v.integer(), v.minValue(0)),
  timer: v.nullable(v.object({ grant: v.object({ seconds: v.number(), weRefresh: v.boolean() }), since: time })),
  theyTakeUpdate: v.boolean(),
  described: v.nullable(v.object({ contentType: text, text: v.pipe(v.string(), v.maxLength(65_536)) })),
});

const callSchema = v.object({
  call: name,
  owner: v.variant('kind', [
    v.object({ kind: v.literal('handset') }),
    v.object({ kind: v.literal('door'), name }),
    v.object({ kind: v.literal('alert'), name }),
  ]),
  line: v.nullable(name),
  direction: v.picklist(['outgoing', 'incoming']),
  remote: v.object({ displayName: text, uri: text }),
  dialString: text,
  /** Our address for sound, and the ports that media has for the call. */
  localAddress: name,
  rtpPort: port,
  rtcpPort: port,
  createdAt: time,
  acceptedAt: time,
  onHold: v.boolean(),
  /** Offers and answers so far, as only the same firmware reads them; keys of SRTP, where there are some, stand here and nowhere else. */
  offers: v.looseObject({}),
  session: sessionSchema,
});
/** One accepted call. */
export type CallRecord = v.InferOutput<typeof callSchema>;

const handsetSchema = v.object({
  grip: v.picklist(['none', 'lifted', 'handsFree']),
  /** Where they listen and speak. */
  ear: v.optional(v.picklist(['handset', 'speaker', 'headset'])),
  /** The call that the person talks in, and those put aside for others. */
  focus: v.nullable(name),
  putAside: v.pipe(v.array(name), v.maxLength(16), v.readonly()),
  /** Calls that talk with each other. */
  conference: v.pipe(v.array(name), v.maxLength(16), v.readonly()),
});
/** How the person at the phone takes part. */
export type HandsetRecord = v.InferOutput<typeof handsetSchema>;

export const journalSchema = v.object({
  /** By which user of our Contact the registrar of each line knows us. */
  contactUsers: v.pipe(v.record(name, name), v.readonly()),
  handset: handsetSchema,
  calls: v.pipe(v.array(callSchema), v.maxLength(64), v.readonly()),
});
export type Journal = v.InferOutput<typeof journalSchema>;

/** A journal as it lies in the file. */
export const journalFileSchema = v.object({
  /** Only the same firmware takes up what it has written. */
  version: name,
  /** Of the boot; empty where the machine does not tell. */
  boot: v.pipe(v.string(), v.maxLength(64)),
  /** The machine's monotonic clock when the writer's own showed 0, ms. */
  clockZero: time,
  /** On the machine's monotonic clock: its writer still lived then. */
  aliveAt: time,
  journal: journalSchema,
});
export type JournalFile = v.InferOutput<typeof journalFileSchema>;
