import * as v from 'valibot';
import { defineContract } from './contract.ts';

/** phone → hal: keys, hook switch, LEDs, relays and inputs by the names of the board profile. hal keeps no configuration of its own. */

/** Names of elements: short, lower case, as in the board profile. */
const elementNameSchema = v.pipe(v.string(), v.regex(/^[a-z][a-z0-9-]{0,31}$/, 'a name is a–z, 0–9 and -, at most 32 characters'));

/** One GPIO line as the board profile names it. */
const gpioLineSchema = v.object({
  driver: v.literal('gpio'),
  /** BCM number; the driver finds the kernel's own number. */
  pin: v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(511)),
  activeLow: v.optional(v.boolean(), false),
  /** Lines that bounce: a level counts once it has held this long, ms. */
  debounceMs: v.optional(v.pipe(v.number(), v.minValue(0), v.maxValue(1000)), 10),
});

/** A line moved by the page, the CLI or a test. */
const virtualLineSchema = v.object({
  driver: v.literal('virtual'),
  debounceMs: v.optional(v.pipe(v.number(), v.minValue(0), v.maxValue(1000)), 0),
});

export const lineSchema = v.variant('driver', [gpioLineSchema, virtualLineSchema]);

/** `0`–`9`, `*`, `#`, and named keys such as `redial`, `hold`, `mute`. */
const keySchema = v.pipe(v.string(), v.regex(/^(?:[0-9*#A-D]|[a-z][a-z-]{1,15})$/, 'not a key'));

const keypadSchema = v.variant('driver', [
  /** Any key may be pressed by the `actuate` command. */
  v.object({ driver: v.literal('virtual') }),
  /** One line per key. */
  v.object({ driver: v.literal('buttons'), keys: v.record(keySchema, lineSchema) }),
  /** A USB keypad or handset by identity `vendor:product[:serial]`, hexadecimal; its hook switch counts where `hook` is null. */
  v.object({ driver: v.literal('hid'), identity: v.pipe(v.string(), v.maxLength(128)) }),
]);

export const boardProfileSchema = v.object({
  name: v.pipe(v.string(), v.minLength(1), v.maxLength(64)),
  /** Active while the handset is lifted. */
  hook: v.nullable(lineSchema),
  /** An interruption of the loop of at most this long is a flash, not a hang-up; 0 = no flash. */
  flashMs: v.optional(v.pipe(v.number(), v.minValue(0), v.maxValue(2000)), 0),
  keypad: v.nullable(keypadSchema),
  leds: v.record(elementNameSchema, lineSchema),
  relays: v.record(
    elementNameSchema,
    v.object({
      line: lineSchema,
      /** hal never closes the relay for longer, ms. */ maximumMs: v.pipe(v.number(), v.minValue(50), v.maxValue(60_000)),
    }),
  ),
  inputs: v.record(elementNameSchema, lineSchema),
});

export type BoardProfile = v.InferOutput<typeof boardProfileSchema>;
export type LineProfile = v.InferOutput<typeof lineSchema>;
export type KeypadProfile = v.InferOutput<typeof keypadSchema>;

export const hookPositionSchema = v.picklist(['onHook', 'offHook']);
export const ledPatternSchema = v.picklist(['off', 'on', 'blink', 'fastBlink', 'doubleFlash']);
export type HookPosition = v.InferOutput<typeof hookPositionSchema>;
export type LedPattern = v.InferOutput<typeof ledPatternSchema>;

/** What happened on the (virtual) hardware, for `actuate`. */
export const actuationSchema = v.variant('element', [
  v.object({ element: v.literal('hook'), position: v.union([hookPositionSchema, v.literal('flash')]) }),
  v.object({ element: v.literal('key'), key: keySchema, pressed: v.boolean() }),
  v.object({ element: v.literal('input'), name: elementNameSchema, active: v.boolean() }),
]);
export type Actuation = v.InferOutput<typeof actuationSchema>;

export const boardStateSchema = v.object({
  profile: v.nullable(v.string()),
  hook: v.nullable(hookPositionSchema),
  leds: v.record(v.string(), ledPatternSchema),
  relays: v.record(v.string(), v.boolean()),
  inputs: v.record(v.string(), v.boolean()),
  keysDown: v.array(v.string()),
  /** Elements that could not be opened, in plain words. */
  faults: v.array(v.object({ element: v.string(), reason: v.string() })),
});
export type BoardState = v.InferOutput<typeof boardStateSchema>;

const nothing = v.object({});

export const halContract = defineContract({
  name: 'hal',
  version: 1,
  /**
   * Whoever configured last is the controller: outputs obey it alone (`not-controller` for others) and go to their safe state when its socket
   * closes. Everybody connected hears the events and may `actuate` and `describe`.
   */
  commands: {
    /** Opens the board anew. Outputs start in their safe state. Elements that fail are faults of the result, not an error of the command. */
    configure: { args: v.object({ profile: boardProfileSchema }), result: boardStateSchema },
    setLed: { args: v.object({ led: elementNameSchema, pattern: ledPatternSchema }), result: nothing },
    /** Closes a relay for `durationMs` (cut to the profile's maximum, which hal enforces whatever becomes of phone). */
    pulseRelay: {
      args: v.object({ relay: elementNameSchema, durationMs: v.pipe(v.number(), v.minValue(1), v.maxValue(60_000)) }),
      result: v.object({ durationMs: v.number() }),
    },
    releaseRelay: { args: v.object({ relay: elementNameSchema }), result: nothing },
    /** Moves an element of the virtual board; refused for elements with a real driver. */
    actuate: { args: actuationSchema, result: nothing },
    describe: { args: nothing, result: v.looseObject({}) },
  },
  /** `at` is when the edge came, in monotonic ms of hal's process: good for differences only. */
  events: {
    hook: v.object({ position: v.union([hookPositionSchema, v.literal('flash')]), at: v.number() }),
    key: v.object({ key: keySchema, pressed: v.boolean(), at: v.number() }),
    input: v.object({ name: elementNameSchema, active: v.boolean(), at: v.number() }),
    /** Any change worth showing; the page's lamps live on it. */
    board: boardStateSchema,
  },
});
