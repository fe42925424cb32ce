import type { EventOf, ResultOf } from '#firmware/contract/contract.ts';
import type { Digit, mediaContract } from '#firmware/contract/media.ts';
import { UsageError } from '#firmware/core/errors.ts';
import { parseUri } from '#firmware/sip/message/uri.ts';
import type { Call } from './call.ts';
import type { CallDesk } from './call-desk.ts';
import type { MediaDesk } from './media-desk.ts';
import type { MediaCommand, Outbox, Reply } from './outbox.ts';
import type { RecordingSettings } from './recording-settings.ts';

type Media = typeof mediaContract;

export interface RecordingDeskPorts {
  readonly desk: CallDesk;
  readonly media: MediaDesk;
  readonly outbox: Outbox;
  settings(): RecordingSettings;
}

/** One call that is recorded, or is to be. */
interface Wanted {
  /** As media named the file; `undefined` until it has. */
  name: string | undefined;
  told: boolean;
}

const labelAtMost = 32;

/**
 * Which calls are recorded. What is wanted is kept here, and media is told whenever it has the sound of the call, also when it has come back
 * after a crash; then there are two files.
 */
export class RecordingDesk {
  readonly #ports: RecordingDeskPorts;
  readonly #wanted = new Map<string, Wanted>();
  /** Calls that have begun to be recorded by themselves: what a person stops stays so. */
  readonly #begun = new Set<string>();
  readonly #pending = new Map<number, { readonly kind: 'start'; readonly call: string } | { readonly kind: 'list' }>();
  #limits = '';
  #pressed = '';
  /** Why the last recording ended that nobody had stopped. */
  #trouble: string | undefined;

  constructor(ports: RecordingDeskPorts) {
    this.#ports = ports;
  }

  /** What people should know and mend. */
  get notices(): string[] {
    return this.#trouble === undefined ? [] : [this.#trouble];
  }

  /** Some call is recorded. */
  get active(): boolean {
    return this.#wanted.size > 0;
  }

  isRecorded(call: string): boolean {
    return this.#wanted.has(call);
  }

  /** Begins or ends the recording of an accepted call. Throws UsageError when it is so already. */
  record(call: Call, on: boolean): void {
    const { id } = call.plan;
    if (on === this.isRecorded(id)) throw new UsageError('wrong-state', on ? 'the call is recorded already' : 'the call is not recorded');
    if (on) this.#begin(id);
    else this.#end(id);
  }

  /** A digit that the person has pressed in `call`: the last of the code begins or ends. */
  press(call: Call, digit: Digit): void {
    const { code } = this.#ports.settings();
    if (code === '' || digit === 'flash') return;
    this.#pressed = (this.#pressed + digit).slice(-code.length);
    if (this.#pressed !== code) return;
    this.#pressed = '';
    this.record(call, !this.isRecorded(call.plan.id));
  }

  // ── media ──

  connected(): void {
    this.#limits = '';
    this.lost();
    this.#pending.set(this.#ports.outbox.media({ name: 'recordings', args: {} }), { kind: 'list' });
  }

  lost(): void {
    this.#pending.clear();
    for (const wanted of this.#wanted.values()) wanted.told = false;
  }

  reply(id: number, reply: Reply): void {
    const pending = this.#pending.get(id);
    if (!pending) return;
    this.#pending.delete(id);
    if (pending.kind === 'start' && !reply.ok) this.#failed(pending.call, reply.reason);
    else if (!reply.ok) return;
    else if (pending.kind === 'list') this.#adopt(reply.result as ResultOf<Media, 'recordings'>);
    else this.#began(pending.call, (reply.result as ResultOf<Media, 'startRecording'>).name);
  }

  /** A recording is over, perhaps because its session was opened anew: then it begins again. */
  ended({ session, name, reason, detail }: EventOf<Media, 'recordingEnded'>): void {
    this.#ports.outbox.fact('recording.ended', { call: session, name, reason, detail: detail ?? null });
    const wanted = this.#wanted.get(session);
    if (reason === 'stopped') {
      if (wanted?.name === name) Object.assign(wanted, { name: undefined, told: false });
      return;
    }
    if (wanted) this.#wanted.delete(session);
    this.#trouble = `the recording ${name} ended: ${reason === 'tooLong' ? 'it became too long (recording.maximumMinutes)' : (detail ?? reason)}`;
  }

  /** Recordings follow the calls. */
  settle(): void {
    const { desk, media, outbox, settings } = this.#ports;
    for (const call of desk.all) if (call.talking) this.#beginByItself(call);
    for (const calls of [this.#wanted, this.#begun]) for (const id of [...calls.keys()]) if (!desk.get(id)?.alive) calls.delete(id);
    if (!media.up) return;
    const { limits, beep } = settings();
    const text = JSON.stringify(limits);
    if (text !== this.#limits) outbox.media({ name: 'configureRecordings', args: limits });
    this.#limits = text;
    for (const [id, wanted] of this.#wanted) {
      const call = desk.get(id);
      if (wanted.told || !call || !media.hasLeg(id)) continue;
      wanted.told = true;
      const command: MediaCommand = { name: 'startRecording', args: { session: id, label: this.#labelOf(call), beep } };
      this.#pending.set(outbox.media(command), { kind: 'start', call: id });
    }
  }

  describe(): object {
    return { wanted: Object.fromEntries([...this.#wanted].map(([call, { name, told }]) => [call, name ?? (told ? 'begins' : 'waits')])) };
  }

  #beginByItself({ plan, direction }: Call): void {
    const wish = plan.line?.features.record ?? 'never';
    if (wish === 'never' || this.#begun.has(plan.id)) return;
    if (wish === 'always' || wish === direction) {
      this.#begun.add(plan.id);
      if (!this.isRecorded(plan.id)) this.#begin(plan.id);
    }
  }

  #begin(id: string): void {
    this.#trouble = undefined;
    this.#wanted.set(id, { name: undefined, told: false });
  }

  #end(id: string): void {
    const { media, outbox } = this.#ports;
    const told = this.#wanted.get(id)?.told;
    this.#wanted.delete(id);
    if (told && media.up) outbox.media({ name: 'stopRecording', args: { session: id } });
  }

  #began(id: string, name: string): void {
    const wanted = this.#wanted.get(id);
    if (wanted) wanted.name = name;
    this.#ports.outbox.fact('recording.began', { call: id, name });
  }

  #failed(id: string, reason: string): void {
    this.#wanted.delete(id);
    this.#trouble = `a call was not recorded: ${reason}`;
    this.#ports.outbox.fact('recording.failed', { call: id, reason });
  }

  /** What media went on recording while nobody commanded it is still wanted. */
  #adopt({ recordings }: ResultOf<Media, 'recordings'>): void {
    for (const { session, name } of recordings) {
      if (session === null || !this.#ports.desk.get(session)?.alive) continue;
      this.#begun.add(session);
      this.#wanted.set(session, { name, told: true });
    }
  }

  /** Of the name that the file gets: with whom. */
  #labelOf({ remote }: Call): string {
    const uri = parseUri(remote.uri);
    const who = (uri?.kind === 'sip' ? (uri.user ?? uri.host) : '').replaceAll(/[^A-Za-z0-9_-]/g, '').slice(0, labelAtMost);
    return who === '' ? 'unknown' : who;
  }
}
