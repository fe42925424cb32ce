import * as v from 'valibot';
import { defineContract } from './contract.ts';

/** cli, web → exchange: the small registrar and proxy of a house without a PBX. */

const nothing = v.object({});
const userName = v.pipe(v.string(), v.regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,31}$/, 'a user is letters, digits, . _ -, at most 32'));
const uriText = v.pipe(v.string(), v.minLength(1), v.maxLength(512));

export const exchangeStatusSchema = v.object({
  realm: v.string(),
  listening: v.array(v.object({ transport: v.string(), address: v.string(), port: v.number() })),
  users: v.array(
    v.object({
      user: v.string(),
      forward: v.nullable(v.string()),
      bindings: v.array(v.object({ contact: v.string(), expiresInSeconds: v.number(), userAgent: v.string() })),
    }),
  ),
  /** Running proxied INVITE transactions and calls to the exchange's own extensions. */
  transactions: v.number(),
  /** The last calls to own extensions (600, 601), newest first, at most 16. */
  extensionCalls: v.array(
    v.object({
      extension: v.string(),
      from: v.string(),
      state: v.picklist(['active', 'ended']),
      seconds: v.number(),
      /** Digits heard, in order, by whichever way they came. */
      digits: v.string(),
      digitsBy: v.string(),
      packetsReceived: v.number(),
      packetsSent: v.number(),
      packetsLost: v.number(),
    }),
  ),
  counters: v.record(v.string(), v.number()),
});
export type ExchangeStatus = v.InferOutput<typeof exchangeStatusSchema>;

export const exchangeContract = defineContract({
  name: 'exchange',
  version: 1,
  commands: {
    status: { args: nothing, result: exchangeStatusSchema },
    /** Adds a user or changes the password. Only the digest HA1 values are stored. */
    setUser: { args: v.object({ user: userName, password: v.pipe(v.string(), v.minLength(8), v.maxLength(128)) }), result: nothing },
    removeUser: { args: v.object({ user: userName }), result: nothing },
    /** Calls to the user are answered 302 with this target; `null` ends it. */
    setForward: { args: v.object({ user: userName, target: v.nullable(uriText) }), result: nothing },
    listSettings: {
      args: v.object({ reveal: v.optional(v.boolean(), false) }),
      result: v.object({ settings: v.array(v.object({ key: v.string(), value: v.string(), isDefault: v.boolean() })) }),
    },
    changeSettings: {
      args: v.object({ set: v.record(v.string(), v.string()) }),
      result: v.object({ changed: v.array(v.string()), restartNeeded: v.array(v.string()) }),
    },
    describe: { args: nothing, result: v.looseObject({}) },
  },
  events: {
    status: exchangeStatusSchema,
  },
});
