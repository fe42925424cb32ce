/** Something that takes bytes from strangers: must not throw, must not be slow, and keeps what `run` asserts by throwing. */
export interface FuzzTarget {
  readonly name: string;
  /** Valid input to begin with. */
  readonly seeds: readonly Uint8Array[];
  /** Words of its grammar. */
  readonly words: readonly string[];
  readonly run: (bytes: Uint8Array) => void;
  /** What a stranger who sends the bytes makes us do, and nothing else: its cost is measured. */
  readonly read: (bytes: Uint8Array) => unknown;
}
