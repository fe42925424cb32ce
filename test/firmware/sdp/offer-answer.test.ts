import t from 'tap';
import { g722, l16, l16Music, opus, pcma, pcmu, telephoneEventsFor } from '#firmware/sdp/audio-format.ts';
import { type AnswerOutcome, type LocalAudio, type NegotiatedAudio, OfferAnswer, startOfferAnswer } from '#firmware/sdp/offer-answer.ts';
import { opusParametersOf } from '#firmware/sdp/opus-parameters.ts';
import { formatSessionDescription, type SessionDescription } from '#firmware/sdp/session-description.ts';
import { localAudio, remote } from './sdp-fixtures.ts';

const fresh = () => new OfferAnswer(startOfferAnswer('1'));

function agreed(outcome: AnswerOutcome): { answer: SessionDescription; audio: NegotiatedAudio } {
  if (outcome.outcome === 'unusable') throw new Error(outcome.reason);
  return outcome;
}

function answered(offer: SessionDescription, local: LocalAudio = localAudio) {
  return agreed(fresh().answer(offer, local));
}

t.test('RFC 3264 §6.1 the answer keeps the order of the offer and what is common', async (t) => {
  const offer = remote('m=audio 4000 RTP/AVP 18 97 8 0 96', 'a=rtpmap:97 speex/16000', 'a=rtpmap:96 telephone-event/8000', 'a=ptime:30');
  const { answer, audio } = answered(offer);
  t.strictSame(
    audio.codecs.map(({ name, sendPayloadType, receivePayloadType }) => [name, sendPayloadType, receivePayloadType]),
    [
      ['PCMA', 8, 8],
      ['PCMU', 0, 0],
    ],
  );
  t.strictSame(audio.telephoneEvents, [{ sendPayloadType: 96, receivePayloadType: 96, clockRate: 8000 }]);
  t.match(audio, {
    remoteAddress: '192.0.2.2',
    remotePort: 4000,
    remoteRtcpAddress: '192.0.2.2',
    remoteRtcpPort: 4001,
    ptime: 30,
    direction: 'sendrecv',
  });
  t.match(formatSessionDescription(answer), /m=audio 30000 RTP\/AVP 8 0 96\r\n/);
  t.match(formatSessionDescription(answer), /a=fmtp:96 0-16\r\na=ptime:30\r\n/);
});

t.test('RFC 3264 §6 streams that are not our audio are refused in their places', async (t) => {
  const offer = remote(
    'm=video 5000 RTP/AVP 96',
    'a=rtpmap:96 H264/90000',
    'm=audio 0 RTP/AVP 0',
    'm=audio 4000 RTP/SAVP 0',
    'm=audio 4002 RTP/AVP 0',
    'm=audio 4004 RTP/AVP 0',
  );
  const { answer, audio } = answered(offer);
  t.strictSame(
    answer.media.map(({ media, port }) => `${media} ${port}`),
    ['video 0', 'audio 0', 'audio 0', 'audio 30000', 'audio 0'],
  );
  t.equal(audio.remotePort, 4002);
});

t.test('an offer that cannot be used says why', async (t) => {
  const cases: readonly [string, readonly string[]][] = [
    ['no-audio', []],
    ['no-audio', ['m=video 5000 RTP/AVP 31']],
    ['no-audio', ['m=audio 0 RTP/AVP 0']],
    ['unsupported-transport', ['m=audio 4000 RTP/SAVP 0']],
    ['no-common-codec', ['m=audio 4000 RTP/AVP 18 3']],
    ['no-common-codec', ['m=audio 4000 RTP/AVP 101', 'a=rtpmap:101 telephone-event/8000']],
    ['no-address', ['m=audio 4000 RTP/AVP 0', 'c=IN IP4 phone.example']],
    ['no-address', ['m=audio 4000 RTP/AVP 0', 'c=IN IP4 239.1.2.3/127']],
    ['no-address', ['m=audio 4000 RTP/AVP 0', 'c=IN IP6 2001:db8:::1']],
    ['no-address', ['m=audio 4000 RTP/AVP 0', 'c=IN IP4 1.2.3.256']],
    ['no-address', ['m=audio 4000 RTP/AVP 0', 'c=IN IP4 010.0.0.1']],
  ];
  for (const [reason, media] of cases) {
    const offers = fresh();
    t.strictSame(offers.answer(remote(...media), localAudio), { outcome: 'unusable', reason }, media.join(' '));
    t.equal(offers.negotiated, undefined);
  }
});

