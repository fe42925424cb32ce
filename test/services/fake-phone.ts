import type { Ladder } from '#firmware/contract/ladder.ts';
import { type PhoneStatus, phoneContract } from '#firmware/contract/phone.ts';
import { UsageError } from '#firmware/core/errors.ts';
import { silentLogger } from '#firmware/core/logger.ts';
import { socketPathOf } from '#firmware/platform/daemon.ts';
import { nodeClock } from '#firmware/platform/node-clock.ts';
import { type Implementation, type ServedContract, serveContract } from '#firmware/platform/unix-socket.ts';

const sampleLadder: Ladder = {
  callId: 'a84b4c76@b',
  method: 'INVITE',
  target: 'bob@b.example',
  leftOut: 0,
  messages: [
    {
      at: 1_700_000_000_000,
      direction: 'sent',
      peer: 'udp:192.0.2.1:5060',
      start: 'INVITE',
      isResponse: false,
      cSeq: '1 INVITE',
      octets: 245,
    },
    {
      at: 1_700_000_000_040,
      direction: 'received',
      peer: 'udp:192.0.2.1:5060',
      start: '486 Busy Here',
      isResponse: true,
      cSeq: '1 INVITE',
      octets: 0,
    },
  ],
};

/** A phone daemon that remembers what it was asked, for the tests of the command line. */
export class FakePhone {
  /** Commands it got, as `name {args}`. */
  readonly commands: string[] = [];
  #served: ServedContract<typeof phoneContract> | undefined;

  async start(runtimeDirectory: string): Promise<void> {
    const options = { role: 'phone', clock: nodeClock, logger: silentLogger };
    this.#served = await serveContract(socketPathOf(runtimeDirectory, 'phone'), phoneContract, this.#implementation(), options);
  }

  async stop(): Promise<void> {
    await this.#served?.stop();
  }

  #implementation(): Implementation<typeof phoneContract> {
    const noted = (name: string) => (args: object) => {
      this.commands.push(`${name} ${JSON.stringify(args)}`);
      return {};
    };
    const unused = (): never => {
      throw new UsageError('unused', 'the command line does not use this');
    };
    const entry = { id: 1, at: 1_700_000_000_000, door: 'front', event: 'released', by: 'sip:bob@b', via: 'info', detail: '' } as const;
    return {
      status: () => sampleStatus,
      call: (args) => {
        noted('call')(args);
        if (args.target === 'nobody') throw new UsageError('no-such-line', 'there is no line to call from');
        return { call: 'c7' };
      },
      accept: noted('accept'),
      hangup: noted('hangup'),
      digit: noted('digit'),
      hold: noted('hold'),
      resume: noted('resume'),
      transfer: noted('transfer'),
      conference: noted('conference'),
      handsFree: noted('handsFree'),
      soundDevices: () => ({ devices: [sampleSoundDevice] }),
      testSound: (args) => ({
        ...noted('testSound')(args),
        device: 'usb:0d8c:0014',
        sampleRate: 48_000,
        quiet: -62,
        duringTone: -40,
        loudest: -18,
      }),
      setLevel: noted('setLevel'),
      play: (args) => ({ ...noted('play')(args), seconds: 2.5 }),
      stopPlaying: noted('stopPlaying'),
      record: noted('record'),
      recordings: () => ({ recordings: [{ name: sampleRecording, bytes: 1_920_044, seconds: 60, at: 0, session: null }] }),
      readRecording: ({ name, offset }) => {
        if (name !== sampleRecording) throw new UsageError('unknown-recording', `there is no recording ${name}`);
        const bytes = Buffer.from(sampleSound).subarray(offset, offset + 3);
        return { bytes: bytes.toString('base64'), total: sampleSound.length };
      },
      deleteRecording: noted('deleteRecording'),
      page: noted('page'),
      stopPage: noted('stopPage'),
      message: () => ({ message: 'm1' }),
      texts: () => ({ texts: [] }),
      composing: noted('composing'),
      pickUp: (args) => {
        noted('pickUp')(args);
        return { call: 'c8' };
      },
      join: (args) => {
        noted('join')(args);
        return { call: 'c9' };
      },
      completeCall: noted('completeCall'),
      markTextsRead: noted('markTextsRead'),
      redial: () => ({ call: 'c8' }),
      setDoNotDisturb: noted('setDoNotDisturb'),
      actuate: noted('actuate'),
      learn: unused,
      board: unused,
      ladders: () => ({ ladders: [sampleLadder] }),
      keepBoard: unused,
      alert: (args) => {
        noted('alert')(args);
        return { state: 'calling' };
      },
      callLog: ({ limit }) => ({ entries: limit === 1 ? [] : [sampleLogEntry] }),
      doorLog: () => ({ entries: [entry] }),
      clearMissed: unused,
      listSettings: unused,
      changeSettings: unused,
      exportSettings: unused,
      importSettings: unused,
      describe: unused,
    };
  }
}

