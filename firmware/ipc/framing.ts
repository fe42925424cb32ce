/** The longest line either side may send, in bytes without its newline. */
export const maximumLineBytes = 256 * 1024;

/** What the framer found: a line of text, or a line that cannot be one. */
export type Frame =
  | { readonly kind: 'line'; readonly text: string }
  | { readonly kind: 'bad'; readonly code: 'line-too-long' | 'not-utf8'; readonly reason: string };

const newline = 10;
const initialBytes = 4096;

/**
 * Cuts a byte stream into lines of UTF-8. A line over the limit is thrown away up to its newline, so that the stream stays in step and
 * memory stays bounded whatever the other side sends.
 */
export class LineFramer {
  readonly #limit: number;
  readonly #decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
  /** The line under way: its first `#held` bytes. */
  #buffer = new Uint8Array(initialBytes);
  #held = 0;
  /** The line under way is over the limit: nothing of it is kept. */
  #skipping = false;

  constructor(limit: number = maximumLineBytes) {
    this.#limit = limit;
  }

  /** The lines that `bytes` completes. Empty lines are no lines. */
  receive(bytes: Uint8Array): Frame[] {
    const frames: Frame[] = [];
    let from = 0;
    for (;;) {
      const end = bytes.indexOf(newline, from);
      if (end < 0) break;
      const frame = this.#finish(bytes.subarray(from, end));
      if (frame) frames.push(frame);
      from = end + 1;
    }
    if (from < bytes.length) this.#hold(bytes.subarray(from));
    return frames;
  }

  #finish(tail: Uint8Array): Frame | undefined {
    this.#hold(tail);
    const line = this.#buffer.subarray(0, this.#held);
    const skipped = this.#skipping;
    this.#skipping = false;
    this.#held = 0;
    if (skipped) return { kind: 'bad', code: 'line-too-long', reason: `a line may have at most ${this.#limit} bytes` };
    if (line.length === 0) return undefined;
    const frame = this.#decode(line);
    if (this.#buffer.length > 16 * initialBytes) this.#buffer = new Uint8Array(initialBytes);
    return frame;
  }

  #decode(line: Uint8Array): Frame {
    try {
      return { kind: 'line', text: this.#decoder.decode(line) };
    } catch {
      return { kind: 'bad', code: 'not-utf8', reason: 'a line is not valid UTF-8' };
    }
  }

  #hold(piece: Uint8Array): void {
    const length = this.#held + piece.length;
    if (length > this.#limit) this.#skipping = true;
    if (this.#skipping) {
      this.#held = 0;
      return;
    }
    if (length > this.#buffer.length) {
      const larger = new Uint8Array(Math.max(length, 2 * this.#buffer.length));
      larger.set(this.#buffer.subarray(0, this.#held));
      this.#buffer = larger;
    }
    this.#buffer.set(piece, this.#held);
    this.#held = length;
  }
}
