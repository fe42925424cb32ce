import { exportSettings } from '#firmware/config/changes.ts';
import type { Actuation, BoardProfile, LearnArguments, LessonState } from '#firmware/contract/hal.ts';
import type { phoneContract } from '#firmware/contract/phone.ts';
import type { Milliseconds } from '#firmware/core/clock.ts';
import { UsageError } from '#firmware/core/errors.ts';
import type { Phone } from '#firmware/phone/phone.ts';
import type { Implementation } from '#firmware/platform/unix-socket.ts';
import type { RecordKeeper } from './record-keeper.ts';
import type { SettingsKeeper } from './settings-keeper.ts';

export interface PhoneCommandsPorts {
  readonly settings: SettingsKeeper;
  readonly records: RecordKeeper;
  /** Feeds the phone and does what it wants done. */
  drive<T>(input: (phone: Phone, now: Milliseconds) => T): T;
  /** Moves the virtual board. */
  actuate(actuation: Actuation): Promise<unknown>;
  /** How long a WAV file is; rejects with UsageError when it cannot be played. */
  examineSound(file: string): Promise<{ seconds: number }>;
  /** Sound devices are media's: what is asked of them is passed on. */
  sound: Pick<Implementation<typeof phoneContract>, 'soundDevices' | 'testSound'>;
  /** Recordings are media's: what is asked of them is passed on. */
  recordings: Pick<Implementation<typeof phoneContract>, 'recordings' | 'readRecording' | 'deleteRecording'>;
  /** A lesson at the board. */
  learn(wish: LearnArguments): Promise<LessonState>;
  keepBoard(wish: { readonly profile: BoardProfile; readonly keepOutputs: boolean }): Promise<{ path: string }>;
  /** The parts around the phone, for `describe`. */
  surroundings(): object;
}

/** The phone contract, command by command. */
export function phoneCommands(ports: PhoneCommandsPorts): Implementation<typeof phoneContract> {
  const { settings, records, drive } = ports;
  const nothing = {};
  return {
    status: () => drive((phone, now) => phone.status(now)),
    call: ({ target, line, ...wishes }) => ({ call: drive((phone, now) => phone.call(now, target, line, wishes)) }),
    redial: () => ({ call: drive((phone, now) => phone.redial(now)) }),
    accept: ({ call }) => drive((phone, now) => phone.accept(now, call)) ?? nothing,
    hangup: ({ call }) => drive((phone, now) => phone.hangUp(now, call)) ?? nothing,
    ...ports.sound,
    handsFree: ({ role }) => drive((phone, now) => phone.handsFree(now, role)) ?? nothing,
    digit: ({ digit }) => drive((phone, now) => phone.digit(now, digit)) ?? nothing,
    hold: ({ call }) => drive((phone, now) => phone.hold(now, call)) ?? nothing,
    resume: ({ call }) => drive((phone, now) => phone.resume(now, call)) ?? nothing,
    transfer: (wish) => drive((phone, now) => phone.transfer(now, wish)) ?? nothing,
    conference: ({ call }) => drive((phone, now) => phone.act(now, ({ sounds }) => sounds.unite(now, call))) ?? nothing,
    setLevel: ({ call, decibels }) => drive((phone, now) => phone.act(now, ({ sounds }) => sounds.setLevel(decibels, call))) ?? nothing,
    play: async ({ file, repeat, call }) => {
      const examined = await ports.examineSound(drive((phone) => phone.sounds.soundPath(file)));
      drive((phone, now) => phone.act(now, ({ sounds }) => sounds.play(file, repeat, call)));
      return examined;
    },
    stopPlaying: ({ call }) => drive((phone, now) => phone.act(now, ({ sounds }) => sounds.stopPlaying(call))) ?? nothing,
    record: ({ on, call }) => drive((phone, now) => phone.act(now, ({ sounds }) => sounds.record(on, call))) ?? nothing,
    ...ports.recordings,
    page: async ({ group, file }) => {
      if (file !== undefined) await ports.examineSound(drive((phone) => phone.sounds.soundPath(file)));
      drive((phone, now) => phone.act(now, ({ sounds }) => sounds.page(now, group, file)));
      return nothing;
    },
    stopPage: () => drive((phone, now) => phone.act(now, ({ sounds }) => sounds.paging.stop(now))) ?? nothing,
    setDoNotDisturb: ({ on, line }) => drive((phone, now) => phone.setDoNotDisturb(now, on, line)) ?? nothing,
    message: (wish) => ({ message: drive((phone, now) => phone.act(now, ({ texts }) => texts.send(now, wish))) }),
    composing: ({ active, ...wish }) => drive((phone, now) => phone.act(now, ({ texts }) => texts.composing(now, wish, active))) ?? nothing,
    pickUp: ({ name }) => ({ call: drive((phone, now) => phone.act(now, ({ events }) => events.watches.pickUp(now, name).plan.id)) }),
    join: ({ name }) => ({ call: drive((phone, now) => phone.act(now, ({ events }) => events.watches.join(now, name).plan.id)) }),
    completeCall: ({ on }) => {
      drive((phone, now) => phone.act(now, ({ events }) => (on ? events.completion.ask(now) : events.completion.cancel(now))));
      return nothing;
    },
    texts: () => ({ texts: [...drive((phone) => phone.texts.all)] }),
    markTextsRead: () => drive((phone, now) => phone.act(now, ({ texts }) => texts.markRead())) ?? nothing,
    ladders: () => ({ ladders: drive((phone, now) => phone.ladders(now)) }),
    clearMissed: () => drive((phone, now) => phone.clearMissed(now)) ?? nothing,
    alert: ({ alert, token }) => ({ state: drive((phone, now) => phone.alert(now, alert, token)) }),
    actuate: async (actuation) => {
      await ports.actuate(actuation);
      return nothing;
    },
    learn: (wish) => {
      const busy = wish.action === 'start' && drive((phone, now) => phone.status(now)).calls.length > 0;
      if (busy) throw new UsageError('in-call', 'there is a call: the board can be learnt when it is over');
      return ports.learn(wish);
    },
    board: () => ({ profile: settings.phoneSettings.board }),
    keepBoard: (wish) => ports.keepBoard(wish),
    callLog: async ({ limit }) => ({ entries: await records.callLog(limit) }),
    doorLog: async ({ limit }) => ({ entries: await records.doorLog(limit) }),
    listSettings: ({ prefix, reveal }) => ({ settings: [...settings.current.list({ prefix, reveal, store: 'phone' })] }),
    changeSettings: (request) => settings.change(request),
    exportSettings: ({ reveal }) => ({ document: exportSettings(settings.current, { reveal }) }),
    importSettings: ({ document }) => settings.import(document),
    describe: () => ({ ...drive((phone, now) => phone.describe(now)), ...ports.surroundings() }),
  };
}
