import type { Readable, Writable } from 'node:stream';
import type { Milliseconds } from '#firmware/core/clock.ts';
import { messageOf } from '#firmware/core/errors.ts';
import { listPortAudioDevices, openPortAudioStream, type PortAudioSpec, type PortAudioStream } from './portaudio.ts';
import { encodeFormat, encodeSoundMessage, FrameReader } from './sound-messages.ts';

/** Longer than any buffer takes to play out. */
const quitWithinMs: Milliseconds = 1_000;

/**
 * The life of a process that holds one sound card: opens it, carries frames between PortAudio and its pipes, and ends with its input, that
 * is, with the process which started it. It has no logic: that is in PortAudioDevice, at the other end of the pipes.
 */
export async function runSoundHost(spec: PortAudioSpec, frames: Readable, messages: Writable): Promise<void> {
  // Who stops the device closes the pipe; a Ctrl-C or systemd's SIGTERM for the whole group would come before that.
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, outlive);
  messages.on('error', endAtOnce);
  let stream: PortAudioStream;
  try {
    stream = await openPortAudioStream(spec);
    stream.start({
      captured: (frame) => messages.write(encodeSoundMessage('captured', frame)),
      taken: () => spec.input === null && messages.write(encodeSoundMessage('taken')),
      ended: (reason) => fail(messages, reason),
    });
  } catch (thrown) {
    fail(messages, messageOf(thrown));
    return;
  }
  messages.write(encodeSoundMessage('started', encodeFormat(stream)));
  const reader = new FrameReader(stream.frameSamples * 2);
  frames.on('data', (bytes: Buffer) => reader.receive(bytes, (frame) => stream.write(frame)));
  for (const event of ['end', 'error'] as const) frames.once(event, () => void quit(stream));
}

/** Says what devices there are, and ends: PortAudio asks each of them, and may hang with one. */
export async function runSoundList(messages: Writable): Promise<void> {
  try {
    const listed = Buffer.from(JSON.stringify(await listPortAudioDevices()));
    messages.write(encodeSoundMessage('listed', listed), endAtOnce);
  } catch (thrown) {
    fail(messages, messageOf(thrown));
  }
}

async function quit(stream: PortAudioStream): Promise<void> {
  setTimeout(endAtOnce, quitWithinMs);
  await stream.quit();
  endAtOnce();
}

function fail(messages: Writable, reason: string): void {
  messages.write(encodeSoundMessage('failed', Buffer.from(reason.slice(0, 1000))), endAtOnce);
}

/** Not by exit(), which waits for PortAudio's threads, and they may hang. */
function endAtOnce(): void {
  process.kill(process.pid, 'SIGKILL');
}

function outlive(): void {}
