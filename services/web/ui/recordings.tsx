import { useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import type { PhoneStatus } from '#firmware/contract/phone.ts';
import type { Recording } from '#firmware/contract/recordings.ts';
import { ask } from './feed.ts';
import { durationText } from './texts.ts';

/** A recording is finished shortly after its call is over. */
const finishedAfterMs = 1_500;
const shown = 20;

/** What was recorded, the newest first: to hear, to keep, to delete. Nothing at all where there is none. */
export function Recordings({ status }: { status: PhoneStatus }) {
  const recordings = useSignal<readonly Recording[]>([]);
  const load = async () => {
    const response = await fetch('/api/recordings');
    if (response.ok) recordings.value = ((await response.json()) as { recordings: Recording[] }).recordings;
  };
  const underWay = status.calls.filter(({ recording }) => recording).length;
  useEffect(() => {
    void load();
    const again = setTimeout(() => void load(), finishedAfterMs);
    return () => clearTimeout(again);
  }, [underWay, status.daemons.media]);
  if (recordings.value.length === 0) return null;
  const remove = async (name: string) => {
    if (await ask('deleteRecording', { name })) await load();
  };
  return (
    <section class="card">
      <h2>Recordings</h2>
      <ul class="recordings">
        {recordings.value
          .toReversed()
          .slice(0, shown)
          .map(({ name, seconds, session }) => (
            <li key={name} data-name={name}>
              {session === null ? <a href={`/api/recordings/${name}`}>{name}</a> : <span>● {name}</span>}{' '}
              {session === null && <span class="quiet">{durationText(seconds)}</span>}
              {session === null && (
                <span class="recording">
                  {/* biome-ignore lint/a11y/useMediaCaption: nobody has written down what was said */}
                  <audio controls preload="none" src={`/api/recordings/${name}`} />
                  <button type="button" aria-label={`delete ${name}`} onClick={() => void remove(name)}>
                    Delete
                  </button>
                </span>
              )}
            </li>
          ))}
      </ul>
    </section>
  );
}
