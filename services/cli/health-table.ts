import type { Examination } from './doctor.ts';
import type { Finding } from './finding.ts';

/** What the doctor looks at, in the order he does, and the kinds of findings that belong to it. */
const areas = [
  { name: 'clock', kinds: /^clock-/ },
  { name: 'disk', kinds: /^(disk|state)-/ },
  { name: 'memory', kinds: /^memory-/ },
  { name: 'power and heat', kinds: /^undervoltage|too-hot$/ },
  { name: 'daemons', kinds: /^(daemon|not-allowed|port|group)/ },
  { name: 'settings and logs', kinds: /^(database|secret|sqlite|update)-/ },
  { name: 'board', kinds: /^(board|pin|gpio)-/ },
  { name: 'sound', kinds: /^sound-/ },
  { name: 'lines', kinds: /^(no-line|wrong-password|unknown-address|registra|sip-alg)/ },
  { name: 'STUN and TURN', kinds: /^stun-/ },
] as const;

type Area = (typeof areas)[number]['name'];

/** One line for each thing that was looked at, whether or not something is wrong there. */
export function healthTable(examined: Examination, findings: readonly Finding[]): string[] {
  return areas.map(({ name, kinds }) => {
    const own = findings.filter(({ kind }) => kinds.test(kind));
    const verdict = own.some(({ trouble }) => trouble) ? 'wrong' : own.length > 0 ? 'note' : 'ok';
    return `${verdict.padEnd(5)}  ${name.padEnd(17)}  ${factOf(name, examined)}`.trimEnd();
  });
}

/** What is to be seen there, in few words. */
function factOf(area: Area, { wallTime, disk, machine, daemons, status, sound, stunServers }: Examination): string {
  const count = (all: readonly unknown[], well: readonly unknown[], word: string) => `${well.length} of ${all.length} ${word}`;
  switch (area) {
    case 'clock':
      return `${new Date(wallTime).toISOString().slice(0, 16).replace('T', ' ')} UTC`;
    case 'disk':
      return `${megabytes(disk.freeBytes)} free at ${disk.path}`;
    case 'memory':
      return `${megabytes(machine.memory.availableBytes)} of ${megabytes(machine.memory.totalBytes)} left`;
    case 'power and heat':
      return machine.temperature === undefined ? '' : `${Math.round(machine.temperature)} °C`;
    case 'daemons':
      return count(
        daemons,
        daemons.filter(({ answers }) => answers),
        'answer',
      );
    case 'settings and logs':
      return `SQLite ${machine.sqlite}`;
    case 'board':
      return status?.board?.profile ?? '';
    case 'sound':
      return count(
        Object.values(sound),
        Object.values(sound).filter(({ ok }) => ok),
        'work',
      );
    case 'lines': {
      const lines = status?.lines ?? [];
      return count(
        lines,
        lines.filter(({ registration }) => registration.state === 'registered'),
        'registered',
      );
    }
    case 'STUN and TURN':
      return stunServers.length === 0
        ? 'not used'
        : count(
            stunServers,
            stunServers.filter(({ answer }) => answer === 'response'),
            'answer',
          );
    default:
      return area satisfies never;
  }
}

function megabytes(bytes: number): string {
  return Number.isFinite(bytes) ? `${Math.floor(bytes / 1_000_000)} MB` : 'unknown';
}
