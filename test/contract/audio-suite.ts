import t from 'tap';
import type { AudioDevice } from '#hal/audio/audio-port.ts';

export interface AudioRig {
  readonly device: AudioDevice;
  readonly hears: boolean;
  readonly plays: boolean;
}

/** A listener that remembers, and on which a test can wait for frames. */
export class Listening {
  readonly failures: string[] = [];
  frames = 0;
  /** What to do with each frame. */
  each: (captured: Int16Array) => void = () => {};
  readonly #waiters = new Set<() => void>();

  frame(captured: Int16Array): void {
    this.frames++;
    this.each(captured);
    for (const waiter of this.#waiters) waiter();
  }

  failed(reason: string): void {
    this.failures.push(reason);
    for (const waiter of this.#waiters) waiter();
  }

  /** Resolves once `condition` holds; it is looked at with each frame. Rejects when the device fails before. */
  async until(condition: () => boolean): Promise<void> {
    if (condition()) return;
    await new Promise<void>((resolve, reject) => {
      const look = () => {
        if (!condition() && this.failures.length === 0) return;
        this.#waiters.delete(look);
        if (condition()) resolve();
        else reject(new Error(this.failures.join()));
      };
      this.#waiters.add(look);
    });
  }

  /** Waits for so many more frames. */
  async more(frames: number): Promise<void> {
    const end = this.frames + frames;
    await this.until(() => this.frames >= end);
  }
}

/** What every sound device guarantees. It runs on a real clock: about three seconds. */
export function audioSuite(name: string, make: () => Promise<AudioRig>): void {
  t.test(`${name}: a sound device`, async (t) => {
    const { device, hears, plays } = await make();
    t.teardown(() => device.stop());
    const ear = new Listening();
    const silence = () => new Int16Array(device.frameSamples);
    t.equal(device.play(silence()), false, 'refuses what is played before it starts');
    await Promise.all([device.start(ear), device.start(ear)]);
    t.match(device.describe(), { identity: device.identity, running: true, sampleRate: device.sampleRate });
    t.equal(device.frameSamples, (device.sampleRate * device.frameMs) / 1000, `a frame is ${device.frameMs} ms`);

    await t.test('keeps its beat', async (t) => {
      await ear.more(10);
      const seconds: string[] = [];
      // A loaded machine may cost frames in one second; a wrong beat is wrong in each, and one too fast is never right.
      for (let good = false; !good && seconds.length < 5; ) {
        const before = ear.frames;
        const started = performance.now();
        await ear.until(() => performance.now() - started > 1_000);
        const surplus = ear.frames - before - (performance.now() - started) / device.frameMs;
        seconds.push(surplus.toFixed(1));
        if (surplus > 12) break;
        good = Math.abs(surplus) <= 3;
      }
      t.ok(Math.abs(Number(seconds.at(-1))) <= 3, `frames more than due in each second tried: ${seconds.join(', ')}`);
    });

    await t.test('never calls from within a call', async (t) => {
      const before = ear.frames;
      device.play(silence());
      t.equal(ear.frames, before);
    });

    await t.test('delivers whole frames, in an array that is its own', async (t) => {
      const arrays = new Set<Int16Array>();
      ear.each = (captured) => arrays.add(captured);
      await ear.more(5);
      ear.each = () => {};
      for (const array of arrays) t.equal(array.length, device.frameSamples);
      t.equal(arrays.size, 1, 'the same one each time');
    });

    if (plays) {
      await t.test('takes a bounded number of frames ahead, drops the rest and says so', async (t) => {
        const { framesDropped } = device.describe();
        const taken = Array.from({ length: 100 }, () => device.play(silence())).filter(Boolean).length;
        t.ok(taken >= 1 && taken * device.frameMs <= 100, `${taken} of 100 taken`);
        t.equal(device.describe().framesDropped - framesDropped, 100 - taken);
        await ear.until(() => device.queuedFrames === 0);
        t.equal(device.play(silence()), true, 'and takes more once those are played');
      });

      await t.test('plays one frame for each beat without a gap', async (t) => {
        ear.each = () => device.play(silence());
        await ear.more(2);
        const { underruns, framesPlayed } = device.describe();
        await ear.more(25);
        const now = device.describe();
        t.equal(now.underruns, underruns);
        t.ok(now.framesPlayed - framesPlayed >= 24, `${now.framesPlayed - framesPlayed} frames played`);
        t.ok(device.queuedFrames <= 1);
        ear.each = () => {};
        await ear.more(3);
        t.ok(device.describe().underruns > underruns, 'silence where nothing was played is counted');
      });
    } else {
      t.equal(device.play(silence()), false, 'without a loudspeaker refuses what is played');
    }

    if (!hears) {
      let loudest = 0;
      ear.each = (captured) => {
        loudest = Math.max(loudest, ...captured.map(Math.abs));
        captured.fill(1000);
      };
      await ear.more(3);
      t.equal(loudest, 0, 'without a microphone hears silence, whatever was done to the last frame');
      ear.each = () => {};
    }

    await Promise.all([device.stop(), device.stop()]);
    const stopped = ear.frames;
    await new Promise((resolve) => setTimeout(resolve, 60));
    t.equal(ear.frames, stopped, 'calls nobody once stopped');
    t.equal(device.play(silence()), false);
    t.equal(device.describe().running, false);
    await device.start(ear);
    await ear.more(5);
    t.pass('starts again');
    await device.stop();
    t.same(ear.failures, [], 'a stop is no failure');
  });
}
