import type { EventOf, ResultOf } from '#firmware/contract/contract.ts';
import type { mediaContract, SessionParameters } from '#firmware/contract/media.ts';
import type { PhoneStatus } from '#firmware/contract/phone.ts';
import type { Milliseconds } from '#firmware/core/clock.ts';
import { UsageError } from '#firmware/core/errors.ts';
import type { Call } from './call.ts';
import type { OpusWishes } from './codec-choice.ts';
import type { Handset } from './handset.ts';
import type { MediaDesk } from './media-desk.ts';
import type { MediaCommand, Outbox, Reply } from './outbox.ts';
import type { PageGroup, PagingSettings } from './paging-settings.ts';

type Media = typeof mediaContract;
type PageStatus = PhoneStatus['pages'][number];

export interface PagingDeskPorts {
  readonly handset: Handset;
  readonly media: MediaDesk;
  readonly outbox: Outbox;
  doNotDisturb(): boolean;
  opus(): OpusWishes;
  settings(): PagingSettings;
}

/** What this phone says to a group: the person, or a file. */
interface Announcement {
  readonly group: PageGroup;
  /** A whole path; `undefined` = the person speaks. */
  readonly file: string | undefined;
  opened: boolean;
  /** The sound device it is joined with. */
  device: string | null;
}

const ourSession = 'paging';
const fixedPayloadTypes = { PCMU: 0, PCMA: 8, G722: 9 } as const;

/**
 * Announcements to groups of telephones: which of those that come are heard, where and by whom, and what is said from here. Media tells who speaks to
 * which group; of several the most important is heard, and whether any is depends on what the person is doing.
 */
export class PagingDesk {
  readonly #ports: PagingDeskPorts;
  /** Who speaks to which group, the first first. */
  readonly #speaking = new Map<string, string>();
  readonly #refused = new Map<string, number>();
  readonly #pending = new Map<number, 'configure' | 'open' | 'play'>();
  #configured = '';
  #obstacles: string[] = [];
  #heard: { readonly group: string; readonly device: string } | undefined;
  /** Put on hold for an announcement. */
  #held: Call | undefined;
  #said: Announcement | undefined;

  constructor(ports: PagingDeskPorts) {
    this.#ports = ports;
  }

  /** What people should know and mend. */
  get notices(): readonly string[] {
    return this.#obstacles;
  }

  /** For the display: the group that is heard or spoken to. */
  get shown(): string | undefined {
    return this.#said?.group.name ?? this.#heard?.group;
  }

