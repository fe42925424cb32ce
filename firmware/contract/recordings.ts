import * as v from 'valibot';

/** Recordings as media keeps them: of the boundaries phone → media and others → phone. */

const nothing = v.object({});

/** Of a recording: a plain file name, nothing that leads out of the directory. */
export const recordingNameSchema = v.pipe(v.string(), v.maxLength(120), v.regex(/^[A-Za-z0-9][A-Za-z0-9_-]*\.wav$/));

const recordingSchema = v.object({
  name: recordingNameSchema,
  bytes: v.number(),
  seconds: v.number(),
  /** When it was written to last, wall-clock ms. */
  at: v.number(),
  /** Of which it is made; `null` once it is finished. */
  session: v.nullable(v.string()),
});
export type Recording = v.InferOutput<typeof recordingSchema>;

/** Commands to look at recordings: phone passes them on as they are. */
export const recordingCommands = {
  /** Oldest first; those under way at the end. */
  recordings: { args: nothing, result: v.object({ recordings: v.array(recordingSchema) }) },
  /** Some bytes of a finished one from `offset` on, base64; none at its end. */
  readRecording: {
    args: v.object({ name: recordingNameSchema, offset: v.pipe(v.number(), v.integer(), v.minValue(0)) }),
    result: v.object({ bytes: v.string(), total: v.number() }),
  },
  deleteRecording: { args: v.object({ name: recordingNameSchema }), result: nothing },
};
