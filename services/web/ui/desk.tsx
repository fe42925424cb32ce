import { useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import type { CallStatus, PhoneStatus } from '#firmware/contract/phone.ts';
import { ask, snapshotAt } from './feed.ts';
import { callStateTexts, durationText } from './texts.ts';

const keys = [
  ['1', ''],
  ['2', 'abc'],
  ['3', 'def'],
  ['4', 'ghi'],
  ['5', 'jkl'],
  ['6', 'mno'],
  ['7', 'pqrs'],
  ['8', 'tuv'],
  ['9', 'wxyz'],
  ['*', ''],
  ['0', '+'],
  ['#', ''],
] as const;
const digits: ReadonlySet<string> = new Set(keys.map(([digit]) => digit));

/** The telephone itself: handset on its hook, display, twelve keys, lamps. */
export function Desk({ status }: { status: PhoneStatus }) {
  const pressed = useSignal('');
  useEffect(() => listenToKeyboard(pressed), []);
  const offHook = status.hook === 'offHook';
  return (
    <section class="desk" aria-label="telephone">
      <Handset offHook={offHook} ringing={status.calls.some((call) => call.state === 'ringing')} />
      <div class="face">
        <Display status={status} />
        <Lamps status={status} />
        <SoftKeys status={status} />
        <div class="keys">
          {keys.map(([digit, letters]) => (
            <button
              type="button"
              key={digit}
              class={pressed.value === digit ? 'key down' : 'key'}
              aria-label={`key ${digit}`}
              onClick={() => pressKey(digit)}
            >
              {digit}
              <small>{letters}</small>
            </button>
          ))}
        </div>
      </div>
    </section>
  );
}

function Handset({ offHook, ringing }: { offHook: boolean; ringing: boolean }) {
  const act = offHook ? 'Hang up' : ringing ? 'Lift to accept' : 'Lift';
  return (
    <button
      type="button"
      class={`handset ${offHook ? 'lifted' : ''} ${ringing ? 'ringing' : ''}`}
      aria-label={act}
      onClick={() => void ask('actuate', { element: 'hook', position: offHook ? 'onHook' : 'offHook' })}
    >
      <svg viewBox="0 0 80 300" role="img" aria-label={offHook ? 'handset lifted' : 'handset on its hook'}>
        <path d="M14 22 q26 -18 52 0 q6 32 -6 52 q-8 12 -8 30 v92 q0 18 8 30 q12 20 6 52 q-26 18 -52 0 q-7 -32 5 -52 q8 -12 8 -30 v-92 q0 -18 -8 -30 q-12 -20 -5 -52z" />
      </svg>
      <span>{act}</span>
    </button>
  );
}

function Display({ status }: { status: PhoneStatus }) {
  return (
    <div class="display" role="status" aria-live="polite">
      {status.display.map((line, index) => (
        <p key={`${index}:${line}`}>{line || ' '}</p>
      ))}
      {status.calls.map((call) => (
        <CallLine key={call.call} call={call} />
      ))}
    </div>
  );
}

/** How the far end sounds and what the network loses of it. */
function Quality({ call: { media, state } }: { call: CallStatus }) {
  if (state !== 'active' || !media || media.opinionScore === null) return null;
  const title = `${media.packetsLost} packets lost, jitter ${Math.round(media.jitterMs)} ms, delay ${media.jitterBufferMs} ms, ${media.concealedMs} ms made up in ${media.underruns} gaps`;
  return (
    <span data-quality title={title}>
      sound {media.opinionScore.toFixed(1)}
    </span>
  );
}

/** One call: who, what it does, and its timer, which runs on between snapshots. */
function CallLine({ call }: { call: CallStatus }) {
  const now = useSignal(performance.now());
  useEffect(() => {
    const tick = setInterval(() => (now.value = performance.now()), 250);
    return () => clearInterval(tick);
  }, []);
  const seconds = call.seconds === null ? null : call.seconds + Math.max(0, now.value - snapshotAt.value) / 1000;
  return (
    <p class="call" data-call-state={call.state}>
      <span>{call.remote.displayName || call.remote.uri}</span>
      {call.remarks.length > 0 && <span data-remarks>{call.remarks.join(', ')}</span>}
      <span>{call.heldByRemote && call.state === 'active' ? 'held by them' : callStateTexts[call.state]}</span>
      {seconds !== null && <time data-timer>{durationText(seconds)}</time>}
      {call.encryption !== null && (
        <span class="encrypted" data-encryption={call.encryption} title={`encrypted: ${call.encryption}`}>
          🔒 {call.encryption}
        </span>
      )}
      {call.recording && (
        <span class="recorded" data-recording>
          ● recorded
        </span>
      )}
      <Quality call={call} />
      {call.conference && (
        <button
          type="button"
          class="drop"
          aria-label={`drop ${call.remote.displayName || call.remote.uri}`}
          onClick={() => void ask('hangup', { call: call.call })}
        >
          Drop
        </button>
      )}
    </p>
  );
}

function Lamps({ status }: { status: PhoneStatus }) {
  return (
    <div class="lamps">
      {Object.entries(status.board?.leds ?? {}).map(([name, pattern]) => (
        <span key={name} data-led={name} data-pattern={pattern}>
          <i class={`led ${pattern}`} />
          {name}
        </span>
      ))}
    </div>
  );
}

function SoftKeys({ status }: { status: PhoneStatus }) {
  const held = status.calls.find((call) => call.state === 'held');
  const active = status.calls.find((call) => call.state === 'active');
  const disturb = status.lines.some((line) => line.doNotDisturb);
  return (
    <div class="soft">
      <button type="button" disabled={!active && !held} onClick={() => void ask(active ? 'hold' : 'resume', {})}>
        {active ? 'Hold' : 'Resume'}
      </button>
      <button type="button" disabled={!active || !held} onClick={() => void ask('resume', {})}>
        Swap
      </button>
      <button type="button" disabled={!canUnite(status)} onClick={() => void ask('conference', {})}>
        Conference
      </button>
      <button
        type="button"
        disabled={!active && !held}
        aria-pressed={(active ?? held)?.recording === true}
        onClick={() => void ask('record', { on: !(active ?? held)?.recording, call: (active ?? held)?.call })}
      >
        Record
      </button>
      {status.sound.roles.flatMap((role) =>
        role === 'handset'
          ? []
          : [
              <button key={role} type="button" aria-pressed={isHandsFree(status, role)} onClick={() => void ask('handsFree', { role })}>
                {role === 'speaker' ? 'Speaker' : 'Headset'}
              </button>,
            ],
      )}
      <button type="button" onClick={() => void ask('redial', {})}>
        Redial
      </button>
      {status.completion && (
        <button
          type="button"
          aria-pressed={status.completion.state !== 'offered'}
          onClick={() => void ask('completeCall', { on: status.completion?.state === 'offered' })}
        >
          {status.completion.state === 'offered' ? `Call ${status.completion.remote} back when free` : 'Calls back …'}
        </button>
      )}
      <button type="button" aria-pressed={disturb} onClick={() => void ask('setDoNotDisturb', { on: !disturb })}>
        DND
      </button>
    </div>
  );
}

/** The person listens there now. */
function isHandsFree({ sound, calls, tone, dialed }: PhoneStatus, role: string): boolean {
  return sound.ear === role && (calls.length > 0 || tone !== null || dialed !== '');
}

/** Two accepted calls of the person, at least, that do not all talk with each other yet. */
function canUnite({ calls }: PhoneStatus): boolean {
  const accepted = calls.filter(({ owner, state }) => owner === 'handset' && (state === 'active' || state === 'held'));
  return accepted.length > 1 && !accepted.every(({ conference }) => conference);
}

let lastPress: Promise<unknown> = Promise.resolve();

/** Presses and releases; one key after the other, however fast somebody types. */
function pressKey(digit: string): void {
  const moves = [true, false].map((pressed) => ({ element: 'key', key: digit, pressed }));
  for (const move of moves) lastPress = lastPress.then(() => ask('actuate', move));
}

/** Digits of the keyboard press keys. */
function listenToKeyboard(pressed: { value: string }): () => void {
  const down = (event: KeyboardEvent) => {
    if (event.repeat || event.ctrlKey || event.metaKey || event.altKey || event.target instanceof HTMLInputElement) return;
    if (!digits.has(event.key)) return;
    pressed.value = event.key;
    pressKey(event.key);
  };
  const up = () => (pressed.value = '');
  addEventListener('keydown', down);
  addEventListener('keyup', up);
  return () => {
    removeEventListener('keydown', down);
    removeEventListener('keyup', up);
  };
}
