/** What the audio thread tells the page, ten times a second: levels in dBFS, what waits for the loudspeaker, how often nothing was there. */
export interface SoundReport {
  readonly levelIn: number;
  readonly levelOut: number;
  readonly waitingMs: number;
  readonly underruns: number;
}

/** What the page gives its worker: where to go, and the ports to itself and to the audio thread. */
export interface WorkerTask {
  readonly url: string;
  readonly page: MessagePort;
  readonly worklet: MessagePort;
}

/** What the worker tells the page. `closed` is final. */
export type WorkerNews = { readonly kind: 'on' | 'lost' } | { readonly kind: 'closed'; readonly code: number; readonly reason: string };
