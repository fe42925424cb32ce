import { InvariantError } from '#firmware/core/errors.ts';

/** RFC 3261 §20.15: type and subtype in lower case, parameters by lower-cased name with quotes undone. */
export interface MediaType {
  readonly type: string;
  readonly subtype: string;
  readonly params: ReadonlyMap<string, string>;
}

export function parseMediaType(text: string): MediaType | undefined {
  throw new InvariantError(`not built: ${text}`);
}

/** `application/sdp`, without parameters. */
export function essenceOf(mediaType: MediaType): string {
  return `${mediaType.type}/${mediaType.subtype}`;
}
