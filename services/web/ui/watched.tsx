import type { PhoneStatus } from '#firmware/contract/phone.ts';
import { ask } from './feed.ts';
import { watchedTexts } from './texts.ts';

/** Lines and people of others: a lamp each, a press calls them, or takes the call that rings there. */
export function Watched({ status }: { status: PhoneStatus }) {
  if (status.watched.length === 0) return null;
  return (
    <section class="card">
      <h2>Watched</h2>
      <ul class="watched">
        {status.watched.map((one) => (
          <li key={`${one.line} ${one.kind} ${one.name}`} data-watched={one.name} data-state={one.state}>
            <span class={`lamp ${one.state}`} title={one.reason ?? undefined} />
            <b>{one.name}</b>{' '}
            <span class="quiet">{one.remote ? `${watchedTexts[one.state]}: ${one.remote}` : watchedTexts[one.state]}</span>
            {one.state === 'ringing' ? (
              <button type="button" onClick={() => void ask('pickUp', { name: one.name })}>
                Pick up
              </button>
            ) : (
              <>
                {one.state === 'busy' && one.kind === 'calls' && (
                  <button type="button" onClick={() => void ask('join', { name: one.name })}>
                    Join
                  </button>
                )}
                <button type="button" onClick={() => void ask('call', { target: one.name, line: one.line })}>
                  Call
                </button>
              </>
            )}
          </li>
        ))}
      </ul>
    </section>
  );
}
