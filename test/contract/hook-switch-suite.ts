import t from 'tap';
import type { HookPosition } from '#firmware/contract/hal.ts';
import type { Milliseconds } from '#firmware/core/clock.ts';
import type { HookSwitch } from '#hal/ports.ts';
import type { Rig } from './rig.ts';

export interface HookSwitchRig extends Rig<HookSwitch> {
  readonly reports: readonly { readonly change: HookPosition | 'flash'; readonly at: Milliseconds }[];
  /** How far the times told may be from those of the edges, ms; 1 when it is not said. */
  readonly tolerance?: Milliseconds;
  lift(): void;
  lay(): void;
  /** What a person does for a flash on this kind of phone. */
  flash(): Promise<void>;
}

/** Longer than any debouncing and any flash time used here. */
const longMs = 2_000;

/** What every hook switch guarantees. It begins laid down, and tells flashes. */
export function hookSwitchSuite(name: string, make: () => Promise<HookSwitchRig>): void {
  t.test(`${name}: a hook switch`, async (t) => {
    const rig = await make();
    const changes = () => rig.reports.map(({ change }) => change);
    t.equal(rig.element.position, 'onHook', 'begins as it lies');
    rig.lift();
    await rig.pass(longMs);
    t.same(changes(), ['offHook']);
    t.equal(rig.element.position, 'offHook');
    await rig.flash();
    await rig.pass(longMs);
    t.same(changes(), ['offHook', 'flash'], 'a flash is no hang-up');
    t.equal(rig.element.position, 'offHook');
    const laidAt = rig.now();
    rig.lay();
    await rig.pass(longMs);
    t.same(changes(), ['offHook', 'flash', 'onHook']);
    t.equal(rig.element.position, 'onHook');
    t.ok(Math.abs((rig.reports.at(-1)?.at ?? 0) - laidAt) <= (rig.tolerance ?? 1), 'the time told is that of the edge');
    rig.lay();
    await rig.pass(longMs);
    t.equal(rig.reports.length, 3, 'what lies already is not told again');
    rig.lift();
    await rig.pass(longMs);
    await rig.element.close();
    await rig.element.close();
    rig.lay();
    await rig.pass(longMs);
    t.same(changes(), ['offHook', 'flash', 'onHook', 'offHook'], 'closed, it tells nothing');
  });
}
