import { useSignal } from '@preact/signals';
import { soundStateTexts } from '../texts.ts';
import { leaveSound, soundReport, soundState, soundTrouble, takeSound } from './page-sound.ts';

/** Below this nothing moves, dBFS. */
const faintest = -60;
const headphonesKey = 'hookswitch-headphones';

/** Talking and listening at this page: the button, what has become of it, and levels. */
export function SoundPanel() {
  const headphones = useSignal(localStorage.getItem(headphonesKey) === 'yes');
  const state = soundState.value;
  const report = soundReport.value;
  const isOn = state === 'on' || state === 'lost';
  const isOff = state === 'off' || state === 'taken' || state === 'noMicrophone';
  const take = (takeOver: boolean, microphone = true) => void takeSound({ takeOver, microphone, headphones: headphones.value });
  return (
    <section class="card sound" data-sound={state}>
      <h2>Talk and listen here</h2>
      <p class="inputs">
        <button type="button" aria-pressed={isOn} onClick={() => (isOff ? take(false) : leaveSound())}>
          {isOn ? 'Back to the handset' : isOff ? 'Use this microphone and loudspeaker' : 'Give up'}
        </button>
        {state === 'taken' && (
          <button type="button" onClick={() => take(true)}>
            Take it over
          </button>
        )}
        {state === 'noMicrophone' && (
          <button type="button" onClick={() => take(false, false)}>
            Only listen
          </button>
        )}
      </p>
      {soundTrouble.value === '' ? (
        <p class="quiet">{soundStateTexts[state]}</p>
      ) : (
        <p class="refusal" role="alert">
          {soundTrouble.value}
        </p>
      )}
      {isOn && report && (
        <p class="levels" title={`${Math.round(report.waitingMs)} ms wait for the loudspeaker; ${report.underruns} gaps`}>
          <Level name="microphone" level={report.levelIn} />
          <Level name="loudspeaker" level={report.levelOut} />
        </p>
      )}
      <label class="quiet">
        <input
          type="checkbox"
          checked={headphones.value}
          disabled={!isOff}
          onInput={(event) => {
            headphones.value = event.currentTarget.checked;
            localStorage.setItem(headphonesKey, headphones.value ? 'yes' : 'no');
          }}
        />{' '}
        headphones: the sound is left as it is, no echo is taken out
      </label>
    </section>
  );
}

function Level({ name, level }: { name: string; level: number }) {
  return (
    <label>
      {name} <meter min={faintest} max={0} high={-6} value={Math.max(faintest, level)} data-level={name} />
    </label>
  );
}