t.test('RFC 3264 §6 the direction of the answer is what both want', async (t) => {
  const cases: readonly [LocalAudio['direction'], string, NegotiatedAudio['direction'], boolean][] = [
    ['sendrecv', 'a=sendrecv', 'sendrecv', false],
    ['sendrecv', 'a=sendonly', 'recvonly', true],
    ['sendrecv', 'a=recvonly', 'sendonly', false],
    ['sendrecv', 'a=inactive', 'inactive', true],
    ['sendonly', 'a=sendrecv', 'sendonly', false],
    ['sendonly', 'a=sendonly', 'inactive', true],
    ['inactive', 'a=sendrecv', 'inactive', false],
  ];
  for (const [direction, stated, result, held] of cases) {
    const { audio, answer } = answered(remote('m=audio 4000 RTP/AVP 0', stated), { ...localAudio, direction });
    t.equal(audio.direction, result, `${direction} against ${stated}`);
    t.equal(audio.heldByRemote, held);
    t.ok(answer.media[0]?.attributes.some(({ name }) => name === result));
  }
});

t.test('RFC 3264 §8.4 the null address of old phones is a hold, and resuming ends it', async (t) => {
  const offers = fresh();
  agreed(offers.answer(remote('m=audio 4000 RTP/AVP 0'), localAudio));
  const held = agreed(offers.answer(remote('m=audio 4000 RTP/AVP 0', 'c=IN IP4 0.0.0.0'), localAudio));
  t.match(held.audio, { direction: 'recvonly', heldByRemote: true });
  const resumed = agreed(offers.answer(remote('m=audio 4000 RTP/AVP 0'), localAudio));
  t.match(resumed.audio, { direction: 'sendrecv', heldByRemote: false });
});

t.test('RFC 3264 §8 re-offers: the version counts changes, m-lines keep their places, hold and resume', async (t) => {
  const offers = fresh();
  agreed(offers.answer(remote('m=video 5000 RTP/AVP 31', 'm=audio 4000 RTP/AVP 0 96', 'a=rtpmap:96 telephone-event/8000'), localAudio));
  const hold = offers.offer({ ...localAudio, direction: 'sendonly' });
  t.equal(hold.origin.version, '2');
  t.strictSame(
    hold.media.map(({ media, port }) => `${media} ${port}`),
    ['video 0', 'audio 30000'],
  );
  t.match(formatSessionDescription(hold), /m=audio 30000 RTP\/AVP 0 8 96\r\n/, '§8.3.2 a payload type keeps its meaning');
  const outcome = offers.applyAnswer(
    remote('m=video 0 RTP/AVP 31', 'm=audio 4000 RTP/AVP 0 96', 'a=rtpmap:96 telephone-event/8000', 'a=recvonly'),
  );
  t.match(outcome, { outcome: 'agreed', audio: { direction: 'sendonly', telephoneEvents: [{ sendPayloadType: 96 }] } });
  t.equal(offers.offer({ ...localAudio, direction: 'sendonly' }).origin.version, '2', 'the same description again has the same version');
  offers.withdrawOffer();
  t.equal(offers.offer(localAudio).origin.version, '3');
});

