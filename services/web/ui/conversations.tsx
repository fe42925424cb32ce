import { signal, useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import type { PhoneStatus, TextEntry } from '#firmware/contract/phone.ts';
import { ask, loadTexts, texts } from './feed.ts';
import { deliveryText, timeText } from './texts.ts';

/** Whose messages are shown; empty = nobody's. */
const open = signal('');
const linesShown = 30;
/** An outgoing message is answered, or given up, within this time. */
const answerLooks = [300, 1_000, 3_000, 10_000, 34_000] as const;

/** Text messages by the people they were exchanged with, the last first; one conversation open. */
export function Conversations({ status }: { status: PhoneStatus }) {
  const target = useSignal('');
  const people = [...new Set(texts.value.map(({ remote }) => remote.uri).reverse())];
  const said = texts.value.filter(({ remote }) => remote.uri === open.value).slice(-linesShown);
  useEffect(() => {
    if (open.value !== '' && status.unreadTexts > 0) void ask('markTextsRead');
  }, [open.value, status.unreadTexts]);
  return (
    <section class="card texts">
      <h2>Messages {status.unreadTexts > 0 && <span class="badge">{status.unreadTexts} new</span>}</h2>
      <div class="people">
        {people.map((uri) => (
          <button type="button" key={uri} aria-pressed={uri === open.value} onClick={() => (open.value = uri === open.value ? '' : uri)}>
            {nameOf(uri)}
            {status.writing.includes(uri) ? ' …' : ''}
          </button>
        ))}
        <form
          onSubmit={(event) => {
            event.preventDefault();
            open.value = target.value.trim();
          }}
        >
          <input aria-label="write to" placeholder="write to …" onInput={(event) => (target.value = event.currentTarget.value)} />
        </form>
      </div>
      {open.value !== '' && <Conversation key={open.value} uri={open.value} said={said} writing={status.writing.includes(open.value)} />}
    </section>
  );
}

function Conversation({ uri, said, writing }: { uri: string; said: readonly TextEntry[]; writing: boolean }) {
  const text = useSignal('');
  const line = said.at(-1)?.line ?? undefined;
  const write = (value: string) => {
    if ((value === '') !== (text.value === '')) void ask('composing', { target: uri, active: value !== '', line });
    text.value = value;
  };
  const send = async () => {
    if (text.value.trim() === '' || !(await ask('message', { target: uri, text: text.value, line }))) return;
    text.value = '';
    await loadTexts();
    const newest = texts.value.at(-1)?.remote.uri;
    if (newest !== undefined) open.value = newest;
    for (const wait of answerLooks) setTimeout(() => void loadTexts(), wait);
  };
  return (
    <>
      <ul class="said" aria-label={`messages with ${nameOf(uri)}`}>
        {said.map((entry) => (
          <li key={entry.id} class={entry.direction}>
            {entry.text} <small>{timeText(entry.at)}</small>{' '}
            {entry.direction === 'outgoing' && <small data-delivery>{deliveryText(entry.statusCode)}</small>}
          </li>
        ))}
        {writing && <li class="incoming quiet">writes …</li>}
      </ul>
      <form
        class="say"
        onSubmit={(event) => {
          event.preventDefault();
          void send();
        }}
      >
        <input aria-label="message" maxLength={800} value={text.value} onInput={(event) => write(event.currentTarget.value)} />
        <button type="submit">Send</button>
      </form>
    </>
  );
}

/** `bob` of `sip:bob@example.org`. */
function nameOf(uri: string): string {
  const start = uri.indexOf(':') + 1;
  const end = uri.indexOf('@');
  return end < 0 ? uri.slice(start) : uri.slice(start, end);
}
