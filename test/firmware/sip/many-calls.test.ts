import t from 'tap';
import { Answerer, liveBytes, longAfter } from '../../../scripts/bench/answerer.ts';

/** The tables that live things stand in, and how many there are in each. */
function liveCounts(answerer: Answerer): string {
  return JSON.stringify(answerer.agent.describe());
}

t.test('5,000 calls that came and ended leave nothing behind: no entry, no timer, no memory', async (t) => {
  const answerer = new Answerer();
  const atFirst = liveCounts(answerer);
  const calls = (from: number, count: number): void => {
    for (let index = from; index < from + count; index++) {
      answerer.call(index);
      answerer.hangUp(index);
      answerer.pass(20);
    }
    answerer.pass(longAfter);
  };
  calls(0, 500);
  const before = liveBytes();
  calls(500, 5_000);
  const more = liveBytes() - before;
  t.equal(liveCounts(answerer), atFirst, 'every table is as empty as it was');
  t.equal(answerer.agent.deadline, undefined, 'nothing is waited for');
  t.comment(`${Math.round(more / 1024)} KiB more after 5,000 calls`);
  // 16 KB for each dialog alone would be 80 MB; what is allowed is code that was compiled meanwhile.
  t.ok(more < 8_000_000, 'the heap is where it was');
});
