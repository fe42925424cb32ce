import { essenceOf } from '../message/media-type.ts';
import type { Request } from '../message/message.ts';
import { decodeText } from '../message/text.ts';
import { messageSummaryPackage } from './event-package.ts';

/** RFC 3842 §5.2: what a voice mailbox holds. */
export interface MessageSummary {
  readonly waiting: boolean;
  readonly newMessages: number;
  readonly oldMessages: number;
}

/** How much of a body is looked at, in octets: a summary has a handful of lines. */
const bytesAtMost = 4_096;

/** The summary a NOTIFY carries; `undefined` when its body is none. */
export function messageSummaryOf(request: Request): MessageSummary | undefined {
  const { contentType, body } = request;
  if (!contentType || !messageSummaryPackage.accept.includes(essenceOf(contentType))) return undefined;
  const fields = new Map<string, string>();
  for (const line of decodeText(body.subarray(0, bytesAtMost)).split('\n')) {
    const colon = line.indexOf(':');
    if (colon > 0) fields.set(line.slice(0, colon).trim().toLowerCase(), line.slice(colon + 1).trim());
  }
  const waiting = fields.get('messages-waiting')?.toLowerCase();
  if (waiting !== 'yes' && waiting !== 'no') return undefined;
  const [newMessages, oldMessages] = countsOf(fields.get('voice-message') ?? '');
  return { waiting: waiting === 'yes', newMessages, oldMessages };
}

/** `2/8 (0/2)`: new and old ones, the urgent ones among them not counted again. */
function countsOf(text: string): readonly [number, number] {
  const slash = text.indexOf('/');
  const fresh = Number.parseInt(text, 10);
  const old = Number.parseInt(text.slice(slash + 1), 10);
  const valid = slash > 0 && fresh >= 0 && old >= 0;
  return valid ? [fresh, old] : [0, 0];
}
