import type { PhoneStatus } from '#firmware/contract/phone.ts';
import { protectedNotice } from '#firmware/platform/lasting-state.ts';
import { notKept } from '#services/phone/record-keeper.ts';
import { type Finding, hint, trouble } from './finding.ts';
import { clockFindings, keepingFindings, machineFindings } from './machine-findings.ts';
import type { MachineState } from './machine-state.ts';
import type { StunProbe } from './stun-probe.ts';

/** What was found about one daemon. */
export interface DaemonState {
  readonly name: string;
  readonly answers: boolean;
  /** Its socket is there but not for us. */
  readonly forbidden: boolean;
  /** What systemd says of it; `undefined` where it is no service. */
  readonly unit?: UnitState;
}

export interface UnitState {
  /** `active`, `activating`, `failed`, `inactive` … */
  readonly state: string;
  /** Such as `success`, `watchdog`, `oom-kill`, `start-limit-hit`. */
  readonly result: string;
  /** The exit status of its last process; 216 = systemd found no such group. */
  readonly exitStatus: number;
  /** What the daemon says of itself. */
  readonly statusText: string;
  /** 0 = it does not run. */
  readonly processId: number;
}

/** How the registrar of a line answered an OPTIONS sent from here by UDP. */
export interface RegistrarProbe {
  readonly line: string;
  readonly registrar: string;
  readonly answer: 'response' | 'silence' | 'unreachable' | 'unknown name';
  /** What we wrote and how it came back, when something on the way wrote into it. */
  readonly rewritten?: { readonly sent: string; readonly received: string };
}

/** Everything the doctor looks at, gathered before anything is judged. */
export interface Examination {
  /** Runs as services; otherwise as `hookswitch run` with a data directory. */
  readonly installed: boolean;
  /** ` --data DIR` or empty: makes the commands of the advice complete. */
  readonly option: string;
  readonly daemons: readonly DaemonState[];
  readonly status: PhoneStatus | undefined;
  /** Sound devices by role, as media has them. */
  readonly sound: Readonly<Record<string, { readonly ok: boolean; readonly reason?: string; readonly standIn?: string }>>;
  readonly disk: { readonly path: string; readonly freeBytes: number; readonly readOnly: boolean };
  /** Groups that own devices and that this machine has not. */
  readonly missingGroups: readonly string[];
  /** Wall-clock ms. */
  readonly wallTime: number;
  /** Ports we need while nothing of ours is there to hold them. */
  readonly takenPorts: readonly { readonly port: number; readonly protocol: 'udp' | 'tcp'; readonly use: string }[];
  readonly registrars: readonly RegistrarProbe[];
  readonly stunServers: readonly StunProbe[];
  readonly machine: MachineState;
  /** Databases that were found damaged and put aside. */
  readonly damaged: readonly string[];
}

const megabyte = 1_000_000;
/** Calls go on with a full disk, but settings and logs are lost. */
const troubleBytes = 20 * megabyte;
const hintBytes = 200 * megabyte;
const noSuchGroup = 216;

/** What is wrong and how to mend it, the causes before what follows from them. */
export function diagnose(examined: Examination): Finding[] {
  return [
    ...clockFindings(examined.wallTime, examined.machine),
    ...machineFindings(examined.machine),
    // A directory that somebody chose in memory is his choice.
    ...(examined.installed ? keepingFindings(examined.disk.path, examined.machine) : []),
    ...diskFindings(examined),
    ...groupFindings(examined),
    ...portFindings(examined),
    ...daemonFindings(examined),
    ...storageFindings(examined),
    ...boardFindings(examined),
    ...soundFindings(examined),
    ...lineFindings(examined),
    ...stunFindings(examined),
  ];
}

export function findingLines(findings: readonly Finding[]): string[] {
  if (findings.length === 0) return ['nothing is wrong'];
  return findings.flatMap(({ trouble, what, mend }) => [`${trouble ? 'wrong' : 'note '}  ${what}`, `       ${mend}`]);
}

function diskFindings({ disk }: Examination): Finding[] {
  const { path, freeBytes, readOnly } = disk;
  if (readOnly) {
    const mend = 'sudo mount -o remount,rw / — when that fails, the card is worn out: replace it';
    return [trouble('disk-read-only', `${path} cannot be written: settings and logs are kept until the power goes`, mend)];
  }
  const free = `${path} has ${Math.floor(freeBytes / megabyte)} MB left`;
  if (freeBytes < troubleBytes) return [trouble('disk-full', free, 'sudo journalctl --vacuum-size=50M; sudo apt-get clean')];
  return freeBytes < hintBytes ? [hint('disk-low', free, 'sudo journalctl --vacuum-size=50M; sudo apt-get clean')] : [];
}

