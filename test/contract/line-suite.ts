import t from 'tap';
import type { InputLine, OutputLine } from '#hal/ports.ts';

/** An input line and the other end of its wire. */
export interface InputLineRig {
  readonly line: InputLine;
  /** Puts the wire at a level and waits until a driver must have noticed. */
  drive(active: boolean): Promise<void>;
}

/** What every driver of an input line guarantees. */
export function inputLineSuite(name: string, make: () => Promise<InputLineRig>): void {
  t.test(`${name}: an input line`, async (t) => {
    const { line, drive } = await make();
    const seen: boolean[] = [];
    await drive(false);
    t.equal(line.isActive(), false, 'reads the wire');
    line.watch((active) => seen.push(active));
    for (const active of [true, false, true]) {
      await drive(active);
      t.equal(seen.at(-1), active, 'the last call follows the last edge');
      t.equal(line.isActive(), active);
    }
    t.same(seen, [true, false, true], 'slow edges are told one by one');
    await drive(true);
    t.equal(seen.length, 3, 'a level that stays is no edge');
    await line.close();
    await line.close();
    await drive(false);
    t.equal(seen.length, 3, 'closed, it tells nothing');
  });
}

/** An output line and the other end of its wire. */
export interface OutputLineRig {
  readonly line: OutputLine;
  /** Whether the wire is active now. */
  wire(): boolean;
}

/** What every driver of an output line guarantees. */
export function outputLineSuite(name: string, make: () => Promise<OutputLineRig>): void {
  t.test(`${name}: an output line`, async (t) => {
    const { line, wire } = await make();
    t.equal(wire(), false, 'inactive when it opens');
    line.set(true);
    t.equal(wire(), true);
    line.set(false);
    t.equal(wire(), false);
    line.set(true);
    await line.close();
    t.equal(wire(), false, 'inactive when it closes');
    line.set(true);
    t.equal(wire(), false, 'closed, it does nothing');
    await line.close();
  });
}
