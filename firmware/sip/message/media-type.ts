import { charClass, code } from './grammar.ts';
import { readParams } from './params.ts';
import { Cursor, classEnd, codesOf, lowerBetween } from './scan.ts';

/** RFC 3261 §20.15: type and subtype in lower case, parameters by lower-cased name with quotes undone. */
export interface MediaType {
  readonly type: string;
  readonly subtype: string;
  readonly params: ReadonlyMap<string, string>;
}

export function parseMediaType(
  text: string,
  start = 0,
  end: number = text.length,
  codes: Uint8Array = codesOf(text),
): MediaType | undefined {
  const cursor = new Cursor(text, codes, start, end);
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
  cursor.at = classEnd(cursor.codes, start, cursor.end, charClass.token);
  return lowerBetween(cursor.text, cursor.codes, start, cursor.at);
}
