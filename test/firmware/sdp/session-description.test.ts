import t from 'tap';
import { formatsOf } from '#firmware/sdp/audio-format.ts';
import { OfferAnswer, startOfferAnswer } from '#firmware/sdp/offer-answer.ts';
import { formatSessionDescription, parseSessionDescription, type SessionDescription } from '#firmware/sdp/session-description.ts';
import { corpusText } from '#test/support/corpus.ts';
import { seededRandom } from '#test/support/seeded-entropy.ts';
import { localAudio, parsed } from './sdp-fixtures.ts';

t.test('§5 a description is read into its parts', async (t) => {
  const description = parsed(
    'v=0',
    'o=alice 2890844526 2890844527 IN IP6 2001:db8::1',
    's=A call',
    'i=ignored',
    'c=IN IP4 198.51.100.1/127',
    'b=AS:64',
    't=0 0',
    'a=recvonly',
    'm=audio 49170/2 RTP/AVP 0 8  97',
    'c=IN IP6 2001:db8::2',
    'a=rtpmap:97 opus/48000/2',
    'a=fmtp:97 useinbandfec=1',
    'm=video 0 RTP/AVP 31',
  );
  t.strictSame(description.origin, {
    username: 'alice',
    sessionId: '2890844526',
    version: '2890844527',
    addressType: 'IP6',
    address: '2001:db8::1',
  });
  t.equal(description.sessionName, 'A call');
  t.strictSame(description.connection, { addressType: 'IP4', address: '198.51.100.1/127' });
  t.strictSame(description.attributes, [{ name: 'recvonly', value: undefined }]);
  const [audio, video] = description.media;
  t.match(audio, { media: 'audio', port: 49_170, protocol: 'RTP/AVP', formats: ['0', '8', '97'] });
  t.strictSame(audio?.connection, { addressType: 'IP6', address: '2001:db8::2' });
  t.strictSame(audio && formatsOf(audio).map(({ name, clockRate, channels, parameters }) => [name, clockRate, channels, parameters]), [
    ['PCMU', 8000, 1, undefined],
    ['PCMA', 8000, 1, undefined],
    ['opus', 48_000, 2, 'useinbandfec=1'],
  ]);
  t.match(video, { media: 'video', port: 0, attributes: [] });
});

t.test('§5 tolerated: bare LF, no s= and t=, empty and unknown lines, odd attributes and bandwidths', async (t) => {
  const description = parsed(
    'v=0\no=- 1 1 IN IP4 192.0.2.1\nc=IN IP4 192.0.2.1  \nb=\nb=:\nb=AS:99999999999999999999\nq=what\n\nm=audio 4000 RTP/AVP 0\na=\na=:\na=rtpmap\na=rtpmap:\na=fmtp:',
  );
  t.equal(description.media.length, 1);
  t.equal(description.sessionName, '-');
  t.strictSame(description.media[0] && formatsOf(description.media[0]).map(({ name }) => name), ['PCMU']);
});

t.test('§5 refused: what would be a guess', async (t) => {
  const head = ['v=0', 'o=- 1 1 IN IP4 192.0.2.1'];
  const cases: readonly [string, readonly string[]][] = [
    ['unknown-version', ['o=- 1 1 IN IP4 192.0.2.1']],
    ['unknown-version', ['v=1']],
    ['malformed-origin', ['v=0', 'o=- 1 1 IN IP4']],
    ['malformed-origin', ['v=0', 'o=- 1 1 ATM IP4 x']],
    ['missing-origin', ['v=0', 's=-']],
    ['malformed-connection', [...head, 'c=IN IP5 192.0.2.1']],
    ['malformed-media', [...head, 'm=audio 65536 RTP/AVP 0']],
    ['malformed-media', [...head, 'm=audio -1 RTP/AVP 0']],
    ['malformed-media', [...head, 'm=audio 4e3 RTP/AVP 0']],
    ['malformed-media', [...head, 'm=audio 4000']],
    ['malformed-line', [...head, 'm =audio 4000 RTP/AVP 0']],
    ['not-text', [...head, 's=a\0b']],
    ['line-too-long', [...head, `s=${'x'.repeat(8192)}`]],
    ['too-many-media', [...head, ...Array.from({ length: 65 }, () => 'm=audio 4000 RTP/AVP 0')]],
    ['too-many-lines', [...head, ...Array.from({ length: 2000 }, () => 'a=x')]],
    ['too-long', [...head, ...Array.from({ length: 20 }, () => `a=${'x'.repeat(4000)}`)]],
  ];
  for (const [reason, lines] of cases) {
    const outcome = parseSessionDescription(lines.join('\r\n'));
    t.match(outcome, { outcome: 'malformed', reason }, `${reason}: ${lines.at(-1)?.slice(0, 40)}`);
  }
});

