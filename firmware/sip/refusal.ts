import type { ResponseParts } from './message/build.ts';
import type { NameAddr } from './message/name-addr.ts';

/** What a refusal of a call says beyond its status. */
export interface RejectOptions {
  readonly reasonPhrase?: string | undefined;
  /** Of a 302: where to call instead. */
  readonly contacts?: readonly NameAddr[] | undefined;
  /** The text of a Warning 399. */
  readonly warning?: string | undefined;
  /** Further header fields in order. */
  readonly headers?: readonly (readonly [name: string, value: string])[] | undefined;
}

export function refusalParts({ reasonPhrase, contacts = [], warning, headers = [] }: RejectOptions): ResponseParts {
  const named = contacts.map((contact) => ['Contact', contact.toString()] as const);
  const text = warning?.replaceAll(/["\\]/g, "'");
  const warnings = text === undefined ? [] : [['Warning', `399 phone "${text}"`] as const];
  return { headers: [...named, ...warnings, ...headers], ...(reasonPhrase !== undefined && { reasonPhrase }) };
}
