import { signal, useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import type { LessonPlan, LessonState } from '#firmware/contract/hal.ts';
import { Analyser } from './analyser.tsx';
import { ask, order } from './feed.ts';

/** Whether the workbench is open: it is a page of its own, `#hardware`. */
export const atWorkbench = signal(location.hash === '#hardware');
addEventListener('hashchange', () => {
  atWorkbench.value = location.hash === '#hardware';
});

const lookEveryMs = 150;
const usualKeys = [...'123456789*0#'];

/** What is wired to which pin, and how to find out. */
export function Workbench({ profile }: { profile: string | null }) {
  const lesson = useSignal<LessonState | undefined>(undefined);
  const practising = useSignal(false);
  const begin = async (plan: LessonPlan) => {
    practising.value = plan.driver === 'virtual';
    lesson.value = await order<LessonState>('learn', { action: 'start', plan });
  };
  const stop = async () => {
    const before = lesson.value;
    lesson.value = undefined;
    if (before) await ask('learn', { action: 'stop', learner: before.learner });
  };
  useEffect(() => () => void stop(), []);
  return (
    <section class="workbench">
      <p>
        <a href="#telephone">← back to the telephone</a>
      </p>
      <div class="card">
        <h2>Find out what is wired where</h2>
        {lesson.value ? <Lesson lesson={lesson} practising={practising.value} stop={stop} /> : <Plan begin={begin} />}
      </div>
      {profile && (
        <div class="card">
          <h2>
            Wiring <span class="quiet">{profile}</span>
          </h2>
          <img class="wiring" src={`/api/wiring?of=${encodeURIComponent(profile)}`} alt={`wiring of ${profile}`} />
        </div>
      )}
    </section>
  );
}

function Plan({ begin }: { begin: (plan: LessonPlan) => Promise<void> }) {
  const hook = useSignal(true);
  const keypad = useSignal<LessonPlan['keypad']>('keys');
  const more = useSignal('');
  const inputs = useSignal('');
  const lamps = useSignal('');
  const relays = useSignal('');
  const practice = useSignal(false);
  const words = (text: string) => text.split(/[\s,]+/).filter((word) => word !== '');
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        const driver = practice.value ? 'virtual' : 'gpio';
        const keys = [...usualKeys, ...words(more.value)];
        const outputs = { lamps: words(lamps.value), relays: words(relays.value) };
        void begin({ driver, pins: [], hook: hook.value, keypad: keypad.value, keys, inputs: words(inputs.value), ...outputs });
      }}
    >
      <p class="quiet">Wire the parts to any free GPIO and to GND, then do what is asked. The phone is off meanwhile.</p>
      <label>
        <input type="checkbox" checked={hook.value} onInput={(event) => (hook.value = event.currentTarget.checked)} /> it has a hook switch
      </label>
      <label>
        it has{' '}
        <select value={keypad.value} onInput={(event) => (keypad.value = event.currentTarget.value as LessonPlan['keypad'])}>
          <option value="keys">keys</option>
          <option value="rotary">a dial</option>
          <option value="none">neither keys nor dial</option>
        </select>
      </label>
      {keypad.value === 'keys' && (
        <label>
          more keys than 0–9 * # <input placeholder="redial hold mute" onInput={(event) => (more.value = event.currentTarget.value)} />
        </label>
      )}
      <label>
        contacts and sensors <input placeholder="button contact pir" onInput={(event) => (inputs.value = event.currentTarget.value)} />
      </label>
      <label>
        lamps <input placeholder="call message" onInput={(event) => (lamps.value = event.currentTarget.value)} />
      </label>
      <label>
        relays <input placeholder="door" onInput={(event) => (relays.value = event.currentTarget.value)} />
      </label>
      <label>
        <input type="checkbox" onInput={(event) => (practice.value = event.currentTarget.checked)} /> practise, without hardware
      </label>
      <button type="submit">Begin</button>
    </form>
  );
}

