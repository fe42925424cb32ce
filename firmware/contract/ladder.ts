import * as v from 'valibot';

/** The SIP messages of one Call-ID, the oldest first, without anything secret: what a ladder diagram shows. */
export const ladderSchema = v.object({
  callId: v.string(),
  /** Of the first request: `INVITE` for a call. */
  method: v.string(),
  /** User and host that request was for; empty when it came before the phone began. */
  target: v.string(),
  /** Messages at the beginning that are kept no more. */
  leftOut: v.number(),
  messages: v.array(
    v.object({
      /** Milliseconds since 1970. */
      at: v.number(),
      direction: v.picklist(['sent', 'received']),
      /** `udp:192.0.2.1:5060`. */
      peer: v.string(),
      /** The method, or status code and reason phrase. */
      start: v.string(),
      isResponse: v.boolean(),
      /** `1 INVITE`. */
      cSeq: v.string(),
      /** Of the body. */
      octets: v.number(),
    }),
  ),
});
export type Ladder = v.InferOutput<typeof ladderSchema>;
