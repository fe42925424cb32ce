import { setTimeout as pause } from 'node:timers/promises';
import type { SoundDeviceListing, SoundTest } from '#firmware/contract/media.ts';
import { UsageError } from '#firmware/core/errors.ts';
import type { MediaEngine } from '#firmware/media/media-engine.ts';
import type { SoundDeviceEntry } from '#hal/audio/device-choice.ts';
import type { DeviceSet } from './device-set.ts';

export interface SoundCheckParts {
  readonly engine: MediaEngine;
  readonly devices: DeviceSet;
  /** What PortAudio and the kernel know of. */
  readonly list: () => Promise<SoundDeviceEntry[]>;
}

/** Levels are looked at so often, ms: each is that of 10 ms. */
const lookEveryMs = 20;
const quietMs = 800;
const toneMs = 1_200;
const listenMs = 2_000;

/** For people who set up sound devices: which there are, and whether one sounds and hears. */
export class SoundCheck {
  readonly #parts: SoundCheckParts;
  #testing = false;

  constructor(parts: SoundCheckParts) {
    this.#parts = parts;
  }

  /** Every device with the roles that use it. */
  async list(): Promise<SoundDeviceListing[]> {
    const used = Object.entries(this.#parts.devices.describe().devices);
    const isUsed = (wish: string, { input, output }: (typeof used)[number][1]) => input?.identity === wish || output?.identity === wish;
    return (await this.#parts.list()).map((entry) => {
      const roles = used.filter(([, device]) => device.ok && isUsed(entry.wish, device));
      const channels = (direction: 'input' | 'output') =>
        roles.map(([, device]) => device[direction]?.channels).find((one) => one !== undefined);
      return {
        ...entry,
        rates: [...entry.rates],
        // Of one in use nobody else can ask.
        inputChannels: entry.inputChannels ?? channels('input') ?? null,
        outputChannels: entry.outputChannels ?? channels('output') ?? null,
        sampleRate: entry.sampleRate ?? roles[0]?.[1].sampleRate ?? null,
        usedBy: roles.map(([role]) => role),
      };
    });
  }

  /** Listens, gives a tone, listens again. Throws UsageError for a role that is none or does not work, in a call, and while another test runs. */
  async test(role: string): Promise<SoundTest> {
    const { engine, devices } = this.#parts;
    engine.device(role);
    const device = devices.deviceOf(role);
    if (!device) throw new UsageError('no-sound-device', `nothing sounds at the ${role}: ${devices.reasonOf(role)}`);
    if (engine.sessions.size > 0) throw new UsageError('in-call', 'there is a call: the device can be tested when it is over');
    if (this.#testing) throw new UsageError('in-test', 'another test is under way');
    this.#testing = true;
    const target = { kind: 'device', device: role } as const;
    try {
      devices.wake();
      const quiet = await this.#loudest(role, quietMs, median);
      engine.startTone(target, 'dial');
      const duringTone = await this.#loudest(role, toneMs, greatest);
      engine.stopTone(target);
      const loudest = await this.#loudest(role, listenMs, greatest);
      const { input, identity, sampleRate } = device.describe();
      const hears = input !== undefined || /^wav:(?!-\/)/.test(identity);
      return { device: input?.identity ?? identity, sampleRate, ...(hears ? { quiet, duringTone, loudest } : deaf) };
    } finally {
      engine.stopTone(target);
      this.#testing = false;
    }
  }

  async #loudest(role: string, ms: number, judge: (levels: number[]) => number): Promise<number> {
    const levels: number[] = [];
    for (let waited = 0; waited < ms; waited += lookEveryMs) {
      await pause(lookEveryMs);
      levels.push(this.#parts.engine.device(role).describe().levelIn);
    }
    return Math.round(judge(levels));
  }
}

const deaf = { quiet: null, duringTone: null, loudest: null };

function greatest(levels: readonly number[]): number {
  return Math.max(...levels);
}

function median(levels: readonly number[]): number {
  return [...levels].sort((a, b) => a - b)[Math.floor(levels.length / 2)] ?? 0;
}
