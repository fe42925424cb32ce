import * as v from 'valibot';
import { defineContract } from './contract.ts';

/** phone → hal: keys, hook switch, LEDs, relays and inputs by the names of the board profile. hal keeps no configuration of its own. */

/** Names of elements: short, lower case, as in the board profile. */
const elementNameSchema = v.pipe(v.string(), v.regex(/^[a-z][a-z0-9-]{0,31}$/, 'a name is a–z, 0–9 and -, at most 32 characters'));

/** BCM number; the driver finds the kernel's own number. */
const pinSchema = v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(511));
/** A level counts once it has held this long, ms. */
const debounceSchema = v.pipe(v.number(), v.minValue(0), v.maxValue(1000));
/** Resistor of the chip; without it the pin stays as the boot loader left it. sysfs can set none. */
const pullSchema = v.optional(v.picklist(['up', 'down', 'none']));

/** One GPIO line as the board profile names it. */
const gpioLineSchema = v.strictObject({
  driver: v.literal('gpio'),
  pin: pinSchema,
  activeLow: v.optional(v.boolean(), false),
  pull: pullSchema,
  debounceMs: v.optional(debounceSchema, 10),
});

/** A line moved by the page, the CLI or a test. */
const virtualLineSchema = v.strictObject({ driver: v.literal('virtual'), debounceMs: v.optional(debounceSchema, 0) });

const lineSchema = v.variant('driver', [gpioLineSchema, virtualLineSchema]);

/** Lamps of a USB handset (HID usage page 0x08). */
const hidLampSchema = v.strictObject({
  driver: v.literal('hid'),
  lamp: v.picklist(['offHook', 'ring', 'mute', 'hold', 'messageWaiting', 'speaker', 'headset', 'online', 'microphone']),
});
const ledSchema = v.variant('driver', [gpioLineSchema, virtualLineSchema, hidLampSchema]);