t.test('§6.6 payload types without meaning, twice or out of range are left out', async (t) => {
  const description = parsed(
    'v=0',
    'o=- 1 1 IN IP4 192.0.2.1',
    'c=IN IP4 192.0.2.1',
    'm=audio 4000 RTP/AVP 4294967296 128 -1 x 96 97 98 0 0 8',
    'a=rtpmap:96 PCMU/0',
    'a=rtpmap:97 /8000',
    'a=rtpmap:98 telephone-event/8000/1',
    'a=rtpmap:8 PCMA/0',
  );
  const section = description.media[0];
  t.strictSame(section && formatsOf(section).map(({ payloadType, name }) => `${payloadType} ${name}`), [
    '98 telephone-event',
    '0 PCMU',
    '8 PCMA',
  ]);
});

t.test('§9 what is formatted is golden, and parses back to the same', async (t) => {
  const offer = new OfferAnswer(startOfferAnswer('4711')).offer({ ...localAudio, address: '2001:db8::7', rtcpPort: 30_009 });
  const text = formatSessionDescription(offer);
  t.equal(
    text,
    [
      'v=0',
      'o=- 4711 1 IN IP6 2001:db8::7',
      's=hookswitch',
      'c=IN IP6 2001:db8::7',
      't=0 0',
      'm=audio 30000 RTP/AVP 0 8 101',
      'a=rtpmap:0 PCMU/8000',
      'a=rtpmap:8 PCMA/8000',
      'a=rtpmap:101 telephone-event/8000',
      'a=fmtp:101 0-16',
      'a=ptime:20',
      'a=maxptime:60',
      'a=sendrecv',
      'a=rtcp:30009',
      '',
    ].join('\r\n'),
  );
  t.strictSame(parsed(text), offer);
});

t.test('any prefix, deletion or flipped byte of a description gives an outcome, never an exception', async (t) => {
  const text = formatSessionDescription(new OfferAnswer(startOfferAnswer('1')).offer(localAudio));
  const bytes = new TextEncoder().encode(text);
  const random = seededRandom(7);
  let outcomes = 0;
  const examine = (body: Uint8Array): void => {
    const result = parseSessionDescription(body);
    if (result.outcome === 'parsed') new OfferAnswer(startOfferAnswer('2')).answer(result.description, localAudio);
    outcomes++;
  };
  for (let index = 0; index < bytes.length; index++) {
    examine(bytes.subarray(0, index));
    examine(Uint8Array.from(bytes.filter((_, place) => place !== index)));
    const flipped = bytes.slice();
    flipped[index] = Math.floor(random() * 256);
    examine(flipped);
  }
  t.equal(outcomes, 3 * bytes.length);
});

t.test('hostile descriptions of the corpus get their verdict', async (t) => {
  const verdicts: Readonly<Record<string, string>> = {
    '026-sdp-pt-2^32': 'unusable no-common-codec',
    '028-sdp-port-65536': 'malformed malformed-media',
    '030-sdp-ptime-huge': 'agreed PCMU 20',
    '032-sdp-clock-0': 'agreed PCMU 20',
    '034-sdp-500-mlines': 'malformed too-many-media',
    '036-sdp-crypto-shortkey': 'unusable unsupported-transport',
    '038-sdp-line-64k': 'malformed line-too-long',
    '040-sdp-red-static': 'agreed PCMU 20',
    '042-sdp-empty-a': 'agreed PCMU 20',
    '044-sdp-bandwidth': 'agreed PCMU 20',
  };
  for (const [name, verdict] of Object.entries(verdicts)) {
    const message = corpusText(t, `bugclass/${name}.sip`)?.replaceAll('@L@', '192.0.2.9');
    if (message === undefined) break;
    t.equal(verdictOf(message.slice(message.indexOf('\r\n\r\n') + 4)), verdict, name);
  }
  t.equal(verdictOf('v=0\r\no=- 1 1 IN IP4 192.0.2.9\r\nm=audio 65536 RTP/AVP 0\r\n'), 'malformed malformed-media', 'of our own');
});

function verdictOf(body: string): string {
  const result = parseSessionDescription(body);
  if (result.outcome === 'malformed') return `malformed ${result.reason}`;
  return answerOf(result.description);
}

function answerOf(description: SessionDescription): string {
  const answer = new OfferAnswer(startOfferAnswer('3')).answer(description, localAudio);
  return answer.outcome === 'unusable' ? `unusable ${answer.reason}` : `agreed ${answer.audio.codecs[0].name} ${answer.audio.ptime}`;
}
