import { signal } from '@preact/signals';
import type { CallLogEntry, PhoneStatus, TextEntry } from '#firmware/contract/phone.ts';

/** Live state of the phone in the page: one WebSocket brings whole snapshots; commands go out by POST. */

export type FeedState = 'connecting' | 'live' | 'lost' | 'locked';

export const feedState = signal<FeedState>('connecting');
export const phone = signal<PhoneStatus | undefined>(undefined);
/** `performance.now()` when `phone` arrived: call timers run on from there. */
export const snapshotAt = signal(0);
/** Why the last thing the person asked for was refused; empty when it was not. */
export const refusal = signal('');
export const recentCalls = signal<readonly CallLogEntry[]>([]);
/** Text messages, oldest first. */
export const texts = signal<readonly TextEntry[]>([]);

const retryAtMostMs = 10_000;
let retryMs = 500;

/** Opens the feed and keeps it open: a lost one is tried again, at most every 10 s. */
export function openFeed(): void {
  const socket = new WebSocket(`${location.protocol === 'https:' ? 'wss' : 'ws'}://${location.host}/api/feed`);
  socket.onmessage = (message) => {
    retryMs = 500;
    takeSnapshot(JSON.parse(String(message.data)) as { status: PhoneStatus | null });
  };
  socket.onclose = () => {
    if (feedState.value === 'locked') return;
    feedState.value = 'lost';
    void tellWhyLost();
    setTimeout(openFeed, retryMs);
    retryMs = Math.min(retryMs * 2, retryAtMostMs);
  };
}

/** Sends one command of the phone's contract. Gives whether it was done; a refusal is shown to the person. */
export async function ask(command: string, body: object = {}): Promise<boolean> {
  return (await order(command, body)) !== undefined;
}

/** As `ask`, and gives the answer; `undefined` when it was refused. */
export async function order<Answer>(command: string, body: object): Promise<Answer | undefined> {
  try {
    const response = await fetch(`/api/${command}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
    if (response.status === 401) feedState.value = 'locked';
    const answer: unknown = await response.json();
    refusal.value = response.ok ? '' : (answer as { message: string }).message;
    return response.ok ? (answer as Answer) : undefined;
  } catch {
    refusal.value = 'The phone does not answer.';
    return undefined;
  }
}

/** Trades the token for a cookie and opens the feed. */
export async function logIn(token: string): Promise<void> {
  if (!(await ask('login', { token }))) return;
  feedState.value = 'connecting';
  openFeed();
}

function takeSnapshot({ status }: { status: PhoneStatus | null }): void {
  feedState.value = status ? 'live' : 'lost';
  const callsBefore = phone.value?.calls.length ?? -1;
  const unreadBefore = phone.value?.unreadTexts ?? -1;
  phone.value = status ?? undefined;
  snapshotAt.value = performance.now();
  if (status && status.calls.length !== callsBefore) void loadRecentCalls();
  if (status && status.unreadTexts !== unreadBefore) void loadTexts();
}

async function loadRecentCalls(): Promise<void> {
  const response = await fetch('/api/callLog?limit=6');
  if (response.ok) recentCalls.value = ((await response.json()) as { entries: CallLogEntry[] }).entries;
}

/** Asked for when one came in or went out: snapshots do not hold them. */
export async function loadTexts(): Promise<void> {
  const response = await fetch('/api/texts');
  if (response.ok) texts.value = ((await response.json()) as { texts: TextEntry[] }).texts;
}

/** A refused WebSocket does not say why; a plain request does. */
async function tellWhyLost(): Promise<void> {
  try {
    const response = await fetch('/api/status');
    if (response.status === 401) feedState.value = 'locked';
    else if (response.status === 403) refusal.value = ((await response.json()) as { message: string }).message;
  } catch {
    refusal.value = '';
  }
}
