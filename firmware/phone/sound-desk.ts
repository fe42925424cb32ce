import { soundFile } from '#firmware/config/checks.ts';
import type { Digit } from '#firmware/contract/media.ts';
import type { Milliseconds } from '#firmware/core/clock.ts';
import { UsageError } from '#firmware/core/errors.ts';
import type { AlertDesk } from './alert-desk.ts';
import type { Call } from './call.ts';
import type { CallDesk } from './call-desk.ts';
import type { Handset } from './handset.ts';
import type { MediaDesk } from './media-desk.ts';
import type { MediaContractEvent, MediaNews } from './media-news.ts';
import type { Outbox, Reply } from './outbox.ts';
import { PagingDesk } from './paging-desk.ts';
import type { PhoneSettings } from './phone-settings.ts';
import { RecordingDesk } from './recording-desk.ts';

export interface SoundDeskPorts {
  readonly desk: CallDesk;
  readonly handset: Handset;
  readonly media: MediaDesk;
  readonly outbox: Outbox;
  doNotDisturb(): boolean;
  readonly alerts: AlertDesk;
  settings(): PhoneSettings;
}

/** What people want of the sound of calls beyond hearing it: far ends together, louder or softer, files played to them. */
export class SoundDesk {
  readonly recordings: RecordingDesk;
  readonly paging: PagingDesk;
  readonly #ports: SoundDeskPorts;
  /** What far ends on hold hear, by call. */
  readonly #music = new Map<string, string>();

  constructor(ports: SoundDeskPorts) {
    this.#ports = ports;
    this.recordings = new RecordingDesk({ ...ports, settings: () => ports.settings().recording });
    this.paging = new PagingDesk({ ...ports, settings: () => ports.settings().paging, opus: () => ports.settings().sound.opus });
  }

  /** A key of the keypad, heard by who presses it. Throws UsageError when there is nothing it could be for. */
  press(now: Milliseconds, digit: Digit): void {
    const { handset, media, settings } = this.#ports;
    const { focus } = handset;
    handset.digit(now, digit);
    if (focus?.talking) this.recordings.press(focus, digit);
    const { calls, mixing } = settings();
    if (mixing.keyTones && digit !== 'flash') media.playKey(handset.ear.role, digit, calls.digitMs);
  }

  /** Brings the accepted calls of the person together, or the one of that name to those that talk. Throws UsageError when it cannot be. */
  unite(now: Milliseconds, id?: string): void {
    this.#ports.handset.unite(now, id);
  }

  /** How much louder than received a far end is heard, dB, by the person and by all of a conference. */
  setLevel(decibels: number, id?: string): void {
    this.#ports.media.setLevel(this.#chosen(id).plan.id, decibels);
  }

  /** Begins or ends the recording of a call; without `on` whichever it is not. Throws UsageError when there is no such call. */
  record(on?: boolean, id?: string): void {
    const call = this.#chosen(id);
    this.recordings.record(call, on ?? !this.recordings.isRecorded(call.plan.id));
  }

  /** Makes the bell louder or softer while nothing but it can sound, else what the person hears; the setting follows. */
  turnVolume(by: number): void {
    const { handset, media, outbox } = this.#ports;
    const role = handset.state === 'idle' ? 'ringer' : handset.ear.role;
    const before = media.volumes[role];
    if (before === undefined) return;
    const volume = Math.min(100, Math.max(0, before + by));
    if (volume === before) return;
    media.setVolume(role, volume);
    outbox.setting(`audio.${role}.volume`, String(volume));
  }

  // ── the link to media ──

  mediaConnected(): void {
    this.#ports.media.connected();
    this.recordings.connected();
  }

  mediaLost(now: Milliseconds): void {
    this.#ports.media.lost();
    this.recordings.lost();
    this.paging.lost(now);
  }

  mediaReply(now: Milliseconds, id: number, reply: Reply): void {
    this.#ports.media.reply(now, id, reply);
    this.recordings.reply(id, reply);
    this.paging.reply(now, id, reply);
  }

  mediaEvent(now: Milliseconds, event: MediaContractEvent): void {
    if (event.name === 'recordingEnded') this.recordings.ended(event.fields);
    else if (event.name === 'pageBegan') this.paging.began(event.fields);
    else if (event.name === 'pageEnded') this.paging.ended(event.fields);
    else if (event.name === 'pageRefused') this.paging.refused(event.fields);
    else if (event.name === 'playbackEnded') this.paging.playbackEnded(now, event.fields.playback);
    this.#ports.media.event(now, event);
  }

  /** What media says: most of it is the calls’; an alert whose file cannot be played has nothing to say. */
  take(now: Milliseconds, news: MediaNews): void {
    const { desk, alerts } = this.#ports;
    if (news.kind !== 'playbackFailed') desk.takeMedia(now, news);
    else {
      const owner = desk.get(news.leg)?.plan.owner;
      if (owner?.kind === 'alert') alerts.playbackFailed(owner.name);
    }
  }

  /** Plays a file of the directory of sounds to the far end. Throws UsageError when the name is none or nobody listens. */
  play(file: string, repeat: number, id?: string): void {
    const path = this.soundPath(file);
    this.#ports.media.playToLeg(this.#chosen(id).plan.id, path, 0, repeat);
  }

  /** Speaks to a group of telephones, or plays it a file of the directory of sounds. */
  page(now: Milliseconds, group: string, file?: string): void {
    this.paging.page(now, group, file === undefined ? undefined : this.soundPath(file));
  }

  /** What people should know and mend. */
  get notices(): readonly string[] {
    return [...this.recordings.notices, ...this.paging.notices];
  }

  stopPlaying(id?: string): void {
    this.#ports.media.stopPlayback(this.#chosen(id).plan.id);
  }

  /** The whole path of a file that may be played. */
  soundPath(file: string): string {
    if (file === '' || soundFile(file)) throw new UsageError('unknown-file', `${file.slice(0, 100)} ${soundFile(file) ?? 'is no file'}`);
    return `${this.#ports.settings().mixing.soundDirectory}/${file}`;
  }

  /** Who is on hold hears music, if there is some; what has just begun or ended. */
  #playMusic(): void {
    const { desk, media, settings } = this.#ports;
    const { holdMusic } = settings().mixing;
    for (const call of desk.all) {
      const { id } = call.plan;
      const file = call.onHold && call.talking ? holdMusic : '';
      if ((this.#music.get(id) ?? '') === file) continue;
      if (file === '') media.stopPlayback(id);
      else media.playToLeg(id, file, 0);
      this.#music.set(id, file);
    }
    for (const id of this.#music.keys()) if (!desk.get(id)) this.#music.delete(id);
  }

  /** Sound follows the state of the calls. */
  settle(now: Milliseconds): void {
    this.#ports.handset.listen();
    this.#playMusic();
    this.recordings.settle();
    this.paging.settle(now);
  }

  /** The call of that name, else the one that the person talks in. */
  #chosen(id: string | undefined): Call {
    const call = id === undefined ? this.#ports.handset.focus : this.#ports.desk.get(id);
    if (call?.talking) return call;
    throw call ? new UsageError('wrong-state', 'nobody has accepted the call yet') : noCall(id);
  }
}

function noCall(id: string | undefined): UsageError {
  return id === undefined
    ? new UsageError('no-call', 'there is no call')
    : new UsageError('unknown-call', `there is no call ${id.slice(0, 40)}`);
}
