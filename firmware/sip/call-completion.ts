import type { Identity } from './identity.ts';
import { parseParameterized } from './message/header-values.ts';
import type { Response } from './message/message.ts';
import { parseUri, type Uri } from './message/uri.ts';
import type { UserAgentSettings } from './user-agent-settings.ts';

const purpose = 'call-completion';

/** RFC 6910 §7.2: who is busy says in the refusal where a caller may ask to be told when they are free. */
export function completionLines({ offerCompletion }: UserAgentSettings, { account }: Identity): readonly (readonly [string, string])[] {
  if (!offerCompletion || !account) return [];
  return [['Call-Info', `<${account.aor.withParam('m', 'BS')}>;purpose=${purpose};m=BS`]];
}

/** RFC 6910 §6.2: where to ask to be told when the callee is free; `undefined` when that is not offered. */
export function completionOf(response: Response): Uri | undefined {
  for (const text of response.headerValues('Call-Info')) {
    const end = text.indexOf('>');
    const value = text.startsWith('<') && end > 0 ? parseParameterized(`x${text.slice(end + 1)}`) : undefined;
    if (value?.params.get('purpose')?.toLowerCase() === purpose) return parseUri(text.slice(1, end));
  }
  return undefined;
}
