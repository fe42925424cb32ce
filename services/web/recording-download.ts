import { Readable } from 'node:stream';
import type { FastifyInstance } from 'fastify';
import type { ResultOf } from '#firmware/contract/contract.ts';
import type { phoneContract } from '#firmware/contract/phone.ts';
import type { PhoneCommands } from './http-server.ts';

type Portion = ResultOf<typeof phoneContract, 'readRecording'>;

/** `GET /api/recordings/NAME`: a recording as a WAV file, portion by portion, as fast as whoever asked takes it. */
export function addRecordings(app: FastifyInstance, phone: PhoneCommands): void {
  app.get<{ Params: { name: string } }>('/api/recordings/:name', async (request, reply) => {
    const { name } = request.params;
    const read = async (offset: number) => (await phone.command('readRecording', { name, offset })) as Portion;
    // A name that is none is refused here, before anything is sent.
    const first = await read(0);
    reply.header('content-length', first.total).header('content-disposition', `attachment; filename="${name}"`);
    return await reply.type('audio/wav').send(Readable.from(portions(first, read), { objectMode: false }));
  });
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
