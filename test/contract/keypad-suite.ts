import t from 'tap';
import type { Milliseconds } from '#firmware/core/clock.ts';
import type { Keypad } from '#hal/ports.ts';
import type { Rig } from './rig.ts';

export interface KeypadRig extends Rig<Keypad> {
  readonly reports: readonly { readonly key: string; readonly pressed: boolean; readonly at: Milliseconds }[];
  press(key: string): void;
  release(key: string): void;
}

const longMs = 1_000;

/** What every keypad guarantees. It has at least the keys 5, # and *. */
export function keypadSuite(name: string, make: () => Promise<KeypadRig>): void {
  t.test(`${name}: a keypad`, async (t) => {
    const rig = await make();
    const said = () => rig.reports.map(({ key, pressed }) => `${key}${pressed ? '+' : '-'}`).join(' ');
    t.same(rig.element.keysDown, [], 'begins with no key down');
    for (const key of ['5', '#', '*']) {
      rig.press(key);
      await rig.pass(longMs);
      t.same(rig.element.keysDown, [key]);
      rig.release(key);
      await rig.pass(longMs);
    }
    t.equal(said(), '5+ 5- #+ #- *+ *-', 'down and up, each once');
    t.same(rig.element.keysDown, []);
    rig.press('5');
    await rig.pass(longMs);
    rig.press('5');
    await rig.pass(longMs);
    t.equal(said(), '5+ 5- #+ #- *+ *- 5+', 'a key that is down is not pressed again');
    rig.release('#');
    await rig.pass(longMs);
    t.same(rig.element.keysDown, ['5'], 'a key that is up is not released again');
    const times = rig.reports.map(({ at }) => at);
    t.same(
      times,
      times.toSorted((a, b) => a - b),
      'times never go back',
    );
    await rig.element.close();
    await rig.element.close();
    const count = rig.reports.length;
    rig.release('5');
    await rig.pass(longMs);
    t.equal(rig.reports.length, count, 'closed, it tells nothing');
  });
}
