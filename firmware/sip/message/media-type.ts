import { charClass, code, lowerSlice, skipClass } from './grammar.ts';
import { Cursor, readParams } from './params.ts';

/** RFC 3261 §20.15: type and subtype in lower case, parameters by lower-cased name with quotes undone. */
export interface MediaType {
  readonly type: string;
  readonly subtype: string;
  readonly params: ReadonlyMap<string, string>;
}

export function parseMediaType(text: string, start = 0, end: number = text.length): MediaType | undefined {
  const cursor = new Cursor(text, start, end);
  const type = readLowerToken(cursor);
  const subtype = cursor.skip(code.slash) ? readLowerToken(cursor) : '';
  const params = readParams(cursor);
  cursor.skipSpace();
  return type && subtype && params && cursor.at === end ? { type, subtype, params } : undefined;
}

/** `application/sdp`, without parameters. */
export function essenceOf(mediaType: MediaType): string {
  return `${mediaType.type}/${mediaType.subtype}`;
}

function readLowerToken(cursor: Cursor): string {
  cursor.skipSpace();
  const start = cursor.at;
  cursor.at = skipClass(cursor.text, start, cursor.end, charClass.token);
  return lowerSlice(cursor.text, start, cursor.at);
}
