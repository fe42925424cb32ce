import { useSignal } from '@preact/signals';
import type { CallStatus, PhoneStatus } from '#firmware/contract/phone.ts';
import { ask } from './feed.ts';

/** Whom to call, or where to send a call on: by name or number, without the keys of the telephone. */
export function Calling({ status }: { status: PhoneStatus }) {
  const number = useSignal('');
  const target = number.value.trim();
  const calls = status.calls.filter(({ owner }) => owner === 'handset');
  const active = calls.find(({ state }) => state === 'active');
  const done = (went: boolean) => {
    if (went) number.value = '';
  };
  const call = async (intercom: boolean) => {
    if (active && !(await ask('hold', {}))) return;
    done(await ask('call', { target, intercom }));
  };
  return (
    <section class="card calling">
      <h2>Call</h2>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          void call(false);
        }}
      >
        <input
          aria-label="number"
          placeholder="number or address"
          value={number.value}
          onInput={(event) => (number.value = event.currentTarget.value)}
        />
        <button type="submit" disabled={target === ''}>
          Dial
        </button>
        <button type="button" disabled={target === ''} onClick={() => void call(true)}>
          Intercom
        </button>
        <button
          type="button"
          disabled={target === '' || !calls.some(isAccepted)}
          onClick={async () => done(await ask('transfer', { target, call: (active ?? calls.find(isAccepted))?.call }))}
        >
          Transfer
        </button>
        <button type="button" disabled={!canConnect(calls)} onClick={() => void ask('transfer', {})}>
          Connect both
        </button>
      </form>
    </section>
  );
}

function isAccepted({ state }: CallStatus): boolean {
  return state === 'active' || state === 'held';
}

/** Two far ends of which one at least has been talked to, the other may ring yet. */
function canConnect(calls: readonly CallStatus[]): boolean {
  const accepted = calls.filter(isAccepted).length;
  const rings = calls.some(({ direction, state }) => direction === 'outgoing' && (state === 'calling' || state === 'ringback'));
  return accepted > 1 || (accepted === 1 && rings);
}