export const sampleRecording = '20261120-224501-bob.wav';
export const sampleSound = 'RIFF and so on';

const sampleSoundDevice = {
  wish: 'usb:0d8c:0014',
  name: 'USB Audio Device',
  inputChannels: 1,
  outputChannels: 2,
  sampleRate: 48_000,
  rates: [44_100, 48_000],
  usedBy: ['handset', 'ringer'],
};

const sampleLogEntry = {
  id: 1,
  at: 1_700_000_000_000,
  direction: 'outgoing' as const,
  owner: 'handset' as const,
  line: '1',
  remote: 'sip:600@pbx',
  displayName: 'Echo',
  outcome: 'accepted' as const,
  statusCode: 200,
  seconds: 65,
};

export const sampleStatus: PhoneStatus = {
  version: '0.1.0',
  startedAt: 1_700_000_000_000,
  hook: 'offHook',
  display: ['Echo', '0:05'],
  dialed: '60',
  sound: {
    ear: 'handset',
    roles: ['handset', 'speaker'],
    devices: [
      { role: 'handset', ok: true, reason: null, standIn: null, volume: 80 },
      { role: 'speaker', ok: false, reason: 'there is no sound output named usb:0d8c:0014', standIn: 'handset', volume: 60 },
    ],
  },
  lines: [
    {
      line: '1',
      aor: 'sip:alice@pbx',
      registration: { state: 'rejected', statusCode: 403, reason: 'Forbidden', nextInMs: 59_500, elapsedMs: null },
      doNotDisturb: true,
      forward: null,
      messageWaiting: { waiting: true, newMessages: 2, oldMessages: 0 },
    },
  ],
  calls: [
    {
      call: 'c7',
      line: '1',
      direction: 'outgoing',
      owner: 'handset',
      state: 'active',
      remote: { displayName: 'Echo', uri: 'sip:600@pbx' },
      seconds: 5,
      remarks: [],
      heldByRemote: false,
      conference: false,
      level: 0,
      recording: false,
      encryption: null,
      way: null,
      transfer: null,
      digitsSent: '12',
      digitsReceived: '3*',
      digitWay: { way: 'info', evidence: ['took INFO application/dtmf-relay'] },
      acceptedInMs: 40,
      media: null,
    },
  ],
  alerts: [{ alert: 'flood', state: 'calling', startedAt: 1_700_000_000_000, round: 2, person: 'sip:bob@b', acknowledgedBy: null }],
  board: null,
  daemons: { hal: true, media: false },
  tone: 'dial',
  missedCalls: 3,
  unreadTexts: 0,
  writing: [],
  watched: [{ line: '1', name: '201', kind: 'calls', state: 'ringing', remote: 'Carol', reason: null }],
  completion: { remote: '202', state: 'offered' },
  pages: [{ group: 'hall', priority: 5, state: 'idle', source: null, refused: 0 }],
  notices: [],
  counters: {},
};