t.test('an answer: other payload types by direction, a missing rtpmap, a refusal', async (t) => {
  const offers = fresh();
  offers.offer(localAudio);
  t.ok(offers.offerPending);
  t.strictSame(offers.applyAnswer(remote('m=audio 0 RTP/AVP 0')), { outcome: 'unusable', reason: 'refused' });
  t.strictSame(offers.applyAnswer(remote()), { outcome: 'unusable', reason: 'no-audio' });
  t.ok(offers.offerPending, 'an unusable answer changes nothing');
  const mapped = offers.applyAnswer(
    remote('m=audio 4000 RTP/AVP 8 97', 'a=rtpmap:97 telephone-event/8000', 'a=rtcp:4100 IN IP4 192.0.2.3'),
  );
  t.match(mapped, {
    audio: { telephoneEvents: [{ sendPayloadType: 97, receivePayloadType: 101 }], remoteRtcpAddress: '192.0.2.3', remoteRtcpPort: 4100 },
  });
  t.notOk(offers.offerPending);
  t.throws(() => offers.applyAnswer(remote('m=audio 4000 RTP/AVP 0')), { code: 'no-offer' });
  const bare = fresh();
  bare.offer(localAudio);
  const outcome = bare.applyAnswer(remote('m=audio 4000 RTP/AVP 0 101'));
  t.match(
    outcome,
    { audio: { telephoneEvents: [{ sendPayloadType: 101, receivePayloadType: 101 }] } },
    '101 without rtpmap means what we offered',
  );
});

t.test('RFC 8866 §6.4 ptime of the peer within both maxima, as a length that phones use', async (t) => {
  const cases: readonly [readonly string[], number][] = [
    [[], 20],
    [['a=ptime:10'], 10],
    [['a=ptime:60'], 60],
    [['a=ptime:120'], 60],
    [['a=ptime:4294967295', 'a=maxptime:1'], 20],
    [['a=ptime:0'], 20],
    [['a=ptime:35'], 30],
    [['a=ptime:50'], 40],
    [['a=maxptime:15'], 10],
    [['a=maxptime:10'], 10],
    [['a=ptime:40', 'a=maxptime:30'], 30],
    [['a=ptime:x'], 20],
  ];
  for (const [lines, ptime] of cases) t.equal(answered(remote('m=audio 4000 RTP/AVP 0', ...lines)).audio.ptime, ptime, lines.join(' '));
});

t.test('IPv6, addresses of sections, and a snapshot that continues as JSON', async (t) => {
  const local = { ...localAudio, address: '2001:db8::1', codecs: [pcma, pcmu] };
  const first = fresh();
  const { audio } = agreed(first.answer(remote('m=audio 4000 RTP/AVP 0 8', 'c=IN IP6 2001:db8:0:0::2'), local));
  t.equal(audio.remoteAddress, '2001:db8:0:0::2');
  for (const address of ['::1', '2001:db8::192.0.2.1', '1:2:3:4:5:6:7:8', '::']) {
    t.equal(answered(remote('m=audio 4000 RTP/AVP 0', `c=IN IP6 ${address}`)).audio.remoteAddress, address);
  }
  for (const address of ['1:2:3', 'ff02::1', '12345::', '1:2:3:4:5:6:7:8:9', '::g']) {
    t.match(fresh().answer(remote('m=audio 4000 RTP/AVP 0', `c=IN IP6 ${address}`), local), { reason: 'no-address' }, address);
  }
  const second = new OfferAnswer(JSON.parse(JSON.stringify(first.snapshot())));
  t.strictSame(JSON.parse(JSON.stringify(second.negotiated)), JSON.parse(JSON.stringify(first.negotiated)));
  t.equal(second.offer(local).origin.version, first.offer(local).origin.version);
});

const opusAudio: LocalAudio = {
  ...localAudio,
  codecs: [{ ...opus, parameters: 'stereo=0;useinbandfec=1;usedtx=0' }, l16, pcmu],
  telephoneEvents: telephoneEventsFor([opus, l16, pcmu]),
};

