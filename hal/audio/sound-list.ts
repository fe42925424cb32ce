import { spawn } from 'node:child_process';
import type { Readable } from 'node:stream';
import type { Milliseconds } from '#firmware/core/clock.ts';
import { ResourceError } from '#firmware/core/errors.ts';
import type { SoundDeviceEntry } from './device-choice.ts';
import { SoundMessageReader } from './sound-messages.ts';

/** A slow machine starts Node in a second, and PortAudio asks every card. */
const listWithinMs: Milliseconds = 8_000;

/** What devices there are, asked in a process of its own: PortAudio may hang with one. `program` is `services/sound/main`. Rejects with ResourceError. */
export async function listSoundDevices(program: string): Promise<SoundDeviceEntry[]> {
  const child = spawn(process.execPath, [...process.execArgv, program, 'list'], { stdio: ['ignore', 'ignore', 'ignore', 'pipe'] });
  const killer = setTimeout(() => child.kill('SIGKILL'), listWithinMs);
  try {
    return await new Promise((resolve, reject) => {
      const reader = new SoundMessageReader();
      (child.stdio[3] as Readable).on('data', (bytes: Buffer) =>
        reader.receive(bytes, (kind, content) => {
          const text = content.toString('utf8');
          if (kind === 'listed') resolve(JSON.parse(text) as SoundDeviceEntry[]);
          else if (kind === 'failed') reject(new ResourceError(text));
        }),
      );
      child.once('error', (error) => reject(new ResourceError(`the sound process cannot be started: ${error.message}`)));
      child.once('close', (code, signal) => reject(new ResourceError(`the sound devices do not say what they are (${signal ?? code})`)));
    });
  } finally {
    clearTimeout(killer);
  }
}
