import type { PhoneStatus } from '#firmware/contract/phone.ts';
import type { DaemonState, Examination } from './doctor.ts';

/** How well a phone does: what must not be worse after an update. */
export interface Health {
  /** Of the program that answered; empty while none does. */
  readonly version: string;
  /** Daemons that answer. */
  readonly daemons: readonly string[];
  /** Lines that are registered. */
  readonly registered: readonly string[];
  /** Sound devices that work, by role. */
  readonly sound: readonly string[];
  /** Elements of the board that are out of order. */
  readonly faults: readonly string[];
  /** Changes whenever a daemon has started anew. */
  readonly generation: string;
}

export function healthOf({ daemons, status, sound }: Pick<Examination, 'daemons' | 'status' | 'sound'>): Health {
  return {
    version: status?.version ?? '',
    daemons: daemons.filter(({ answers }) => answers).map(({ name }) => name),
    registered: registeredLines(status),
    sound: Object.entries(sound).flatMap(([role, { ok }]) => (ok ? [role] : [])),
    faults: (status?.board?.faults ?? []).map(({ element }) => element),
    generation: [...daemons.map(generationOf), status?.startedAt ?? ''].join(' '),
  };
}

function registeredLines(status: PhoneStatus | undefined): string[] {
  return (status?.lines ?? []).flatMap(({ line, registration }) => (registration.state === 'registered' ? [line] : []));
}

function generationOf({ name, unit }: DaemonState): string {
  return `${name}:${unit?.processId ?? ''}`;
}

/** What worked and works no more, in words; nothing when all is well. @internal */
export function lostSince(before: Health, now: Health): string[] {
  const gone = (had: readonly string[], has: readonly string[]) => had.filter((name) => !has.includes(name));
  return [
    ...gone([...new Set([...before.daemons, 'phone'])], now.daemons).map((name) => `the ${name} daemon does not answer`),
    ...(now.version === '' && now.daemons.includes('phone') ? ['the phone does not tell its status'] : []),
    ...gone(before.registered, now.registered).map((line) => `line ${line} is not registered`),
    ...gone(before.sound, now.sound).map((role) => `sound of the ${role} does not work`),
    ...gone(now.faults, before.faults).map((element) => `${element} is out of order`),
  ];
}

/** How long all must be well with nothing starting anew, ms: a daemon that dies again and again answers in between. */
const steadyMs = 8_000;

/** Judges one look after the other until the phone is well for a while or the time is over. */
export class HealthWatch {
  readonly #before: Health;
  readonly #until: number;
  #generation = '';
  #wellSince: number | undefined;
  #lost: readonly string[] = ['nothing has been seen yet'];

  /** `until`: monotonic ms. */
  constructor(before: Health, until: number) {
    this.#before = before;
    this.#until = until;
  }

  look(now: number, health: Health): 'well' | 'ill' | 'wait' {
    this.#lost = lostSince(this.#before, health);
    const steady = this.#wellSince !== undefined && this.#generation === health.generation;
    if (this.#lost.length > 0) this.#wellSince = undefined;
    else if (!steady) this.#wellSince = now;
    this.#generation = health.generation;
    if (this.#wellSince !== undefined && now - this.#wellSince >= steadyMs) return 'well';
    return now >= this.#until ? 'ill' : 'wait';
  }

  /** Why it is not well, as far as the last look told. */
  get reasons(): readonly string[] {
    return this.#lost.length > 0 ? this.#lost : ['its daemons do not keep running'];
  }
}