/** `0`–`9`, `*`, `#`, and named keys such as `redial`, `hold`, `mute`, `watch1`. */
const keySchema = v.pipe(v.string(), v.regex(/^(?:[0-9*#A-D]|[a-z][a-z0-9-]{1,15})$/, 'not a key'));

/** `vendor:product[:serial]`, hexadecimal; for evdev the last part may be where it is plugged in, as the kernel's `phys` says. */
const identitySchema = v.pipe(
  v.string(),
  v.regex(/^[0-9a-fA-F]{4}:[0-9a-fA-F]{4}(?::.{1,100})?$/, 'an identity is vendor:product[:serial]'),
);
const wiresSchema = v.pipe(v.array(pinSchema), v.minLength(1), v.maxLength(16));

const keypadSchema = v.variant('driver', [
  /** Any key may be pressed by the `actuate` command. */
  v.strictObject({ driver: v.literal('virtual') }),
  /** One line per key. */
  v.strictObject({ driver: v.literal('buttons'), keys: v.record(keySchema, lineSchema) }),
  /** Each key joins a row and a column. Rows are pulled up, columns are drawn low. */
  v.strictObject({
    driver: v.literal('matrix'),
    rows: wiresSchema,
    columns: wiresSchema,
    /** Row by row; empty = no key there. */
    keys: v.array(v.array(v.union([keySchema, v.literal('')]))),
    debounceMs: v.optional(debounceSchema, 10),
  }),
  /** A rotary dial: as many pulses as the digit, ten for 0. */
  v.strictObject({
    driver: v.literal('rotary'),
    /** Opens with each pulse: active while closed. `null` = its contact is in the loop of the hook switch, as in most old phones. */
    pulse: v.nullable(gpioLineSchema),
    /** Active while the dial is off its rest; with it a digit is sure as soon as the dial is back. */
    offNormal: v.optional(v.nullable(gpioLineSchema), null),
    /** Sweden dials 0 with one pulse and 9 with ten; New Zealand counts backwards. */
    numbering: v.optional(v.picklist(['usual', 'swedish', 'newZealand']), 'usual'),
  }),
  /** A USB keypad or handset by its identity; its hook switch counts where `hook` is null. */
  v.strictObject({ driver: v.literal('hid'), identity: identitySchema }),
  /** Anything the kernel knows as a keyboard, which is taken for us alone. */
  v.strictObject({ driver: v.literal('evdev'), identity: identitySchema }),
]);

const gpioChoiceSchema = v.picklist(['auto', 'character-device', 'sysfs']);

export const boardProfileSchema = v.strictObject({
  name: v.pipe(v.string(), v.regex(/^[a-zA-Z0-9][a-zA-Z0-9._-]{0,63}$/, 'a name is letters, digits, ., _ and -, at most 64')),
  /** For people. */
  description: v.optional(v.pipe(v.string(), v.maxLength(500)), ''),
  /** How GPIO lines are reached. */
  gpio: v.optional(gpioChoiceSchema, 'auto'),
  /** What of the header the sound needs: `i2s` takes GPIO 18 to 21. */
  sound: v.optional(v.picklist(['none', 'i2s', 'usb']), 'none'),
  /** Active while the handset is lifted. */
  hook: v.nullable(lineSchema),
  /** An interruption of the loop of at most this long is a flash, not a hang-up; 0 = no flash. */
  flashMs: v.optional(v.pipe(v.number(), v.minValue(0), v.maxValue(2000)), 0),
  keypad: v.nullable(keypadSchema),
  leds: v.record(elementNameSchema, ledSchema),
  relays: v.record(
    elementNameSchema,
    v.strictObject({
      line: lineSchema,
      /** hal never closes the relay for longer, ms. */ maximumMs: v.pipe(v.number(), v.minValue(50), v.maxValue(60_000)),
    }),
  ),
  inputs: v.record(elementNameSchema, lineSchema),
});

export type BoardProfile = v.InferOutput<typeof boardProfileSchema>;
export type LineProfile = v.InferOutput<typeof lineSchema>;
export type GpioLineProfile = v.InferOutput<typeof gpioLineSchema>;
export type LedProfile = v.InferOutput<typeof ledSchema>;
export type HidLamp = v.InferOutput<typeof hidLampSchema>['lamp'];
export type GpioChoice = v.InferOutput<typeof gpioChoiceSchema>;
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
  /** While a virtual board is being learnt: a pin meets another, or ground (`null`). */
  v.object({ element: v.literal('wire'), pin: pinSchema, other: v.nullable(pinSchema), closed: v.boolean() }),
]);
export type Actuation = v.InferOutput<typeof actuationSchema>;

export const boardStateSchema = v.object({
  profile: v.nullable(v.string()),
  hook: v.nullable(hookPositionSchema),
  leds: v.record(v.string(), ledPatternSchema),
  relays: v.record(v.string(), v.boolean()),
  inputs: v.record(v.string(), v.boolean()),
  keysDown: v.array(v.string()),
  /** How GPIO lines are reached, in plain words; `null` = none was opened. */
  gpio: v.nullable(v.string()),
  /** Elements that could not be opened, in plain words. */
  faults: v.array(v.object({ element: v.string(), reason: v.string() })),
});
export type BoardState = v.InferOutput<typeof boardStateSchema>;

/** What is to be learnt, and of which pins. */
const lessonPlanSchema = v.object({
  driver: v.optional(v.picklist(['gpio', 'virtual']), 'gpio'),
  /** Empty = every pin of the header that nobody has. */
  pins: v.optional(v.pipe(v.array(pinSchema), v.maxLength(32)), []),
  hook: v.optional(v.boolean(), true),
  keypad: v.optional(v.picklist(['keys', 'rotary', 'none']), 'keys'),
  keys: v.optional(v.pipe(v.array(keySchema), v.maxLength(48)), [...'123456789*0#']),
  inputs: v.optional(v.pipe(v.array(elementNameSchema), v.maxLength(16)), []),
  lamps: v.optional(v.pipe(v.array(elementNameSchema), v.maxLength(16)), []),
  relays: v.optional(v.pipe(v.array(elementNameSchema), v.maxLength(16)), []),
});
export type LessonPlan = v.InferOutput<typeof lessonPlanSchema>;

const learner = v.number();
export const learnArgumentsSchema = v.variant('action', [
  /** Takes the board from the phone until `stop`, until nobody has looked for 15 s, or for 20 minutes. One at a time (`learning-already`). */
  v.object({ action: v.literal('start'), plan: lessonPlanSchema }),
  /** Whoever started names itself by the number that it got. */
  v.object({ action: v.literal('look'), learner }),
  /** This phone does not have what is asked for. */
  v.object({ action: v.literal('skip'), learner }),
  /** One of `choices`; while lamps and relays are looked for. Refused (`not-a-choice`) otherwise. */
  v.object({ action: v.literal('answer'), learner, answer: elementNameSchema }),
  v.object({ action: v.literal('stop'), learner }),
]);
export type LearnArguments = v.InferOutput<typeof learnArgumentsSchema>;

export const lessonSchema = v.object({
  learner,
  step: v.picklist(['rest', 'lift', 'lay', 'key', 'dial', 'input', 'output', 'done']),
  /** What the person is to do now. */
  ask: v.string(),
  /** What may be answered. */
  choices: v.array(v.string()),
  /** Why what the person did was of no use. */
  trouble: v.nullable(v.string()),
  done: v.number(),
  of: v.number(),
  /** Now, in the time of the edges, ms. */
  now: v.number(),
  /** Wires that were ever seen to conduct. */
  signals: v.array(v.object({ name: v.string(), closed: v.boolean() })),
  /** The last ones, oldest first. */
  edges: v.array(v.object({ signal: v.string(), closed: v.boolean(), at: v.number() })),
  refused: v.array(v.object({ pin: v.number(), reason: v.string() })),
  found: v.array(v.object({ element: v.string(), wires: v.string() })),
  /** At the end. */
  profile: v.nullable(boardProfileSchema),
});
export type LessonState = v.InferOutput<typeof lessonSchema>;

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
    /** The board tells what is wired to it, while a person moves one thing after the other. */
    learn: { args: learnArgumentsSchema, result: lessonSchema },
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
