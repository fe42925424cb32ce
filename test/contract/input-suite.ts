import t from 'tap';
import type { Milliseconds } from '#firmware/core/clock.ts';
import type { Input } from '#hal/ports.ts';
import type { Rig } from './rig.ts';

export interface InputRig extends Rig<Input> {
  readonly reports: readonly { readonly active: boolean; readonly at: Milliseconds }[];
  drive(active: boolean): void;
  /** How far the times told may be from those of the edges, ms; 1 when it is not said. */
  readonly tolerance?: Milliseconds;
}

/** What every input guarantees. It is debounced by 30 ms. */
export function inputSuite(name: string, make: () => Promise<InputRig>): void {
  t.test(`${name}: an input`, async (t) => {
    const rig = await make();
    t.equal(rig.element.active, false);
    for (let bounce = 0; bounce < 10; bounce++) {
      rig.drive(bounce % 2 === 0);
      await rig.pass(5);
    }
    await rig.pass(100);
    t.same(rig.reports, [], 'bounces that end where they began never happened');
    const at = rig.now();
    rig.drive(true);
    await rig.pass(200);
    t.match(rig.reports, [{ active: true }]);
    t.ok(Math.abs((rig.reports[0]?.at ?? 0) - at) <= (rig.tolerance ?? 1), 'the time told is that of the edge');
    t.equal(rig.element.active, true);
    rig.drive(false);
    await rig.pass(20);
    rig.drive(true);
    await rig.pass(200);
    t.equal(rig.reports.length, 1, 'a gap shorter than the debouncing is none');
    rig.drive(false);
    await rig.pass(200);
    t.match(rig.reports, [{ active: true }, { active: false }]);
    await rig.element.close();
    rig.drive(true);
    await rig.pass(200);
    t.equal(rig.reports.length, 2, 'closed, it tells nothing');
  });
}
