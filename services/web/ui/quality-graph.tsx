import { useEffect, useRef } from 'preact/hooks';
import UPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';
import { type QualitySample, samplesAtMost } from './quality-history.ts';

const height = 120;

/** The opinion score as a line and the sound that had to be made up as bars, over the last two minutes, now at the right. */
export function QualityGraph({ samples }: { samples: readonly QualitySample[] }) {
  const place = useRef<HTMLDivElement>(null);
  const plot = useRef<UPlot>(undefined);
  useEffect(() => {
    const element = place.current;
    if (!element) return;
    const created = new UPlot(optionsFor(element), [[], [], []], element);
    plot.current = created;
    const observer = new ResizeObserver(() => created.setSize({ width: element.clientWidth, height }));
    observer.observe(element);
    return () => {
      observer.disconnect();
      created.destroy();
    };
  }, []);
  useEffect(() => plot.current?.setData(columnsOf(samples)), [samples]);
  return (
    <figure>
      <div ref={place} class="graph" role="img" aria-label="quality of the last two minutes" />
      <figcaption class="quiet">
        <i class="score" /> opinion score, <i class="made-up" /> sound made up, ms
      </figcaption>
    </figure>
  );
}

/** Seconds before now, opinion score, milliseconds made up. */
function columnsOf(samples: readonly QualitySample[]): UPlot.AlignedData {
  const now = samples.at(-1)?.at ?? 0;
  return [
    samples.map(({ at }) => (at - now) / 1000),
    samples.map(({ opinionScore }) => opinionScore),
    samples.map(({ concealedMs }) => concealedMs),
  ];
}

function optionsFor(element: HTMLElement): UPlot.Options {
  const colour = (name: string) => {
    element.style.color = `var(${name})`;
    return getComputedStyle(element).color;
  };
  const axis = {
    stroke: colour('--quiet'),
    grid: { stroke: 'rgb(128 128 128 / 0.2)', width: 1 },
    ticks: { show: false },
    font: '11px system-ui',
    size: 30,
    gap: 2,
  };
  return {
    width: element.clientWidth,
    height,
    padding: [8, 4, 0, 4],
    legend: { show: false },
    cursor: { show: false },
    scales: {
      x: { time: false, range: [-samplesAtMost, 0] },
      score: { range: [1, 4.5] },
      ms: { range: (_plot, _least, most) => [0, Math.max(200, most)] },
    },
    axes: [
      { ...axis, size: 18, splits: () => [-120, -60, 0], values: () => ['−2 min', '−1 min', 'now'] },
      { ...axis, scale: 'score', splits: () => [1, 2, 3, 4], size: 20 },
      { ...axis, scale: 'ms', side: 1, grid: { show: false }, values: (_plot, splits) => splits.map((ms) => `${ms}`), size: 34 },
    ],
    series: [
      {},
      { scale: 'score', stroke: colour('--good'), width: 2, points: { show: false } },
      {
        scale: 'ms',
        fill: colour('--bad'),
        stroke: colour('--bad'),
        paths: UPlot.paths.bars?.({ size: [0.8, 4] }) ?? (() => null),
        points: { show: false },
      },
    ],
  };
}
