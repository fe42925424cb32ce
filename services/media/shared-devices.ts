import { accumulate, saturate } from '#firmware/audio/pcm.ts';
import type { AudioDevice as AudioDeviceSpec } from '#firmware/contract/media.ts';
import type { AudioDevice, AudioDeviceStatus, AudioListener, FrameLength } from '#hal/audio/audio-port.ts';

type PortAudioSpec = Extract<AudioDeviceSpec, { driver: 'portaudio' }>;

/**
 * Widens the specifications of roles that share a sound card, so that each card need be opened once: a handset that speaks and listens
 * at a card and a bell that rings at the same one are both that card, both ways. Its rate and pieces are those of the first.
 */
export function sharedSpecs(specs: Readonly<Record<string, AudioDeviceSpec>>): Record<string, AudioDeviceSpec> {
  const cards: PortAudioSpec[] = [];
  for (const spec of Object.values(specs)) {
    if (spec.driver !== 'portaudio') continue;
    const at = cards.findIndex((card) => isSameCard(card, spec));
    const card = cards[at];
    if (card) cards[at] = { ...spec, ...card, input: card.input ?? spec.input, output: card.output ?? spec.output };
    else cards.push(spec);
  }
  const widened = Object.entries(specs).map(([role, spec]): [string, AudioDeviceSpec] => {
    const card = spec.driver === 'portaudio' ? cards.find((one) => isSameCard(one, spec)) : undefined;
    if (!card || spec.driver !== 'portaudio') return [role, spec];
    return [role, { ...card, voice: spec.voice }];
  });
  return Object.fromEntries(widened);
}

/** They name the same card at least one way, and another neither way. */
function isSameCard(a: PortAudioSpec, b: PortAudioSpec): boolean {
  const [input, output] = [fits(a.input, b.input), fits(a.output, b.output)];
  return input !== 'no' && output !== 'no' && (input === 'same' || output === 'same');
}

function fits(a: string | null, b: string | null): 'same' | 'free' | 'no' {
  if (a === null || b === null) return 'free';
  return a === b ? 'same' : 'no';
}

/** Opens each device once, however many roles it has. */
export class SharedDevices {
  readonly #open: (spec: AudioDeviceSpec) => AudioDevice;
  readonly #cards = new Map<string, SharedCard>();

  constructor(open: (spec: AudioDeviceSpec) => AudioDevice) {
    this.#open = open;
  }

  /** A seat at the device of this specification; what is done to the voice is the affair of each role. */
  seat(spec: AudioDeviceSpec): AudioDevice {
    const key = keyOf(spec);
    const card = this.#cards.get(key) ?? new SharedCard(this.#open(spec));
    this.#cards.set(key, card);
    return new Seat(card);
  }

  /** Forgets all devices but these. */
  keep(specs: Iterable<AudioDeviceSpec>): void {
    const keys = new Set([...specs].map(keyOf));
    for (const key of this.#cards.keys()) if (!keys.has(key)) this.#cards.delete(key);
  }
}

function keyOf(spec: AudioDeviceSpec): string {
  return JSON.stringify(spec.driver === 'silence' ? spec : { ...spec, voice: undefined });
}

/** One device and those who sit at it: all hear its microphone, and its loudspeaker has what all of them play. */
class SharedCard {
  readonly device: AudioDevice;
  readonly #seats = new Map<Seat, AudioListener>();
  readonly #waiting = new Map<Seat, Int16Array>();
  #starting: Promise<void> | undefined;
  #sum = new Int32Array(0);
  #mixed = new Int16Array(0);

  constructor(device: AudioDevice) {
    this.device = device;
  }

  async start(seat: Seat, listener: AudioListener): Promise<void> {
    this.#seats.set(seat, listener);
    this.#starting ??= this.device.start({ frame: (captured) => this.#frame(captured), failed: (reason) => this.#failed(reason) });
    const starting = this.#starting;
    try {
      await starting;
    } catch (thrown) {
      this.#seats.delete(seat);
      if (this.#starting === starting) this.#starting = undefined;
      throw thrown;
    }
  }

  async stop(seat: Seat): Promise<void> {
    this.#waiting.delete(seat);
    if (!this.#seats.delete(seat) || this.#seats.size > 0) return;
    this.#starting = undefined;
    await this.device.stop();
  }

  has(seat: Seat): boolean {
    return this.#seats.has(seat);
  }

  /** Each has one frame to give for each that the device takes; who comes twice before all have been waits for nobody. */
  play(seat: Seat, frame: Int16Array): boolean {
    if (this.#seats.size === 1) return this.device.play(frame);
    const played = this.#waiting.has(seat) ? this.#flush() : true;
    this.#waiting.set(seat, frame.slice());
    return this.#waiting.size < this.#seats.size ? played : this.#flush();
  }

  #flush(): boolean {
    const frames = [...this.#waiting.values()];
    this.#waiting.clear();
    const [first] = frames;
    if (!first) return true;
    if (this.#mixed.length !== first.length) {
      this.#mixed = new Int16Array(first.length);
      this.#sum = new Int32Array(first.length);
    }
    this.#sum.fill(0);
    for (const frame of frames) if (frame.length === first.length) accumulate(this.#sum, frame);
    saturate(this.#sum, this.#mixed);
    return this.device.play(this.#mixed);
  }

  #frame(captured: Int16Array): void {
    for (const listener of this.#seats.values()) listener.frame(captured);
  }

  #failed(reason: string): void {
    const listeners = [...this.#seats.values()];
    this.#seats.clear();
    this.#waiting.clear();
    this.#starting = undefined;
    for (const listener of listeners) listener.failed(reason);
  }
}

/** The device as one role sees it. */
class Seat implements AudioDevice {
  readonly #card: SharedCard;

  constructor(card: SharedCard) {
    this.#card = card;
  }

  get identity(): string {
    return this.#card.device.identity;
  }

  get sampleRate(): number {
    return this.#card.device.sampleRate;
  }

  get frameMs(): FrameLength {
    return this.#card.device.frameMs;
  }

  get frameSamples(): number {
    return this.#card.device.frameSamples;
  }

  get queuedFrames(): number {
    return this.#card.device.queuedFrames;
  }

  start(listener: AudioListener): Promise<void> {
    return this.#card.start(this, listener);
  }

  stop(): Promise<void> {
    return this.#card.stop(this);
  }

  play(frame: Int16Array): boolean {
    return this.#card.has(this) && this.#card.play(this, frame);
  }

  describe(): AudioDeviceStatus {
    return { ...this.#card.device.describe(), running: this.#card.has(this) && this.#card.device.describe().running };
  }
}
