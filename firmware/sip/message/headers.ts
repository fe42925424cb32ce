import { UsageError } from '#firmware/core/errors.ts';
import { isToken } from './grammar.ts';
import { type HeaderName, headerKey, headerNamed } from './header-names.ts';
import { splitList } from './header-values.ts';

/** Reads a value that stands in a text, whose codes are given when they are at hand; `undefined` if it is malformed. */
export type ValueReader<T> = (text: string, start: number, end: number, codes?: Uint8Array) => T | undefined;

/** One header field as it stood in the message: original name, value unfolded and trimmed. Values are read on first use and kept. */
export class HeaderField {
  readonly #header: HeaderName;
  readonly #text: string;
  readonly #start: number;
  readonly #end: number;
  readonly #codes: Uint8Array | undefined;
  #reader: ValueReader<unknown> | undefined;
  #read: unknown;

  /** For the parser: the value stands in `text` from `start` to `end`. Others use `headerField`, which checks what it is given. */
  constructor(header: HeaderName, text: string, start: number, end: number, codes?: Uint8Array) {
    this.#header = header;
    this.#text = text;
    this.#start = start;
    this.#end = end;
    this.#codes = codes;
    this.#reader = undefined;
    this.#read = undefined;
  }

  /** A field in place of another whose value is known to read as `value` by `reader`: nobody need read it again. */
  static read<T>(replaced: HeaderField, text: string, reader: ValueReader<T>, value: T): HeaderField {
    const field = new HeaderField(replaced.#header, text, 0, text.length);
    field.#reader = reader;
    field.#read = value;
    return field;
  }

  /** As written: `v`, `VIA`, `Via`. */
  get name(): string {
    return this.#header.name;
  }

  /** Lower-cased long form: `via`. */
  get key(): string {
    return this.#header.key;
  }

  /** True if the parser looks at the value before it lets a message in. */
  get isJudged(): boolean {
    return this.#header.isJudged;
  }

  get value(): string {
    return this.#text.slice(this.#start, this.#end);
  }

  /** The value as `reader` reads it, kept for the next time with the same reader; `undefined` if it is malformed. */
  as<T>(reader: ValueReader<T>): T | undefined {
    if (this.#reader !== reader) {
      this.#read = reader(this.#text, this.#start, this.#end, this.#codes);
      this.#reader = reader;
    }
    // What is kept came from this same reader.
    return this.#read as T | undefined;
  }
}

/**
 * A field of our own making. Line breaks and NULs become spaces: a value may carry text that came from the network or a person, and must not
 * be able to begin another header.
 */
export function headerField(name: string, value: string): HeaderField {
  if (!isToken(name)) throw new UsageError('header-name', `not a header name: ${name}`);
  const text = singleLine(value).trim();
  return new HeaderField(headerNamed(name), text, 0, text.length);
}

/** `text` without line breaks and NULs. */
export function singleLine(text: string): string {
  return text.includes('\n') || text.includes('\r') || text.includes('\0') ? text.replaceAll(/[\r\n\0]+/g, ' ') : text;
}

/** The header fields of a message in order. Immutable: every `with…` gives a new list that shares the fields. */
export class HeaderList implements Iterable<HeaderField> {
  readonly fields: readonly HeaderField[];

  constructor(fields: readonly HeaderField[]) {
    this.fields = fields;
  }

  /** From names and values, in order. */
  static of(entries: Iterable<readonly [name: string, value: string]>): HeaderList {
    return new HeaderList(Array.from(entries, ([name, value]) => headerField(name, value)));
  }

  [Symbol.iterator](): Iterator<HeaderField> {
    return this.fields[Symbol.iterator]();
  }

  /** The first field of that name in any spelling (`Via`, `v`). */
  first(name: string): HeaderField | undefined {
    return this.firstOf(headerKey(name));
  }

  /** The first field with that key, the lower-cased long form. */
  firstOf(key: string): HeaderField | undefined {
    for (const field of this.fields) if (field.key === key) return field;
    return undefined;
  }

  all(name: string): readonly HeaderField[] {
    const key = headerKey(name);
    return this.fields.filter((field) => field.key === key);
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
    return this.listOf(headerKey(name), splitList);
  }

  /** The elements of all fields with that key as `reader` reads them; fields that are malformed are left out. */
  listOf<T>(key: string, reader: ValueReader<readonly T[]>): readonly T[] {
    let first: readonly T[] | undefined;
    let list: T[] | undefined;
    for (const field of this.fields) {
      if (field.key !== key) continue;
      const values = field.as(reader);
      if (!values) continue;
      if (!first) first = values;
      else {
        list ??= [...first];
        for (const value of values) list.push(value);
      }
    }
    return list ?? first ?? [];
  }

  /** Replaces all fields of that name by one, where the first stood, else at the end. */
  with(name: string, value: string): HeaderList {
    const field = headerField(name, value);
    const at = this.fields.findIndex(({ key }) => key === field.key);
    if (at < 0) return new HeaderList([...this.fields, field]);
    return new HeaderList(this.fields.flatMap((known, i) => (i === at ? [field] : known.key === field.key ? [] : [known])));
  }

  /** Adds a field before the first of that name, else before all. */
  prepend(name: string, value: string): HeaderList {
    const field = headerField(name, value);
    const at = this.fields.findIndex(({ key }) => key === field.key);
    return new HeaderList(this.fields.toSpliced(Math.max(at, 0), 0, field));
  }

  /** Adds a field after the last of that name, else at the end. */
  append(name: string, value: string): HeaderList {
    const field = headerField(name, value);
    const last = this.fields.findLastIndex(({ key }) => key === field.key);
    return new HeaderList(this.fields.toSpliced(last < 0 ? this.fields.length : last + 1, 0, field));
  }

  without(name: string): HeaderList {
    const key = headerKey(name);
    return new HeaderList(this.fields.filter((field) => field.key !== key));
  }

  /** Takes away the first element of a comma list header: the top Via of a response, the first Route of a request. */
  withoutFirstValue(name: string): HeaderList {
    const first = this.first(name);
    if (!first) return this;
    const rest = splitList(first.value).slice(1).join(', ');
    const replacement = rest === '' ? [] : [headerField(first.name, rest)];
    return new HeaderList(this.fields.toSpliced(this.fields.indexOf(first), 1, ...replacement));
  }
}