t.test('RFC 7587 §7 Opus is offered with two channels and its parameters, digits with the clock of each codec', async (t) => {
  const text = formatSessionDescription(fresh().offer(opusAudio));
  t.match(text, /m=audio 30000 RTP\/AVP 96 98 0 101 100\r\n/);
  t.match(text, /a=rtpmap:96 opus\/48000\/2\r\na=fmtp:96 stereo=0;useinbandfec=1;usedtx=0\r\n/);
  t.match(text, /a=rtpmap:100 telephone-event\/48000\r\n/);
  const offer = remote(
    'm=audio 4000 RTP/AVP 111 0 126 101',
    'a=rtpmap:111 OPUS/48000',
    'a=fmtp:111 MaxAverageBitrate=20000; cbr=1;;=x;useinbandfec',
    'a=rtpmap:126 telephone-event/8000',
    'a=rtpmap:101 Telephone-Event/48000',
  );
  const { answer, audio } = answered(offer, opusAudio);
  t.match(audio.codecs[0], { name: 'opus', channels: 2, sendPayloadType: 111 }, 'also without case and channels');
  t.strictSame(audio.telephoneEvents, [
    { sendPayloadType: 101, receivePayloadType: 101, clockRate: 48_000 },
    { sendPayloadType: 126, receivePayloadType: 126, clockRate: 8000 },
  ]);
  t.match(
    formatSessionDescription(answer),
    /a=fmtp:111 stereo=0;useinbandfec=1;usedtx=0\r\n/,
    'the answer says what we want, not what they do',
  );
  t.match(opusParametersOf(audio.codecs[0]?.parameters), {
    maxAverageBitrate: 20_000,
    constantBitrate: true,
    inBandFec: false,
    maxPlaybackRate: 48_000,
  });
  t.match(opusParametersOf('maxplaybackrate=99999999999;maxaveragebitrate=1;usedtx=1'), {
    maxPlaybackRate: 48_000,
    maxAverageBitrate: undefined,
    discontinuous: true,
  });
});

t.test(
  'RFC 3551 §6 static types mean something without rtpmap; L16 in stereo is none of ours; G.722 is known by its rate too',
  async (t) => {
    const music = { ...localAudio, codecs: [l16Music, g722] };
    t.match(answered(remote('m=audio 4000 RTP/AVP 10 11'), music).audio.codecs, [{ name: 'L16', clockRate: 44_100, sendPayloadType: 11 }]);
    t.match(fresh().answer(remote('m=audio 4000 RTP/AVP 10'), music), { reason: 'no-common-codec' });
    t.match(answered(remote('m=audio 4000 RTP/AVP 99', 'a=rtpmap:99 G722/16000'), music).audio.codecs[0], {
      name: 'G722',
      sendPayloadType: 99,
    });
  },
);

t.test('RFC 3264 §8.3.2 in a later offer no format gets the number that means another', async (t) => {
  const offers = fresh();
  agreed(offers.answer(remote('m=audio 4000 RTP/AVP 98 0', 'a=rtpmap:98 opus/48000/2'), opusAudio));
  const text = formatSessionDescription(offers.offer(opusAudio));
  t.match(text, /a=rtpmap:98 opus\/48000\/2\r\n/);
  t.notMatch(text, /a=rtpmap:98 L16/);
  t.match(text, /a=rtpmap:96 L16\/8000\r\n/);
});

t.test('RFC 3389 comfort noise is agreed on only where both name it', async (t) => {
  const quiet = { ...localAudio, comfortNoise: true };
  const both = answered(remote('m=audio 4000 RTP/AVP 0 13'), quiet);
  t.equal(both.audio.comfortNoise, true);
  t.match(formatSessionDescription(both.answer), /RTP\/AVP 0 13\r\n/);
  t.equal(answered(remote('m=audio 4000 RTP/AVP 0'), quiet).audio.comfortNoise, false);
  t.equal(answered(remote('m=audio 4000 RTP/AVP 0 13')).audio.comfortNoise, false);
});
