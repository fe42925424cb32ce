/**
 * Not a daemon: the process of one sound card, which the media service starts for each card that it opens (docs/decisions/0005). Argument:
 * the device specification as JSON, or `list`. stdin: frames for the loudspeaker; file descriptor 3: messages (hal/audio/sound-messages.ts).
 */
import { Socket } from 'node:net';
import { parse } from 'valibot';
import { audioDeviceSchema } from '#firmware/contract/media.ts';
import { runSoundHost, runSoundList } from '#hal/audio/sound-host.ts';

const messages = new Socket({ fd: 3, readable: false, writable: true });
const [, , wish = 'null'] = process.argv;
if (wish === 'list') await runSoundList(messages);
else {
  const spec = parse(audioDeviceSchema, JSON.parse(wish));
  if (spec.driver !== 'portaudio') throw new Error(`a sound process is for portaudio, not for ${spec.driver}`);
  await runSoundHost(spec, process.stdin, messages);
}
