import t from 'tap';
import type { LedPattern } from '#firmware/contract/hal.ts';
import type { Milliseconds } from '#firmware/core/clock.ts';
import type { Led, Relay } from '#hal/ports.ts';
import type { Rig } from './rig.ts';

export interface WireRig<Element> extends Rig<Element> {
  /** Whether the lamp is lit, the contact closed, as one can see or measure it. */
  wire(): boolean;
  /** How exact times are, ms: 0 in virtual time. */
  readonly tolerance: Milliseconds;
}

/** What every lamp guarantees. */
export function ledSuite(name: string, make: () => Promise<WireRig<Led>>): void {
  t.test(`${name}: a lamp`, async (t) => {
    const rig = await make();
    t.equal(rig.element.pattern, 'off');
    t.equal(rig.wire(), false, 'dark until told otherwise');
    rig.element.show(rig.now(), 'on');
    t.equal(rig.wire(), true);
    for (const [pattern, lit] of [
      ['blink', 0.5],
      ['fastBlink', 0.5],
      ['doubleFlash', 0.1],
    ] as const satisfies [LedPattern, number][]) {
      rig.element.show(rig.now(), pattern);
      const { share, changes } = await watchWire(rig, 4_000);
      t.ok(Math.abs(share - lit) < 0.03, `${pattern} is lit for ${lit} of the time (${share.toFixed(3)})`);
      t.equal(changes, { blink: 8, fastBlink: 32, doubleFlash: 8 }[pattern], `${pattern} changes that often in four seconds`);
    }
    rig.element.show(rig.now(), 'off');
    t.equal(rig.wire(), false);
    t.equal((await watchWire(rig, 1_000)).share, 0, 'stays dark');
    rig.element.show(rig.now(), 'blink');
    await rig.element.close();
    t.equal((await watchWire(rig, 2_000)).share, 0, 'dark and still once closed');
    await rig.element.close();
  });
}

/** What every relay guarantees. Its maximum is 3000 ms. */
export function relaySuite(name: string, make: () => Promise<WireRig<Relay>>): void {
  t.test(`${name}: a relay`, async (t) => {
    const rig = await make();
    const { tolerance } = rig;
    const closedFor = async () => (await watchWire(rig, 5_000)).share * 5_000;
    const near = (actual: number, wanted: number, title: string) => t.ok(Math.abs(actual - wanted) <= 1 + tolerance, `${title}: ${actual}`);
    t.equal(rig.wire(), false, 'open at first');
    t.equal(rig.element.pulse(rig.now(), 700), 700);
    t.equal(rig.element.closed, true);
    near(await closedFor(), 700, 'closed as long as asked');
    t.equal(rig.element.closed, false);
    t.equal(rig.element.pulse(rig.now(), 60_000), 3_000, 'longer is cut to the maximum');
    near(await closedFor(), 3_000, 'and falls by itself');
    rig.element.pulse(rig.now(), 2_000);
    await rig.pass(1_500);
    near(rig.element.pulse(rig.now(), 2_000), 1_500, 'a second pulse adds no more than the maximum since it closed');
    near(await closedFor(), 1_500, 'and is kept to it');
    rig.element.pulse(rig.now(), 1_000);
    t.equal(rig.element.pulse(rig.now(), 100) > 900 - tolerance, true, 'a shorter second pulse does not cut the first');
    near(await closedFor(), 1_000, 'which lasts');
    rig.element.pulse(rig.now(), 2_000);
    rig.element.release();
    t.equal(rig.wire(), false, 'released at once');
    t.equal(await closedFor(), 0, 'for good');
    rig.element.pulse(rig.now(), 2_000);
    await rig.element.close();
    t.equal(await closedFor(), 0, 'open once closed down');
  });
}

/** Looks at a wire every millisecond. */
async function watchWire(rig: WireRig<unknown>, ms: Milliseconds): Promise<{ share: number; changes: number }> {
  let active = 0;
  let changes = 0;
  let before = rig.wire();
  const end = rig.now() + ms;
  let looks = 0;
  for (; rig.now() < end; looks++) {
    if (rig.wire()) active++;
    if (rig.wire() !== before) changes++;
    before = rig.wire();
    await rig.pass(1);
  }
  if (rig.wire() !== before) changes++;
  return { share: active / looks, changes };
}
