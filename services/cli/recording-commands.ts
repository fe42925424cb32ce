import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { finished } from 'node:stream/promises';
import { messageOf, ResourceError } from '#firmware/core/errors.ts';
import { type Output, silently, withPhone } from './phone-commands.ts';
import type { Place } from './place.ts';

/** Begins or ends the recording of a call. */
export function record(place: Place, on: boolean, call: string | undefined): Promise<Output> {
  return withPhone(place, (phone) => silently(phone.command('record', { on, call })));
}

/** Oldest first. */
export function listRecordings(place: Place, options: { json: boolean }): Promise<Output> {
  return withPhone(place, async (phone) => {
    const { recordings } = await phone.command('recordings', {});
    if (options.json) return [JSON.stringify(recordings, null, 2)];
    return recordings.map(({ name, bytes, seconds, session }) => {
      const size = `${(bytes / 1024 / 1024).toFixed(1)} MB`;
      return `${name}  ${durationOf(seconds)}  ${size}${session === null ? '' : '  is being recorded'}`;
    });
  });
}

/** Writes a recording to `file`, which must not be there yet; by itself one of the same name here. */
export function saveRecording(place: Place, name: string, file = name): Promise<Output> {
  return withPhone(place, async (phone) => {
    let portion = await phone.command('readRecording', { name, offset: 0 });
    const { total } = portion;
    const target = createWriteStream(file, { flags: 'wx', mode: 0o600 });
    // Its error is told where its end is awaited.
    const done = finished(target);
    try {
      for (let offset = 0; offset < total; ) {
        const bytes = Buffer.from(portion.bytes, 'base64');
        if (bytes.length === 0) throw new Error('it ends too early');
        offset += bytes.length;
        if (!target.write(bytes) && !target.errored) await Promise.race([once(target, 'drain'), done]);
        if (offset < total) portion = await phone.command('readRecording', { name, offset });
      }
      target.end();
      await done;
    } catch (thrown) {
      target.destroy();
      throw new ResourceError(`${file} was not written: ${messageOf(thrown)}`);
    }
    return [`${file}: ${total} bytes`];
  });
}

export function deleteRecording(place: Place, name: string): Promise<Output> {
  return withPhone(place, (phone) => silently(phone.command('deleteRecording', { name })));
}

function durationOf(seconds: number): string {
  const whole = Math.round(seconds);
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, '0')}`;
}
