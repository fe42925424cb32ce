import t from 'tap';
import { type LocalAudio, OfferAnswer, startOfferAnswer } from '#firmware/sdp/offer-answer.ts';
import type { MediaSection } from '#firmware/sdp/session-description.ts';
import { localAudio, remote } from './sdp-fixtures.ts';

const password = 'x'.repeat(24);
const ours = ['1 1 udp 2116026367 192.0.2.1 30000 typ host', '1 2 udp 2116026366 192.0.2.1 30001 typ host'];
const phone: LocalAudio = {
  ...localAudio,
  ice: { ufrag: 'our8char', password, candidates: ours, address: '192.0.2.1', port: 30_000, rtcpPort: 30_001 },
  rtcpMux: true,
};
const credentials = ['a=ice-ufrag:abcd', `a=ice-pwd:${password}`];
const rtp = 'a=candidate:1 1 UDP 2130706431 192.0.2.2 40000 typ host';
const rtcp = 'a=candidate:1 2 UDP 2130706430 192.0.2.2 40001 typ host';

/** What we say to an offer with these lines, and what we have understood. */
function answerTo(...lines: readonly string[]) {
  const outcome = new OfferAnswer(startOfferAnswer('1')).answer(remote('m=audio 40000 RTP/AVP 0', ...lines), phone);
  if (outcome.outcome === 'unusable') throw new Error(outcome.reason);
  return { ice: outcome.audio.ice, said: candidatesIn(outcome.answer.media[0]), muxed: outcome.audio.rtcpMux };
}

function candidatesIn(section: MediaSection | undefined): (string | undefined)[] {
  return (section?.attributes ?? []).filter(({ name }) => name === 'candidate').map(({ value }) => value);
}

t.test(
  'RFC 8839 §5.1 an offer shows candidates of both components; an answer shows those of RTCP only to peers that use them',
  async (t) => {
    const offer = new OfferAnswer(startOfferAnswer('1')).offer(phone);
    t.strictSame(candidatesIn(offer.media[0]), ours);
    const shared = answerTo(...credentials, rtp, rtcp, 'a=rtcp-mux');
    t.match(shared, { ice: { ufrag: 'abcd', password, lite: false, controlling: false }, said: [ours[0]], muxed: true });
    t.equal(shared.ice?.candidates.length, 1, 'with rtcp-mux there is one component');
    const apart = answerTo(...credentials, rtp, rtcp);
    t.match(apart, { ice: { candidates: [rtp.slice(12), rtcp.slice(12)] }, said: ours, muxed: false });
    t.strictSame(answerTo(...credentials, rtp).said, [ours[0]], 'and none where the peer has none');
  },
);

t.test('RFC 8839 §4.2.5 where c= leads to no candidate, or the peer says so, nothing is searched', async (t) => {
  t.match(answerTo(...credentials, rtp.replace('192.0.2.2', '10.0.0.2')), { ice: undefined, said: [] });
  t.match(answerTo(...credentials, rtp.replace('40000', '40002')), { ice: undefined, said: [] });
  t.match(answerTo(...credentials, rtcp), { ice: undefined }, 'RTCP alone is no way for sound');
  t.match(answerTo(...credentials, rtp, 'a=ice-mismatch'), { ice: undefined });
  t.ok(answerTo(...credentials, rtp, 'c=IN IP4 0.0.0.0').ice, 'an address of hold is none that somebody has put there');
});

t.test('RFC 8839 §5 what is no candidate is passed over, what is no name or password is no ICE', async (t) => {
  const bad = [
    'a=candidate:1 3 UDP 1 192.0.2.2 40000 typ host',
    'a=candidate:1 1 TCP 1 192.0.2.2 9 typ host tcptype active',
    'a=candidate:1 1 UDP 4294967296 192.0.2.2 40000 typ host',
    'a=candidate:1 1 UDP 1 phone.local 40000 typ host',
    'a=candidate:1 1 UDP 1 192.0.2.2 0 typ host',
    'a=candidate:1 1 UDP 1 192.0.2.2 40000 typ other',
    'a=candidate:1 1 UDP 1 192.0.2.2',
    'a=candidate',
  ];
  t.strictSame(answerTo(...credentials, ...bad, rtp).ice?.candidates, [rtp.slice(12)]);
  t.match(answerTo(...credentials, ...bad), { ice: undefined, said: [] });
  for (const [ufrag, pwd] of [
    ['abc', password],
    ['ab-d', password],
    ['abcd', 'x'.repeat(21)],
    ['abcd', 'x'.repeat(257)],
  ]) {
    t.match(answerTo(`a=ice-ufrag:${ufrag}`, `a=ice-pwd:${pwd}`, rtp), { ice: undefined }, `${ufrag} ${pwd?.length}`);
  }
  const many = Array.from({ length: 100 }, (_, index) => rtp.replace('192.0.2.2 40000', `192.0.2.2 ${40_000 + index}`));
  t.equal(answerTo(...credentials, ...many).ice?.candidates.length, 32, 'of many, the first 32');
  t.match(answerTo(...credentials, rtp, 'a=ice-lite').ice, { lite: true, controlling: true }, 'who makes no checks does not choose');
});
