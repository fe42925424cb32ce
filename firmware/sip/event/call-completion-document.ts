import { parseUri, type Uri } from '../message/uri.ts';

/** RFC 6910 §10. */
export const callCompletionDocumentType = 'application/call-completion';

/** Where a caller stands in the queue of one who was busy. */
export type CompletionState = 'queued' | 'ready';

/** RFC 6910 §10.1; `uri` is whom to call when it is ready. */
export function formatCallCompletion(state: CompletionState, uri: string): string {
  return `cc-state: ${state}\r\ncc-URI: ${uri}\r\n`;
}

/** What a queue tells; `undefined` for a text that says no state. */
export function callCompletionOf(text: string): { readonly state: CompletionState; readonly uri: Uri | undefined } | undefined {
  const fields = new Map<string, string>();
  for (const line of text.slice(0, 4_096).split('\n')) {
    const colon = line.indexOf(':');
    if (colon > 0) fields.set(line.slice(0, colon).trim().toLowerCase(), line.slice(colon + 1).trim());
  }
  const state = fields.get('cc-state')?.toLowerCase();
  if (state !== 'queued' && state !== 'ready') return undefined;
  return { state, uri: parseUri(fields.get('cc-uri') ?? '') };
}
