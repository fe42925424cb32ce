import { signal } from '@preact/signals';
import { pageSoundClosings } from '#firmware/contract/page-sound.ts';
import { soundTexts } from '../texts.ts';
import type { SoundReport, WorkerNews, WorkerTask } from './sound-report.ts';

/** The microphone and loudspeaker of this page in place of the handset: opened when somebody asks, all of it given back afterwards. */

export type SoundState = 'off' | 'asking' | 'joining' | 'on' | 'lost' | 'taken' | 'noMicrophone';

export const soundState = signal<SoundState>('off');
/** Why it is not on, in plain words; empty when there is nothing to say. */
export const soundTrouble = signal('');
export const soundReport = signal<SoundReport | undefined>(undefined);

/** How the sound is wanted. */
export interface SoundWishes {
  /** Interrupts the page that has it. */
  readonly takeOver: boolean;
  readonly microphone: boolean;
  /** Nobody hears the loudspeaker but the listener: there is no echo to take out, and the sound is left as it is. */
  readonly headphones: boolean;
}

interface Running {
  readonly stream: MediaStream | undefined;
  readonly context: AudioContext;
  readonly worker: Worker;
}

/** Names this page to the phone, so that it may come back after its connection was lost. */
let ownName = '';
let running: Running | undefined;
/** Counts what was asked, so that an answer which comes too late finds itself out. */
let attempt = 0;

/** Asks for the microphone and joins the telephone. */
export async function takeSound(wishes: SoundWishes): Promise<void> {
  leaveSound();
  const own = ++attempt;
  if (!isSecureContext || !navigator.mediaDevices) return refuse('off', soundTexts.insecure);
  soundState.value = 'asking';
  let stream: MediaStream | undefined;
  try {
    stream = wishes.microphone ? await openMicrophone(wishes.headphones) : undefined;
    if (own !== attempt) return stopStream(stream);
    soundState.value = 'joining';
    await join(own, stream, wishes.takeOver);
  } catch (thrown) {
    stopStream(stream);
    if (own === attempt) refuse(isMissing(thrown) ? 'noMicrophone' : 'off', whyNot(thrown));
  }
}

/** Gives the handset its place back, and the browser its microphone. */
export function leaveSound(): void {
  attempt++;
  soundState.value = 'off';
  soundTrouble.value = '';
  soundReport.value = undefined;
  const ending = running;
  running = undefined;
  if (!ending) return;
  ending.worker.terminate();
  stopStream(ending.stream);
  void ending.context.close();
}

function openMicrophone(headphones: boolean): Promise<MediaStream> {
  const processed = !headphones;
  return navigator.mediaDevices.getUserMedia({
    audio: { channelCount: 1, echoCancellation: processed, noiseSuppression: processed, autoGainControl: processed },
  });
}

async function join(own: number, stream: MediaStream | undefined, takeOver: boolean): Promise<void> {
  const context = new AudioContext({ latencyHint: 'interactive' });
  const worker = new Worker('/sound/sound-worker.js', { type: 'module' });
  running = { stream, context, worker };
  for (const track of stream?.getTracks() ?? []) {
    track.onended = () => own === attempt && refuse('off', soundTexts.microphoneGone);
  }
  await context.audioWorklet.addModule('/sound/sound-worklet.js');
  if (own !== attempt) return;
  const node = new AudioWorkletNode(context, 'page-handset', { channelCount: 1, channelCountMode: 'explicit', outputChannelCount: [1] });
  node.port.onmessage = ({ data }: MessageEvent<SoundReport>) => {
    soundReport.value = data;
  };
  node.onprocessorerror = () => refuse('off', soundTexts.broken);
  if (stream) context.createMediaStreamSource(stream).connect(node);
  node.connect(context.destination);
  introduce(node, worker).onmessage = ({ data }: MessageEvent<WorkerNews>) => own === attempt && hear(data);
  page?.postMessage({ takeOver });
  await context.resume();
}

let page: MessagePort | undefined;

/** Joins worker and audio thread by a channel of their own; gives the one to the page. */
function introduce(node: AudioWorkletNode, worker: Worker): MessagePort {
  const [sound, news] = [new MessageChannel(), new MessageChannel()];
  node.port.postMessage(sound.port1, [sound.port1]);
  ownName ||= crypto.randomUUID();
  const url = `${location.protocol === 'https:' ? 'wss' : 'ws'}://${location.host}/api/sound?page=${ownName}`;
  const task: WorkerTask = { url, page: news.port2, worklet: sound.port2 };
  worker.postMessage(task, [news.port2, sound.port2]);
  page = news.port1;
  return news.port1;
}

function hear(news: WorkerNews): void {
  if (news.kind !== 'closed') soundState.value = news.kind;
  else if (news.code === pageSoundClosings.taken) refuse('taken', soundTexts.taken);
  else if (news.code === pageSoundClosings.takenOver) refuse('taken', soundTexts.takenOver);
  else refuse('off', news.code === pageSoundClosings.forbidden ? soundTexts.forbidden : news.reason);
}

function refuse(state: SoundState, reason: string): void {
  leaveSound();
  soundState.value = state;
  soundTrouble.value = reason;
}

function stopStream(stream: MediaStream | undefined): void {
  for (const track of stream?.getTracks() ?? []) track.stop();
}

function nameOf(thrown: unknown): string {
  return thrown instanceof DOMException ? thrown.name : '';
}

function isMissing(thrown: unknown): boolean {
  return nameOf(thrown) === 'NotFoundError' || nameOf(thrown) === 'OverconstrainedError';
}

function whyNot(thrown: unknown): string {
  if (isMissing(thrown)) return soundTexts.noMicrophone;
  if (nameOf(thrown) === 'NotAllowedError' || nameOf(thrown) === 'SecurityError') return soundTexts.refused;
  return nameOf(thrown) === 'NotReadableError' ? soundTexts.microphoneBusy : `${soundTexts.broken} ${String(thrown)}`;
}

addEventListener('pagehide', leaveSound);
