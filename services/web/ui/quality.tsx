import { computed, effect, signal } from '@preact/signals';
import type { CallStatus, PhoneStatus } from '#firmware/contract/phone.ts';
import { phone } from './feed.ts';
import { QualityGraph } from './quality-graph.tsx';
import { type QualityHistory, withSamples } from './quality-history.ts';
import { opinionText } from './texts.ts';

type Media = NonNullable<CallStatus['media']>;

const histories = signal<ReadonlyMap<string, QualityHistory>>(new Map());
effect(() => {
  const { value } = phone;
  histories.value = withSamples(histories.peek(), value?.calls ?? [], performance.now());
});
const anySound = computed(() => histories.value.size > 0);

/** How each call sounds: levels of the last second, what the numbers say, and the last two minutes. Not there while there is no call. */
export function Quality({ status }: { status: PhoneStatus }) {
  if (!anySound.value) return null;
  return (
    <section class="card quality">
      <h2>Call quality</h2>
      {status.calls.map(({ call, remote, media }) => {
        const samples = histories.value.get(call)?.samples;
        if (!media || !samples) return null;
        return (
          <div key={call} data-quality={call}>
            {status.calls.length > 1 && <b>{remote.displayName || remote.uri}</b>}
            <Level name="you" decibels={media.levelOut} />
            <Level name="far end" decibels={media.levelIn} />
            <p>
              <b data-opinion>{media.opinionScore === null ? '–' : media.opinionScore.toFixed(1)}</b> {opinionText(media.opinionScore)}
              <span class="quiet">{figuresOf(media, samples.at(-1)?.missing ?? 0)}</span>
            </p>
            <QualityGraph samples={samples} />
          </div>
        );
      })}
    </section>
  );
}

const quietest = -60;

/** A bar from -60 dBFS to 0. */
function Level({ name, decibels }: { name: string; decibels: number }) {
  const shown = Math.round(Math.min(0, Math.max(quietest, decibels)));
  return (
    <div class="level">
      <span>{name}</span>
      <meter aria-label={`level of ${name}, dBFS`} min={quietest} max={0} high={-3} value={shown} />
    </div>
  );
}

function figuresOf({ roundTripMs, jitterMs, jitterBufferMs }: Media, missing: number): string {
  const delay = roundTripMs === null ? '' : ` · ${Math.round(roundTripMs)} ms there and back`;
  return ` · ${(100 * missing).toFixed(missing > 0 && missing < 0.1 ? 1 : 0)} % missing · jitter ${Math.round(jitterMs)} ms, buffer ${Math.round(jitterBufferMs)} ms${delay}`;
}
