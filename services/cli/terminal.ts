import type { Readable } from 'node:stream';
import { UsageError } from '#firmware/core/errors.ts';

const maximumInput = 1024 * 1024;

/** All text of a stream, as long as it is not absurd. */
export async function readAll(input: Readable): Promise<string> {
  const pieces: Buffer[] = [];
  let length = 0;
  for await (const piece of input) {
    const bytes = Buffer.from(piece);
    length += bytes.length;
    if (length > maximumInput) throw new UsageError('usage', `the input is longer than ${maximumInput} bytes`);
    pieces.push(bytes);
  }
  return Buffer.concat(pieces).toString('utf8');
}

/** A password: asked for without echo at a terminal, else the first line of stdin. */
export async function readPassword(prompt: string): Promise<string> {
  const { stdin, stderr } = process;
  if (!stdin.isTTY) return (await readAll(stdin)).split(/\r?\n/)[0] ?? '';
  stderr.write(prompt);
  stdin.setRawMode(true);
  try {
    return await readHiddenLine(stdin);
  } finally {
    stdin.setRawMode(false);
    stdin.pause();
    stderr.write('\n');
  }
}

function readHiddenLine(input: Readable): Promise<string> {
  return new Promise((resolve, reject) => {
    let line = '';
    const take = (bytes: Buffer): void => {
      for (const character of bytes.toString('utf8')) {
        if (character === '\r' || character === '\n') {
          input.off('data', take);
          resolve(line);
          return;
        }
        // Ctrl-C and Ctrl-D arrive as characters in raw mode.
        if (character === '\u0003' || character === '\u0004') {
          input.off('data', take);
          reject(new UsageError('cancelled', 'cancelled'));
          return;
        }
        line = character === '\u007f' || character === '\b' ? line.slice(0, -1) : line + character;
      }
    };
    input.on('data', take);
  });
}