  status(): PageStatus[] {
    return this.#ports.settings().groups.map(({ name, priority }) => ({
      group: name,
      priority,
      state: this.#stateOf(name),
      source: this.#speaking.get(name) ?? null,
      refused: this.#refused.get(name) ?? 0,
    }));
  }

  // ── what a person wants ──

  /** Speaks to a group until the person hangs up, or plays it a file (a whole path). Throws UsageError when it cannot be. */
  page(now: Milliseconds, name: string, file?: string): void {
    const { handset, media, outbox, opus, settings } = this.#ports;
    const { groups, interface: at, ttl } = settings();
    const group = groups.find((one) => one.name.toLowerCase() === name.toLowerCase());
    if (!group)
      throw new UsageError(
        'unknown-page',
        `there is no group ${name.slice(0, 40)}: see page.${name.slice(0, 40)}.address among the settings`,
      );
    if (this.#said) throw new UsageError('busy', `${this.#said.group.name} is being spoken to`);
    if (!media.up) throw new UsageError('no-media', 'there is no sound: the media daemon is away');
    if (file === undefined) handset.occupy(now);
    this.#said = { group, file, opened: false, device: null };
    const codec = codecOf(group, opus());
    const { address, port } = group;
    this.#send({ name: 'openPage', args: { session: ourSession, group: group.name, address, port, interface: at, ttl, codec } }, 'open');
    outbox.fact('page.sent', { group: group.name, file: file ?? null });
  }

  /** The group with this code is spoken to; false when there is none. */
  dial(now: Milliseconds, code: string): boolean {
    const group = this.#ports.settings().groups.find((one) => one.code !== '' && one.code === code);
    if (group) this.page(now, group.name);
    return group !== undefined;
  }

  stop(now: Milliseconds): void {
    if (!this.#said) throw new UsageError('wrong-state', 'no group is being spoken to');
    this.#endOwn(now);
  }

  // ── media ──

  lost(now: Milliseconds): void {
    this.#pending.clear();
    this.#speaking.clear();
    this.#configured = '';
    this.#heard = undefined;
    if (!this.#said) return;
    this.#said = undefined;
    this.#ports.handset.vacate(now);
  }

  reply(now: Milliseconds, id: number, reply: Reply): void {
    const pending = this.#pending.get(id);
    this.#pending.delete(id);
    if (pending === 'configure') this.#takeHealth(reply);
    else if (pending !== undefined && !reply.ok) this.#failed(now, reply.reason);
    else if (pending === 'open') this.#opened();
  }

  began({ group, source }: EventOf<Media, 'pageBegan'>): void {
    this.#speaking.set(group, source);
    this.#ports.outbox.fact('page.began', { group, source });
  }

  ended({ group }: EventOf<Media, 'pageEnded'>): void {
    this.#speaking.delete(group);
    if (this.#heard?.group === group) this.#heard = undefined;
    this.#ports.outbox.fact('page.ended', { group });
  }

  refused({ group, packets }: EventOf<Media, 'pageRefused'>): void {
    this.#refused.set(group, packets);
  }

  playbackEnded(now: Milliseconds, playback: string): void {
    if (playback === ourSession && this.#said?.file !== undefined) this.#endOwn(now);
  }

  /** What is heard and said follows the person. */
  settle(now: Milliseconds): void {
    const { handset, media } = this.#ports;
    if (!media.up) return;
    this.#configure();
    const said = this.#said;
    if (said && said.file === undefined && (handset.state !== 'engaged' || handset.focus)) this.#endOwn(now);
    else if (said?.opened && said.file === undefined && said.device !== handset.ear.role) {
      said.device = handset.ear.role;
      this.#plain({ name: 'connectSession', args: { session: ourSession, device: said.device } });
    }
    this.#choose(now);
  }

  #stateOf(group: string): PageStatus['state'] {
    if (this.#said?.group.name === group) return 'sending';
    if (this.#heard?.group === group) return 'heard';
    return this.#speaking.has(group) ? 'ignored' : 'idle';
  }

  #configure(): void {
    const { groups, interface: at, networks, silenceMs } = this.#ports.settings();
    const heard = groups.filter(({ listens }) => listens);
    const named = heard.map(({ name, address, port, opusPayloadType }) => [name, { address, port, opusPayloadType }]);
    const args = { groups: Object.fromEntries(named), interface: at, networks: [...networks], silenceMs };
    const text = JSON.stringify(args);
    // A phone without groups says nothing of them.
    if (text === this.#configured || (this.#configured === '' && heard.length === 0)) return;
    this.#configured = text;
    this.#send({ name: 'configurePaging', args }, 'configure');
  }

  #takeHealth(reply: Reply): void {
    if (!reply.ok) {
      this.#obstacles = [`announcements are not heard: ${reply.reason}`];
      return;
    }
    const { groups } = reply.result as ResultOf<Media, 'configurePaging'>;
    this.#obstacles = Object.entries(groups).flatMap(([name, { ok, reason }]) =>
      ok ? [] : [`announcements to ${name} are not heard: ${reason ?? ''}`],
    );
  }

  /** Of those that may be heard now the most important, of several of the same the one that came first. */
  #choose(now: Milliseconds): void {
    const { handset, settings } = this.#ports;
    const { groups, device, inCall } = settings();
    const candidates = [...this.#speaking.keys()].flatMap((name) => groups.find((group) => group.name === name) ?? []);
    let best: PageGroup | undefined;
    for (const group of candidates) if (this.#mayBeHeard(group) && (!best || group.priority < best.priority)) best = group;
    const isHolding = this.#held !== undefined && handset.focus === this.#held;
    const wanted = best && { group: best.name, device: handset.state === 'idle' ? device : handset.ear.role };
    this.#hear(wanted);
    if (wanted && inCall === 'hold' && !isHolding && handset.focus?.talking && !handset.focus.onHold) {
      this.#held = handset.focus;
      handset.hold(now);
    } else if (!wanted && this.#held) {
      const held = this.#held;
      this.#held = undefined;
      if (isHolding && held.onHold) handset.resume(now, held.plan.id);
    }
  }

  #mayBeHeard({ priority }: PageGroup): boolean {
    const { handset, doNotDisturb, settings } = this.#ports;
    const { callPriority, emergencyPriority } = settings();
    // Who speaks to a group would be heard there with what others say.
    if (this.#said && this.#said.file === undefined) return false;
    if (doNotDisturb() && priority > emergencyPriority) return false;
    const inUse = handset.state !== 'idle' || handset.knocking !== undefined;
    return !inUse || priority <= callPriority || priority <= emergencyPriority;
  }

  #hear(wanted: { readonly group: string; readonly device: string } | undefined): void {
    const before = this.#heard;
    if (before?.group === wanted?.group && before?.device === wanted?.device) return;
    if (before && before.group !== wanted?.group) this.#plain({ name: 'hearPage', args: { group: before.group, device: null } });
    if (wanted) this.#plain({ name: 'hearPage', args: wanted });
    this.#heard = wanted;
    if (wanted) this.#ports.outbox.fact('page.heard', wanted);
  }

  #opened(): void {
    if (!this.#said) return;
    this.#said.opened = true;
    const { file } = this.#said;
    if (file === undefined) return;
    const target = { kind: 'session', session: ourSession } as const;
    this.#send({ name: 'startPlayback', args: { playback: ourSession, target, file, repeat: 1, gapMs: 0 } }, 'play');
  }

  #failed(now: Milliseconds, reason: string): void {
    const group = this.#said?.group.name;
    if (group === undefined) return;
    this.#ports.outbox.fact('page.failed', { group, reason });
    this.#obstacles = [`${group} was not spoken to: ${reason}`];
    this.#endOwn(now);
  }

  #endOwn(now: Milliseconds): void {
    const { handset } = this.#ports;
    const byPerson = this.#said?.file === undefined;
    this.#said = undefined;
    this.#plain({ name: 'closeSession', args: { session: ourSession } });
    if (byPerson) handset.vacate(now);
  }

  #plain(command: MediaCommand): void {
    this.#ports.outbox.media(command);
  }

  #send(command: MediaCommand, pending: 'configure' | 'open' | 'play'): void {
    this.#pending.set(this.#ports.outbox.media(command), pending);
  }
}

function codecOf({ codec, opusPayloadType }: PageGroup, wishes: OpusWishes): SessionParameters['codecs'][0] {
  if (codec === 'opus') {
    return { name: codec, send: opusPayloadType, receive: opusPayloadType, encoding: { ...wishes, playbackRate: 48_000 } };
  }
  const payloadType = fixedPayloadTypes[codec];
  return { name: codec, send: payloadType, receive: payloadType };
}
