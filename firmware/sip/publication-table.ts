import type { StateTable } from '#firmware/core/state-table.ts';

export type PublicationState =
  | 'idle'
  | 'publishing'
  | 'stale'
  | 'published'
  | 'waiting'
  | 'refused'
  | 'leaving'
  | 'removing'
  | 'terminated';
export type PublicationTimer = 'refresh' | 'retry';
export type PublicationInput = `timer ${PublicationTimer}` | 'publish' | 'succeeded' | 'unknown' | 'failed' | 'refusal' | 'stop';
export type PublicationAction = 'send' | 'sendRefresh' | 'sendAnew' | 'sendRemoval' | 'report';

/**
 * RFC 3903 §4: one state that we keep published. One PUBLISH at a time: a change that comes in between (`stale`) goes out when the last one has
 * been answered. `unknown` is 412: the server has forgotten the state, which begins anew.
 */
export const publicationTable: StateTable<PublicationState, PublicationInput, PublicationAction, PublicationTimer> = {
  idle: { timers: [], on: { publish: { to: 'publishing', do: ['send'] }, stop: { to: 'terminated', do: [] } } },
  publishing: {
    timers: [],
    on: {
      publish: { to: 'stale', do: [] },
      succeeded: { to: 'published', do: ['report'] },
      unknown: { to: 'publishing', do: ['sendAnew'] },
      failed: { to: 'waiting', do: ['report'] },
      refusal: { to: 'refused', do: ['report'] },
      stop: { to: 'leaving', do: [] },
    },
  },
  stale: {
    timers: [],
    on: {
      succeeded: { to: 'publishing', do: ['send'] },
      unknown: { to: 'publishing', do: ['sendAnew'] },
      failed: { to: 'waiting', do: ['report'] },
      refusal: { to: 'refused', do: ['report'] },
      stop: { to: 'leaving', do: [] },
    },
  },
  published: {
    timers: ['refresh'],
    on: {
      publish: { to: 'publishing', do: ['send'] },
      'timer refresh': { to: 'publishing', do: ['sendRefresh'] },
      stop: { to: 'removing', do: ['sendRemoval'] },
    },
  },
  waiting: {
    timers: ['retry'],
    on: {
      publish: { to: 'waiting', do: [] },
      'timer retry': { to: 'publishing', do: ['send'] },
      stop: { to: 'terminated', do: [] },
    },
  },
  refused: { timers: [], on: { stop: { to: 'terminated', do: [] } } },
  leaving: {
    timers: [],
    on: {
      succeeded: { to: 'removing', do: ['sendRemoval'] },
      unknown: { to: 'terminated', do: [] },
      failed: { to: 'terminated', do: [] },
      refusal: { to: 'terminated', do: [] },
    },
  },
  removing: {
    timers: [],
    on: {
      succeeded: { to: 'terminated', do: [] },
      unknown: { to: 'terminated', do: [] },
      failed: { to: 'terminated', do: [] },
      refusal: { to: 'terminated', do: [] },
    },
  },
  terminated: { timers: [], on: {} },
};