interface LessonParts {
  readonly lesson: { value: LessonState | undefined };
  readonly practising: boolean;
  readonly stop: () => Promise<void>;
}

function Lesson({ lesson, practising, stop }: LessonParts) {
  const state = lesson.value;
  useEffect(() => {
    let asked = false;
    const look = async () => {
      const learner = lesson.value?.learner;
      if (learner === undefined || asked) return;
      asked = true;
      const next = await order<LessonState>('learn', { action: 'look', learner });
      asked = false;
      // Stopped while the answer was on its way: it is none any more.
      if (lesson.value?.learner === learner) lesson.value = next;
    };
    const beat = setInterval(() => void look(), lookEveryMs);
    return () => clearInterval(beat);
  }, []);
  if (!state) return null;
  const answer = async (word: string) =>
    (lesson.value = await order<LessonState>('learn', { action: 'answer', learner: state.learner, answer: word }));
  const skip = async () => (lesson.value = await order<LessonState>('learn', { action: 'skip', learner: state.learner }));
  return (
    <div data-lesson={state.step}>
      <p class="lesson-ask" role="status" aria-live="polite">
        {state.ask}
      </p>
      {state.choices.length > 0 && (
        <p class="inputs" data-choices>
          {state.choices.map((choice) => (
            <button key={choice} type="button" onClick={() => void answer(choice)}>
              {choice}
            </button>
          ))}
        </p>
      )}
      <progress value={state.done} max={Math.max(1, state.of)} />
      {state.trouble && <p class="refusal">{state.trouble}</p>}
      <Analyser state={state} />
      {practising && <Practice />}
      <ul class="found">
        {state.found.map(({ element, wires }) => (
          <li key={element}>
            <b>{element}</b> {wires}
          </li>
        ))}
        {state.refused.map(({ pin, reason }) => (
          <li key={pin} class="quiet">
            left out: {reason}
          </li>
        ))}
      </ul>
      {state.profile ? (
        <Result state={state} stop={stop} />
      ) : (
        <p class="inputs">
          <button type="button" onClick={() => void skip()}>
            Skip: it has none
          </button>
          <button type="button" onClick={() => void stop()}>
            Give up
          </button>
        </p>
      )}
    </div>
  );
}

/** Joins wires of the virtual board by hand. */
function Practice() {
  const pin = useSignal('17');
  const other = useSignal('');
  const join = (closed: boolean) =>
    void ask('actuate', { element: 'wire', pin: Number(pin.value), other: other.value === '' ? null : Number(other.value), closed });
  return (
    <details open>
      <summary>Practice wires</summary>
      <p class="inputs">
        GPIO <input aria-label="pin" size={3} value={pin.value} onInput={(event) => (pin.value = event.currentTarget.value)} />
        with GPIO <input aria-label="other pin" size={3} placeholder="GND" onInput={(event) => (other.value = event.currentTarget.value)} />
        <button type="button" onClick={() => join(true)}>
          Join
        </button>
        <button type="button" onClick={() => join(false)}>
          Part
        </button>
      </p>
    </details>
  );
}

function Result({ state, stop }: { state: LessonState; stop: () => Promise<void> }) {
  const keepOutputs = useSignal(true);
  const use = async () => {
    const { profile } = state;
    await stop();
    if (await ask('keepBoard', { profile, keepOutputs: keepOutputs.value })) location.hash = '#telephone';
  };
  return (
    <div>
      <pre class="profile">{JSON.stringify(state.profile, null, 1)}</pre>
      <label>
        <input type="checkbox" checked={keepOutputs.value} onInput={(event) => (keepOutputs.value = event.currentTarget.checked)} /> keep
        the sound, and what was not learnt of lamps and relays, of the present profile
      </label>
      <p class="inputs">
        <button type="button" onClick={() => void use()}>
          Use it
        </button>
        <button type="button" onClick={() => void stop()}>
          Throw it away
        </button>
      </p>
    </div>
  );
}
