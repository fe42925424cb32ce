import type { StateTable } from '#firmware/core/state-table.ts';

export type RegistrationPhase = 'idle' | 'registering' | 'registered' | 'waiting' | 'rejected' | 'leaving' | 'removing' | 'terminated';
export type RegistrationTimer = 'refresh' | 'retry' | 'longRetry';
export type RegistrationInput =
  | `timer ${RegistrationTimer}`
  | 'start'
  | 'succeeded'
  | 'moved'
  | 'failed'
  | 'refused'
  | 'amended'
  | 'lost'
  | 'readdressed'
  | 'stop';
export type RegistrationAction =
  | 'sendRegister'
  | 'sendRemoval'
  | 'reportRegistering'
  | 'reportRegistered'
  | 'reportFailed'
  | 'reportRejected'
  | 'reportRemoved';

/**
 * RFC 3261 §10.2: one binding of one account. One REGISTER at a time; a stop that comes in between waits for its answer (`leaving`).
 * `amended`: refused for something that we have changed. `moved`: registered, but the registrar sees us under another address than our Contact says. `readdressed`: the network is another one.
 * `waiting` retries soon, `rejected` late.
 */
export const registrationTable: StateTable<RegistrationPhase, RegistrationInput, RegistrationAction, RegistrationTimer> = {
  idle: {
    timers: [],
    on: { start: { to: 'registering', do: ['reportRegistering', 'sendRegister'] }, stop: { to: 'terminated', do: ['reportRemoved'] } },
  },
  registering: {
    timers: [],
    on: {
      succeeded: { to: 'registered', do: ['reportRegistered'] },
      moved: { to: 'registering', do: ['sendRegister'] },
      amended: { to: 'registering', do: ['sendRegister'] },
      readdressed: { to: 'registering', do: ['sendRegister'] },
      failed: { to: 'waiting', do: ['reportFailed'] },
      refused: { to: 'rejected', do: ['reportRejected'] },
      stop: { to: 'leaving', do: [] },
    },
  },
  registered: {
    timers: ['refresh'],
    on: {
      'timer refresh': { to: 'registering', do: ['sendRegister'] },
      start: { to: 'registering', do: ['sendRegister'] },
      lost: { to: 'registering', do: ['sendRegister'] },
      readdressed: { to: 'registering', do: ['sendRegister'] },
      stop: { to: 'removing', do: ['sendRemoval'] },
    },
  },
  waiting: {
    timers: ['retry'],
    on: {
      'timer retry': { to: 'registering', do: ['reportRegistering', 'sendRegister'] },
      readdressed: { to: 'registering', do: ['reportRegistering', 'sendRegister'] },
      start: { to: 'registering', do: ['reportRegistering', 'sendRegister'] },
      stop: { to: 'removing', do: ['sendRemoval'] },
    },
  },
  rejected: {
    timers: ['longRetry'],
    on: {
      'timer longRetry': { to: 'registering', do: ['reportRegistering', 'sendRegister'] },
      start: { to: 'registering', do: ['reportRegistering', 'sendRegister'] },
      stop: { to: 'terminated', do: ['reportRemoved'] },
    },
  },
  leaving: {
    timers: [],
    on: {
      succeeded: { to: 'removing', do: ['sendRemoval'] },
      moved: { to: 'removing', do: ['sendRemoval'] },
      amended: { to: 'terminated', do: ['reportRemoved'] },
      failed: { to: 'terminated', do: ['reportRemoved'] },
      refused: { to: 'terminated', do: ['reportRemoved'] },
    },
  },
  removing: {
    timers: [],
    on: {
      succeeded: { to: 'terminated', do: ['reportRemoved'] },
      moved: { to: 'terminated', do: ['reportRemoved'] },
      amended: { to: 'terminated', do: ['reportRemoved'] },
      failed: { to: 'terminated', do: ['reportRemoved'] },
      refused: { to: 'terminated', do: ['reportRemoved'] },
    },
  },
  terminated: { timers: [], on: {} },
};
