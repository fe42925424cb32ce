/** Devices hand over and take sound in frames of one of these lengths, whatever their own period is. */
export type FrameLength = 10 | 20;

/** For sound cards: the sooner a frame is whole, the sooner it is heard. */
export const shortFrameMs: FrameLength = 10;

/** Where nothing is gained by shorter ones: half the wake-ups. */
export const frameMs: FrameLength = 20;

/**
 * A sound device: PortAudio, WAV files or silence. What every driver guarantees:
 *
 * - `listener.frame` is called once per `frameMs` of the *device's* clock (of the monotonic clock where there is no device), from a fresh turn
 *   of the event loop, never from within `start`, `stop` or `play`. A device without a microphone delivers silence, so that its clock still
 *   paces whoever listens. Late turns are made up for by calls in a row, or by a skip once a device has lost sound (`overruns`).
 * - Frames are mono signed 16 bit at `sampleRate`, `frameSamples` long. There is no resampling and no volume here.
 * - `play` never blocks and never throws. The queue is bounded: a frame that would make the sound late is dropped and counted.
 * - When the device dies (unplugged, no data for a while) `listener.failed` is called once, and nothing after it. The device is then
 *   stopped; `start` may be tried again.
 * - `start` and `stop` are idempotent, and `stop` resolves in bounded time even when the hardware hangs.
 */
export interface AudioDevice {
  /** For people and logs: driver and names, such as `portaudio:handset/handset`. */
  readonly identity: string;
  /** Samples per second of both directions; known for good once `start` has resolved, since a WAV file decides for itself. */
  readonly sampleRate: number;
  /** Length of a frame; known for good once `start` has resolved. */
  readonly frameMs: FrameLength;
  /** Samples of one frame. */
  readonly frameSamples: number;
  /** Frames handed to `play` that the device has not taken yet. */
  readonly queuedFrames: number;
  /** Rejects with a `ResourceError` in plain words when the device is not there or refuses. */
  start(listener: AudioListener): Promise<void>;
  stop(): Promise<void>;
  /** Queues one frame for the loudspeaker, copying it. False when it was dropped: stopped, no loudspeaker, or the queue is full. */
  play(frame: Int16Array): boolean;
  describe(): AudioDeviceStatus;
}

/** Who lives on a device's clock. */
export interface AudioListener {
  /** One frame of the microphone. The array is the driver's and is overwritten after the call. */
  frame(captured: Int16Array): void;
  /** The device is gone, in plain words; no frame will follow. */
  failed(reason: string): void;
}

/** A device's live state; the counters run since it was made. */
export interface AudioDeviceStatus {
  readonly identity: string;
  readonly running: boolean;
  readonly sampleRate: number;
  readonly framesCaptured: number;
  readonly framesPlayed: number;
  readonly queuedFrames: number;
  /** The loudspeaker had nothing to play when a frame was due. */
  readonly underruns: number;
  /** Captured sound was lost because it was not taken in time, frames. */
  readonly overruns: number;
  /** Frames `play` refused because the queue was full. */
  readonly framesDropped: number;
  /** What a sound card runs with in each direction. */
  readonly input?: ChosenDevice | undefined;
  readonly output?: ChosenDevice | undefined;
}

/** What was chosen for one direction of a card: the wish that finds it again, and with how many channels it runs. */
export interface ChosenDevice {
  readonly identity: string;
  readonly channels: number;
}
