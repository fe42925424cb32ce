import { connect } from 'node:net';
import { pageSound } from '#firmware/contract/page-sound.ts';
import { FrameReader } from '#hal/audio/sound-messages.ts';
import type { OpenSoundLine } from './page-sound.ts';

/** Sound on its way to a media daemon that does not read, bytes: half a second. */
const waitingAtMost = 25 * pageSound.frameBytes;
const greeting = Buffer.from(pageSound.greeting, 'latin1');

/** Lines to the media daemon that listens on `path`. */
export function soundLinesTo(path: string): OpenSoundLine {
  return (events) => {
    const socket = connect(path);
    const reader = new FrameReader(pageSound.frameBytes);
    let seen: Buffer = Buffer.alloc(0);
    let begun = false;
    let reason = 'the sound service has ended it';
    socket.write(greeting);
    socket.on('data', (bytes: Buffer) => {
      if (begun) return reader.receive(bytes, (frame) => events.frame(frame));
      seen = Buffer.concat([seen, bytes]);
      if (seen.length < greeting.length) return;
      begun = seen.subarray(0, greeting.length).equals(greeting);
      if (!begun) return socket.destroy(new Error('the sound service is of another version'));
      events.begun();
      reader.receive(seen.subarray(greeting.length), (frame) => events.frame(frame));
    });
    socket.on('error', (error) => {
      reason = `the sound service does not answer: ${error.message}`;
    });
    socket.on('close', () => events.ended(reason));
    return {
      send: (frame) => {
        if (begun && socket.writable && socket.writableLength <= waitingAtMost) socket.write(frame);
      },
      end: () => socket.destroy(),
    };
  };
}
