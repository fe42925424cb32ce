import type { PhoneStatus } from '#firmware/contract/phone.ts';
import { ask } from './feed.ts';
import { pageTexts } from './texts.ts';

/** Groups of telephones: who speaks to them now, and a button to speak to them. Nothing at all where there is none. */
export function Paging({ status: { pages } }: { status: PhoneStatus }) {
  if (pages.length === 0) return null;
  const sending = pages.some(({ state }) => state === 'sending');
  return (
    <section class="card">
      <h2>Announcements</h2>
      <ul class="lines">
        {pages.map(({ group, state, source }) => (
          <li key={group} data-page={state}>
            <b>{group}</b>{' '}
            <span class="quiet">
              {pageTexts[state]}
              {source === null ? '' : ` from ${source}`}
            </span>{' '}
            <button
              type="button"
              disabled={sending && state !== 'sending'}
              onClick={() => void (state === 'sending' ? ask('stopPage') : ask('page', { group }))}
            >
              {state === 'sending' ? 'End' : 'Speak'}
            </button>
          </li>
        ))}
      </ul>
    </section>
  );
}
