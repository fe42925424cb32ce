import { Readable } from 'node:stream';
import type { ResultOf } from '#firmware/contract/contract.ts';
import type { phoneContract } from '#firmware/contract/phone.ts';

type Portion = ResultOf<typeof phoneContract, 'readRecording'>;

/** A recording on its way to whoever asked for it. */
export interface RecordingDownload {
  readonly octets: number;
  /** A WAV file, portion by portion, as fast as it is taken. */
  readonly stream: Readable;
}

/** `read` gives the portion at an offset. Rejects before anything is sent when there is no such recording. */
export async function openRecording(read: (offset: number) => Promise<Portion>): Promise<RecordingDownload> {
  const first = await read(0);
  return { octets: first.total, stream: Readable.from(portions(first, read), { objectMode: false }) };
}

async function* portions(first: Portion, read: (offset: number) => Promise<Portion>): AsyncGenerator<Buffer> {
  let portion = Buffer.from(first.bytes, 'base64');
  for (let offset = 0; portion.length > 0; ) {
    yield portion;
    offset += portion.length;
    if (offset >= first.total) return;
    portion = Buffer.from((await read(offset)).bytes, 'base64');
  }
}
