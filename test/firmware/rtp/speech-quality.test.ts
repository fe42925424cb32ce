import t from 'tap';
import { type CodecImpairment, concealedG711, opinionScoreOf, ratingOf, SpeechQuality } from '#firmware/rtp/speech-quality.ts';
import { corpusText } from '#test/support/corpus.ts';

interface Row {
  readonly codec: string;
  readonly Ie: number;
  readonly Bpl: number;
  readonly Ppl: number;
  readonly Ta_ms: number;
  readonly R: number;
  readonly MOS: number;
}

t.test('G.107 R and MOS by delay and loss', async (t) => {
  const own: Row[] = [
    { codec: 'best', Ie: 0, Bpl: 25.1, Ppl: 0, Ta_ms: 0, R: 93.2, MOS: 4.4093 },
    { codec: 'loss', Ie: 0, Bpl: 25.1, Ppl: 10, Ta_ms: 0, R: 66.1345, MOS: 3.4109 },
    { codec: 'delay', Ie: 0, Bpl: 4.3, Ppl: 0, Ta_ms: 400, R: 69.1299, MOS: 3.5559 },
  ];
  const text = corpusText(t, 'vectors/emodel-g107.json');
  const vectors = text === undefined ? undefined : (JSON.parse(text) as { table: Row[]; MOS_of_R: Record<string, number> });
  for (const { codec, Ie, Bpl, Ppl, Ta_ms, R, MOS } of [...own, ...(vectors?.table ?? [])]) {
    const impairment: CodecImpairment = { equipment: Ie, lossRobustness: Bpl };
    const rating = ratingOf(Ta_ms, Ppl, impairment);
    t.ok(Math.abs(rating - R) < 1e-3 || (R < 0 && rating === 0), `${codec}, ${Ta_ms} ms, ${Ppl} %: R ${rating}`);
    t.ok(Math.abs(opinionScoreOf(rating) - MOS) < 1e-3, `MOS ${opinionScoreOf(rating)}`);
  }
  for (const [rating, score] of Object.entries(vectors?.MOS_of_R ?? {})) {
    t.ok(Math.abs(opinionScoreOf(Number(rating)) - score) < 1e-3, `R ${rating}`);
  }
});

t.test('the score follows what is lost, and stands while the far end pauses', async (t) => {
  const quality = new SpeechQuality(concealedG711);
  t.equal(quality.look({ received: 0, missing: 0, delay: 80 }), undefined);
  t.equal(quality.look({ received: 50, missing: 0, delay: 80 }), 4.41);
  const worse = quality.look({ received: 80, missing: 20, delay: 80 }) ?? 5;
  t.ok(worse < 4 && worse > 3, `${worse}`);
  t.equal(quality.look({ received: 80, missing: 20, delay: 80 }), worse, 'a pause');
  let better = worse;
  for (let second = 1; second <= 20; second++) {
    const score = quality.look({ received: 80 + 50 * second, missing: 20, delay: 80 }) ?? 0;
    t.ok(score >= better);
    better = score;
  }
  t.ok(better > 4.38, `${better}`);
  t.equal(quality.look({ received: 1130, missing: 10, delay: 80 })?.toFixed(1), '4.4', 'packets that come late lower what counted as lost');
});
