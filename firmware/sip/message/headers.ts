import { InvariantError } from '#firmware/core/errors.ts';

/** One header field as it stood in the message: original name, value unfolded and trimmed. Reads of typed values are kept. */
export class HeaderField {
  /** As written: `v`, `VIA`, `Via`. */
  readonly name: string;
  /** Lower-cased long form: `via`. */
  readonly key: string;
  readonly value: string;

  constructor(name: string, value: string) {
    this.name = name;
    this.key = headerKey(name);
    this.value = value;
  }

  /** The value as `parse` reads it, kept for the next reader of the same kind; `undefined` if it is malformed. */
  as<T>(parse: (text: string) => T | undefined): T | undefined {
    return parse(this.value);
  }
}

/** The header fields of a message in order. Immutable: every `with…` gives a new list that shares the fields. */
export class HeaderList implements Iterable<HeaderField> {
  readonly fields: readonly HeaderField[];

  constructor(fields: readonly HeaderField[]) {
    this.fields = fields;
  }

  /** From names and values, in order. */
  static of(entries: Iterable<readonly [name: string, value: string]>): HeaderList {
    throw new InvariantError(`not built: ${entries}`);
  }

  [Symbol.iterator](): Iterator<HeaderField> {
    return this.fields[Symbol.iterator]();
  }

  /** The first field of that name in any spelling (`Via`, `v`). */
  first(name: string): HeaderField | undefined {
    throw new InvariantError(`not built: ${name}`);
  }

  all(name: string): readonly HeaderField[] {
    throw new InvariantError(`not built: ${name}`);
  }

  has(name: string): boolean {
    return this.first(name) !== undefined;
  }

  /** The value of the first field of that name. */
  get(name: string): string | undefined {
    return this.first(name)?.value;
  }

  /** The elements of all fields of that name, comma lists taken apart (commas in quotes and angle brackets stay). */
  values(name: string): readonly string[] {
    throw new InvariantError(`not built: ${name}`);
  }

  /** Replaces all fields of that name by one, where the first stood, else at the end. */
  with(name: string, value: string): HeaderList {
    throw new InvariantError(`not built: ${name} ${value}`);
  }

  /** Adds a field before the first of that name, else before all. */
  prepend(name: string, value: string): HeaderList {
    throw new InvariantError(`not built: ${name} ${value}`);
  }

  /** Adds a field after the last of that name, else at the end. */
  append(name: string, value: string): HeaderList {
    throw new InvariantError(`not built: ${name} ${value}`);
  }

  without(name: string): HeaderList {
    throw new InvariantError(`not built: ${name}`);
  }

  /** Takes away the first element of a comma list header: the top Via of a response, the first Route of a request. */
  withoutFirstValue(name: string): HeaderList {
    throw new InvariantError(`not built: ${name}`);
  }
}

/** The lower-cased long form of a header name: `v` and `VIA` give `via`. */
export function headerKey(name: string): string {
  throw new InvariantError(`not built: ${name}`);
}