function groupFindings({ missingGroups, installed }: Examination): Finding[] {
  if (missingGroups.length === 0 || !installed) return [];
  const mend = 'sudo systemd-sysusers hookswitch.conf, then sudo systemctl restart hookswitch.target';
  return [trouble('group-missing', `this machine has no group ${missingGroups.join(', ')}, which owns devices`, mend)];
}

function portFindings({ takenPorts }: Examination): Finding[] {
  return takenPorts.map(({ port, protocol, use }) => {
    const look = `sudo ss -${protocol === 'udp' ? 'u' : 't'}lnp 'sport = :${port}'`;
    return trouble(
      'port-taken',
      `another program has ${protocol} port ${port}, which is for ${use}`,
      `${look} shows which; stop it, or take another port`,
    );
  });
}

function daemonFindings({ daemons, installed, option }: Examination): Finding[] {
  return daemons.flatMap((daemon) => {
    const { name, answers, forbidden, unit } = daemon;
    if (forbidden) return [trouble('not-allowed', `you may not ask the ${name} daemon`, 'use sudo, or ask for the group hookswitch')];
    if (answers) return [];
    const what = `the ${name} daemon does not answer${unit ? unitReason(unit) : ''}`;
    if (!installed) return [trouble('daemon-down', what, `hookswitch run${option}${name === 'exchange' ? ' --exchange' : ''}`)];
    const start = unit?.state === 'inactive' ? `sudo systemctl start hookswitch-${name}` : `journalctl -u hookswitch-${name} -e`;
    return [trouble('daemon-down', what, start)];
  });
}

function unitReason({ state, result, exitStatus, statusText }: UnitState): string {
  if (statusText.startsWith('cannot start') || statusText.startsWith('ill')) return `: ${statusText}`;
  if (exitStatus === noSuchGroup) return ': a group of its unit is missing';
  const words: Readonly<Record<string, string>> = {
    'start-limit-hit': 'it crashed too often and was given up',
    watchdog: 'it hung and was ended',
    'oom-kill': 'memory was short',
  };
  return `: ${words[result] ?? (state === 'inactive' ? 'it was stopped' : `it is ${state}`)}`;
}

function storageFindings({ status, damaged, option }: Examination): Finding[] {
  // A disk that cannot be written is told of by the disk.
  const notices = (status?.notices ?? []).filter((notice) => notice !== protectedNotice);
  const found = notices.map((notice) => {
    if (notice.startsWith('an update was undone')) {
      const mend =
        'journalctl -u hookswitch-update says more; sudo rm /var/lib/hookswitch/update-failed, and it is forgotten at the next start';
      return hint('update-undone', notice, mend);
    }
    if (notice.startsWith(notKept)) {
      const mend =
        'make room (sudo journalctl --vacuum-size=50M; sudo apt-get clean); where there is room the card is worn out: replace it';
      return trouble('database-not-written', notice, mend);
    }
    const sealed = notice.includes('device key');
    const mend = sealed ? `hookswitch${option} config set KEY=-` : `hookswitch${option} config list --changed, and set what is missing`;
    return trouble(sealed ? 'secret-not-readable' : 'database-restored', notice, mend);
  });
  if (found.some(({ kind }) => kind === 'database-restored')) return found;
  const mend = 'it was replaced by its copy; when it happens again the card is worn out. Delete the file to forget it';
  return [...found, ...damaged.map((path) => hint('database-was-damaged', `a damaged database was put aside as ${path}`, mend))];
}

function boardFindings({ status, option }: Examination): Finding[] {
  const gpio = status?.board?.gpio ?? '';
  // Where the profile wants it so, somebody knows.
  const slow = gpio.startsWith('sysfs') && !gpio.includes('wants') ? [sysfsHint(gpio, option)] : [];
  const faults = (status?.board?.faults ?? []).map(({ element, reason }) => {
    if (/group (gpio|input|plugdev)/.test(reason)) {
      const mend = 'sudo usermod -aG gpio,input,plugdev THE_USER, then log in again; services have the groups by themselves';
      return trouble('group-missing', `${element}: ${reason}`, mend);
    }
    if (/used by another program/.test(reason)) {
      const mend = 'sudo cat /sys/kernel/debug/gpio shows by whom; stop it, or take its overlay out of config.txt';
      return trouble('pin-busy', `${element}: ${reason}`, mend);
    }
    return trouble(
      'board-fault',
      `${element}: ${reason}`,
      'look at the wiring and at the board profile (hookswitch config get board.profile)',
    );
  });
  return [...slow, ...faults];
}

/** It works, but without pulls and without counting edges. */
function sysfsHint(gpio: string, option: string): Finding {
  const mend = `a kernel of 5.10 or later has the character device; without it set pulls in config.txt (gpio=17=pu); hookswitch${option} status --json shows what is used`;
  return hint('gpio-by-sysfs', `GPIO is reached by ${gpio}`, mend);
}

