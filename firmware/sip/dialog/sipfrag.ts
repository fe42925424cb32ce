import { essenceOf } from '../message/media-type.ts';
import type { Message } from '../message/message.ts';
import { reasonPhraseOf } from '../message/response-reasons.ts';
import { decodeText } from '../message/text.ts';

/** RFC 3420: a part of a SIP message; RFC 3515 §2.4.5 tells with its status line how a referred call stands. */
export const sipfragType = 'message/sipfrag';

export interface ReferredStatus {
  /** 100 to 699. */
  readonly statusCode: number;
  readonly reasonPhrase: string;
}

/** How much of a body is looked at: the status line comes first. */
const bytesAtMost = 512;

export function formatSipfrag(statusCode: number): string {
  return `SIP/2.0 ${statusCode} ${reasonPhraseOf(statusCode)}\r\n`;
}

/** The status a NOTIFY carries; `undefined` when its body is no such fragment. */
export function sipfragOf({ contentType, body }: Message): ReferredStatus | undefined {
  if (!contentType || essenceOf(contentType) !== sipfragType) return undefined;
  const [line = ''] = decodeText(body.subarray(0, bytesAtMost)).split('\n', 1);
  const status = /^SIP\/2\.0 ([1-6]\d\d)(?: |\r|$)/i.exec(line)?.[1];
  return status === undefined ? undefined : { statusCode: Number(status), reasonPhrase: line.slice(12).trim() };
}
