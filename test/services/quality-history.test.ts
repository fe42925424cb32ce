import t from 'tap';
import type { CallStatus } from '#firmware/contract/phone.ts';
import { type QualityHistory, samplesAtMost, withSamples } from '#services/web/ui/quality-history.ts';

/** What the page keeps of a call's quality. */

const quiet = {
  packetsSent: 0,
  packetsReceived: 0,
  packetsLost: 0,
  packetsLate: 0,
  concealedMs: 0,
  levelIn: -60,
  levelOut: -60,
  opinionScore: 4.4,
};

function call(name: string, media: Partial<typeof quiet> | null): CallStatus {
  return { call: name, media: media && { ...quiet, ...media } } as CallStatus;
}

t.test('each second adds what has changed since the one before; the same statistics again add nothing', async (t) => {
  let histories: ReadonlyMap<string, QualityHistory> = new Map();
  const take = (now: number, media: Partial<typeof quiet>) => {
    histories = withSamples(histories, [call('a', media)], now);
    return histories.get('a')?.samples ?? [];
  };
  t.same(
    take(1_000, { packetsReceived: 50 }),
    [{ at: 1_000, opinionScore: 4.4, concealedMs: 0, missing: 0 }],
    'what was before is not counted',
  );
  t.equal(take(1_300, { packetsReceived: 50 }).length, 1);
  const worse = { packetsReceived: 95, packetsLost: 4, packetsLate: 1, concealedMs: 80, opinionScore: 3.2 };
  t.same(take(2_000, worse).at(-1), { at: 2_000, opinionScore: 3.2, concealedMs: 80, missing: 0.1 });
  const duplicates = { ...worse, packetsReceived: 150, packetsLost: 2 };
  t.equal(take(3_000, duplicates).at(-1)?.missing, 0, 'a packet that came after all is not missing the other way round');
});

t.test('two minutes are kept, and nothing of a call that is over or has no sound', async (t) => {
  let histories: ReadonlyMap<string, QualityHistory> = new Map();
  for (let second = 0; second < 2 * samplesAtMost; second++) {
    histories = withSamples(histories, [call('a', { packetsReceived: 50 * second }), call('b', null)], 1_000 * second);
  }
  t.equal(histories.get('a')?.samples.length, samplesAtMost);
  t.equal(histories.get('a')?.samples.at(-1)?.at, 1_000 * (2 * samplesAtMost - 1));
  t.equal(histories.has('b'), false);
  t.equal(withSamples(histories, [], 999_000).size, 0);
});
