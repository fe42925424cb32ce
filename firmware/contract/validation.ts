import { type GenericSchema, getDotPath, safeParse } from 'valibot';

/** A value that came in, parsed by its schema, or why it is none. */
export type Validated = { readonly ok: true; readonly value: unknown } | { readonly ok: false; readonly reason: string };

/** Parses `value` by `schema`; the reason names the first field that is wrong and never repeats a value, which may be a secret. */
export function validate(schema: GenericSchema, value: unknown): Validated {
  const parsed = safeParse(schema, value, { abortEarly: true });
  if (parsed.success) return { ok: true, value: parsed.output };
  const issue = parsed.issues[0];
  const path = getDotPath(issue);
  // The library's own messages end in “but received …”, the value.
  const [said = ''] = issue.message.split(' but received');
  const problem = issue.kind === 'schema' ? `expected ${(issue.expected ?? 'another value').slice(0, 200)}` : said;
  return { ok: false, reason: path === null ? problem : `${path}: ${problem}` };
}