function soundFindings({ sound, option }: Examination): Finding[] {
  return Object.entries(sound).flatMap(([role, { ok, reason = 'unknown', standIn }]) => {
    if (ok) return [];
    const helped = standIn === undefined ? '' : ` (the ${standIn} helps out)`;
    const what = `sound of the ${role}: ${reason}${helped}`;
    const gone = /there is no sound (input|output) named/.exec(reason)?.[1];
    const ambiguous = /means more than one sound (input|output)/.exec(reason)?.[1];
    const set = `hookswitch${option} config set audio.${role}.${gone ?? ambiguous}=NAME`;
    if (gone) return [trouble('sound-device-gone', what, `plug it in, or take one that hookswitch${option} audio list shows: ${set}`)];
    if (ambiguous) return [trouble('sound-device-ambiguous', what, `say which: ${set}`)];
    if (/another program uses it/.test(reason)) {
      return [trouble('sound-device-busy', what, 'sudo fuser -v /dev/snd/* shows which program; stop it')];
    }
    const mend = `arecord -l and aplay -l show the cards; hookswitch${option} config list audio.${role}. shows what is set`;
    return [trouble('sound-device-fails', what, mend)];
  });
}

function lineFindings({ status, registrars, option }: Examination): Finding[] {
  if (status && status.lines.length === 0) {
    return [hint('no-line', 'no line is set up', `hookswitch${option} config set line.1.aor=sip:… line.1.password=-`)];
  }
  return (status?.lines ?? []).flatMap((line) => {
    const probe = registrars.find((one) => one.line === line.line);
    return [...registrationFindings(line, probe, option), ...rewritingFindings(probe, option)];
  });
}

function registrationFindings(line: PhoneStatus['lines'][number], probe: RegistrarProbe | undefined, option: string): Finding[] {
  const { state, statusCode, reason } = line.registration;
  const name = `line ${line.line} (${line.aor})`;
  if (state !== 'failed' && state !== 'rejected' && !(state === 'registering' && reason !== null)) return [];
  const what = `${name} is not registered: ${reason ?? 'no reason is known'}`;
  if (statusCode === 401 || statusCode === 403 || statusCode === 407) {
    const mend = `hookswitch${option} config set line.${line.line}.password=-, and look at line.${line.line}.username`;
    return [trouble('wrong-password', what, mend)];
  }
  if (statusCode === 404) return [trouble('unknown-address', what, `hookswitch${option} config set line.${line.line}.aor=sip:…`)];
  const unreachable = statusCode === null || statusCode === 408 || statusCode === 503;
  if (!unreachable) return [trouble('registration-refused', what, 'ask who runs the registrar')];
  return [trouble('registrar-unreachable', what, reachAdvice(line.line, probe, option))];
}

function reachAdvice(line: string, probe: RegistrarProbe | undefined, option: string): string {
  const settings = `line.${line}.registrar and line.${line}.outboundProxy`;
  switch (probe?.answer) {
    case 'unknown name':
      return `its name ${probe.registrar} is not found: look at ${settings}, and at the name server`;
    case 'unreachable':
      return `there is no way to ${probe.registrar}: look at cable, router and ${settings}`;
    case 'response':
      return `${probe.registrar} does answer an OPTIONS: wait for the next try, or look at ${settings}`;
    case 'silence':
      return `${probe.registrar} is silent by UDP: look at ${settings}; behind a firewall try hookswitch${option} config set line.${line}.transport tcp`;
    case undefined:
      return `look at cable, router and ${settings}`;
  }
}

/** A router that “helps” SIP through its address translation writes into messages, and rarely writes back right. */
function rewritingFindings(probe: RegistrarProbe | undefined, option: string): Finding[] {
  if (!probe?.rewritten) return [];
  const { sent, received } = probe.rewritten;
  const what = `something on the way to ${probe.registrar} writes into SIP messages (“${sent}” came back as “${received}”): a SIP ALG in the router?`;
  const mend = `switch it off in the router, or go round it: hookswitch${option} config set line.${probe.line}.transport tcp`;
  return [hint('sip-alg', what, mend)];
}

function stunFindings({ stunServers, option }: Examination): Finding[] {
  const words = {
    'unknown name': 'its name is not found',
    unreachable: 'there is no way to it, or nothing listens there',
    silence: 'it is silent by UDP',
  };
  return stunServers.flatMap(({ line, kind, server, answer }) => {
    if (answer === 'response') return [];
    const key = `line.${line}.${kind === 'STUN' ? 'stunServer' : 'turnServer'}`;
    const what = `the ${kind} server ${server} of line ${line} does not answer: ${words[answer]}`;
    return [
      trouble(
        'stun-server-unreachable',
        what,
        `look at ${key}, router and firewall; to do without: hookswitch${option} config set ${key}=`,
      ),
    ];
  });
}
