import { useSignal } from '@preact/signals';
import type { PhoneStatus } from '#firmware/contract/phone.ts';
import { Calling } from './calling.tsx';
import { Conversations } from './conversations.tsx';
import { Desk } from './desk.tsx';
import { feedState, logIn, phone, recentCalls, refusal } from './feed.ts';
import { atLadder, Ladders } from './ladder.tsx';
import { Paging } from './paging.tsx';
import { Quality } from './quality.tsx';
import { Recordings } from './recordings.tsx';
import { SoundPanel } from './sound/sound-panel.tsx';
import { SoundDevices } from './sound-devices.tsx';
import { Surroundings } from './surroundings.tsx';
import { outcomeTexts, registrationTexts, timeText } from './texts.ts';
import { Watched } from './watched.tsx';
import { atWorkbench, Workbench } from './workbench.tsx';

/** The whole page: the telephone, its lines, what stands around it, and the last calls. */
export function Page() {
  if (feedState.value === 'locked') return <LogIn />;
  const status = phone.value;
  return (
    <>
      <header>
        <h1>hookswitch</h1>
        <Feed />
      </header>
      {refusal.value !== '' && (
        <p class="refusal" role="alert">
          {refusal.value}
        </p>
      )}
      {status && atWorkbench.value ? (
        <Workbench profile={status.board?.profile ?? null} />
      ) : status && atLadder.value ? (
        <Ladders />
      ) : status ? (
        <div class="columns">
          <Desk status={status} />
          <aside>
            <SoundPanel />
            <Calling status={status} />
            <Quality status={status} />
            <Lines status={status} />
            <Watched status={status} />
            <Paging status={status} />
            <Conversations status={status} />
            <SoundDevices status={status} />
            <Surroundings status={status} />
            <RecentCalls />
            <Recordings status={status} />
          </aside>
        </div>
      ) : (
        <p class="wait">{feedState.value === 'lost' ? 'The phone does not answer. Trying again …' : 'Looking for the phone …'}</p>
      )}
    </>
  );
}

function Feed() {
  const texts = { connecting: 'connecting', live: 'live', lost: 'lost', locked: 'locked' };
  return <span class={`feed ${feedState.value}`}>{texts[feedState.value]}</span>;
}

function LogIn() {
  const token = useSignal('');
  return (
    <form
      class="card login"
      onSubmit={(event) => {
        event.preventDefault();
        void logIn(token.value);
      }}
    >
      <h1>hookswitch</h1>
      <label>
        Token of this phone (setting web.token)
        <input type="password" autocomplete="current-password" onInput={(event) => (token.value = event.currentTarget.value)} />
      </label>
      <button type="submit">Open</button>
      {refusal.value !== '' && (
        <p class="refusal" role="alert">
          {refusal.value}
        </p>
      )}
    </form>
  );
}

function Lines({ status }: { status: PhoneStatus }) {
  return (
    <section class="card">
      <h2>Lines</h2>
      {status.lines.length === 0 && <p class="quiet">No line is set up: hookswitch config set line.main.aor …</p>}
      <ul class="lines">
        {status.lines.map((line) => (
          <li key={line.line}>
            <span class={`lamp ${line.registration.state}`} />
            <b>{line.line}</b> <span class="quiet">{line.aor}</span>
            <br />
            <span data-registration={line.line}>
              {registrationTexts[line.registration.state]}
              {line.registration.state !== 'registered' && line.registration.reason ? `: ${line.registration.reason}` : ''}
            </span>
            {line.messageWaiting.waiting && <span class="badge">{line.messageWaiting.newMessages} new messages</span>}
            {line.doNotDisturb && <span class="badge">do not disturb</span>}
            {line.forward && <span class="badge">forwards to {line.forward}</span>}
          </li>
        ))}
      </ul>
    </section>
  );
}

function RecentCalls() {
  return (
    <section class="card">
      <h2>Last calls</h2>
      {recentCalls.value.length === 0 && <p class="quiet">none yet</p>}
      <ul class="calls">
        {recentCalls.value.map((entry) => (
          <li key={entry.id}>
            <span class="quiet">{timeText(entry.at)}</span> {entry.direction === 'incoming' ? '↙' : '↗'} {entry.displayName || entry.remote}{' '}
            <span class={`outcome ${entry.outcome}`}>{outcomeTexts[entry.outcome]}</span>
          </li>
        ))}
      </ul>
      <p>
        <a href="#ladder">Messages on the wire</a>
      </p>
    </section>
  );
}
