/** The power of the lab machine goes while it writes settings. After each return the database must be whole and hold what was acknowledged. */
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { bundleTests } from './bundle.ts';
import { LabMachine } from './machine.ts';
import type { Outcome } from './tap-reader.ts';

export interface PowerCuts {
  readonly directory: string;
  readonly work: string;
  readonly cuts: number;
  readonly print: (line: string) => void;
}

/** Where within a write the power goes, in ms after the first write that was acknowledged: spread evenly, the same in each run. */
const longestMs = 900;

/** Each cut is one check: the writer, started again, has found its database whole and no acknowledged change lost. */
export async function cutPowerOften({ directory, work, cuts, print }: PowerCuts): Promise<Outcome> {
  const disk = join(work, 'settings.img');
  const archive = join(work, 'writer.tar');
  const [writer = ''] = await bundleTests(['test/lab/machine/settings-writer.ts'], join(work, 'writer'));
  execFileSync('tar', ['-c', '-C', join(work, 'writer'), '-f', archive, '.']);
  execFileSync('truncate', ['-s', '%1M', archive]);
  execFileSync('truncate', ['-s', '64M', disk]);
  execFileSync('mke2fs', ['-q', '-t', 'ext4', disk]);
  const script = `mount -o noatime /dev/vdc /mnt && mkdir /usr/lib/hookswitch/lab && cd /usr/lib/hookswitch/lab && tar -x -f /dev/vdb && node ${writer} /mnt`;

  const said: string[] = [];
  let acknowledged = 0;
  let passed = 0;
  for (let cut = 0; cut <= cuts; cut++) {
    const machine = await LabMachine.start({ image: directory, deterministic: false, archive, disk });
    let found: number | undefined;
    let newest = 0;
    const lines: string[] = [];
    let begins: () => void = () => {};
    const writing = new Promise<void>((resolve) => {
      begins = resolve;
    });
    const ended = machine
      .run(script, (line) => {
        lines.push(line);
        const [word, value] = line.split(' ');
        if (word === 'found') found = Number(value);
        if (word !== 'acknowledged') return;
        newest = Number(value);
        begins();
      })
      .then(
        () => begins(),
        () => {},
      );
    await writing;
    await wait((longestMs * ((cut * 7) % 20)) / 20);
    const before = acknowledged;
    acknowledged = newest;
    await machine.cutPower();
    await ended;
    if (found === undefined || found < before)
      said.push(`cut ${cut}: ${before} acknowledged, ${found ?? 'nothing'} found; ${lines.slice(-5).join(' | ')}`);
    // Before the first cut there is nothing to find.
    else if (cut > 0) passed++;
    if (cut % 20 === 19) print(`        ${cut + 1} power cuts, ${acknowledged} changes`);
  }
  return {
    passed,
    failed: said.length,
    said: [...said, `${cuts} power cuts, ${acknowledged} changes of settings acknowledged, ${said.length} times not all found`],
  };
}
