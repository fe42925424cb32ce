import t from 'tap';
import { parseUri } from '#firmware/sip/message/uri.ts';
import { type ScriptedPeer, SimulatedHouse } from '#test/support/simulated-house.ts';
import type { SimulatedPhone } from '#test/support/simulated-phone.ts';

type Lines = readonly (readonly [name: string, value: string])[];

/** Bert's phone with these settings of its line, and a far end that may call it straight. */
function atBert(settings: Readonly<Record<string, string>> = {}) {
  const house = new SimulatedHouse();
  const bert = house.phone('bert', { acceptDirectCalls: true, settings });
  return { house, bert, peer: house.peer() };
}

function callBert(house: SimulatedHouse, peer: ScriptedPeer, bert: SimulatedPhone, headers: Lines): void {
  const target = parseUri(`sip:bert@${bert.host.address}`);
  if (!target) throw new Error('no URI');
  peer.do((agent, now) => agent.invite(now, { target, body: peer.sdp(), headers }));
  house.run(300);
}

/** What went to that address and begins with these words, the last first. */
function sentTo(house: SimulatedHouse, address: string, words: string): string {
  return house.network.packets.findLast(({ to, text }) => to === `${address}:5060` && text.startsWith(words))?.text ?? '';
}

const automatic: Lines = [['Answer-Mode', 'Auto']];

t.test('RFC 5373 §4 a call that asks for it is accepted without a hand where the line allows it', async (t) => {
  const { house, bert, peer } = atBert({ 'line.1.autoAnswer': 'idle' });
  callBert(house, peer, bert, automatic);
  t.strictSame(bert.callStates, ['active']);
  t.match(sentTo(house, peer.address, 'SIP/2.0 200'), /Answer-Mode: Auto\r\n/, 'the caller learns that no person did it');
  t.match(bert.factsOf('call.autoAnswered'), [{ muted: true }]);
  t.ok(bert.media.commands.some(({ name, args }) => name === 'setMuted' && (args as { muted?: boolean }).muted === true));
  peer.end(peer.eventsOf('accepted').at(-1)?.session ?? '');
  house.run(300);
  t.strictSame(bert.callStates, []);
  t.ok(bert.media.commands.some(({ name, args }) => name === 'setMuted' && (args as { muted?: boolean }).muted === false));
});

t.test('by default nobody is accepted without a hand: it rings, and a person says Manual', async (t) => {
  const { house, bert, peer } = atBert();
  callBert(house, peer, bert, automatic);
  t.strictSame(bert.callStates, ['ringing']);
  bert.lift();
  house.run(200);
  t.match(sentTo(house, peer.address, 'SIP/2.0 200'), /Answer-Mode: Manual\r\n/);
});

t.test('RFC 5373 §4.3 who would rather be refused than ring is refused', async (t) => {
  const { house, bert, peer } = atBert();
  callBert(house, peer, bert, [['Answer-Mode', 'Auto;require']]);
  t.strictSame(bert.callStates, []);
  t.match(peer.eventsOf('failed'), [{ statusCode: 403 }]);
});

const fieldForms: readonly Lines[] = [
  [['Call-Info', '<sip:10.0.0.1>;answer-after=0']],
  [['Call-Info', '<sip:10.0.0.1;answer-after=0>']],
  [['Alert-Info', '<http://www.example.com>;info=alert-autoanswer;delay=0']],
  [['Alert-Info', 'info=alert-autoanswer']],
  [['Alert-Info', '<sip:10.0.0.1>;intercom=true']],
  [['Alert-Info', '<sip:10.0.0.1>;intercom']],
  [['Priv-Answer-Mode', 'auto']],
];
for (const form of fieldForms) {
  t.test(`${form.map((line) => line.join(': '))} is a wish to be accepted at once`, async (t) => {
    const { house, bert, peer } = atBert({ 'line.1.autoAnswer': 'always', 'line.1.autoAnswerMuted': 'off' });
    callBert(house, peer, bert, form);
    t.strictSame(bert.callStates, ['active']);
  });
}

t.test('what means something else, or nothing, rings', async (t) => {
  const others: readonly Lines[] = [
    [
      ['Answer-Mode', 'Manual'],
      ['Alert-Info', '<http://x>;info=alert-autoanswer'],
    ],
    [['Alert-Info', '<http://www.example.com/sound.wav>']],
    [['Call-Info', '<http://example.com/photo.jpg>;purpose=icon']],
    [['Answer-Mode', `${';'.repeat(2000)}`]],
    [['Alert-Info', '<sip:10.0.0.1>;intercom=false']],
  ];
  for (const form of others) {
    const { house, bert, peer } = atBert({ 'line.1.autoAnswer': 'always' });
    callBert(house, peer, bert, form);
    t.strictSame(bert.callStates, ['ringing'], form.join());
  }
});

t.test('it rings as long as the caller says before it is accepted, unless a person is faster', async (t) => {
  const { house, bert, peer } = atBert({ 'line.1.autoAnswer': 'idle' });
  callBert(house, peer, bert, [['Call-Info', '<sip:x>;answer-after=3']]);
  house.run(2_000);
  t.strictSame(bert.callStates, ['ringing']);
  house.run(1_500);
  t.strictSame(bert.callStates, ['active']);
  const again = atBert({ 'line.1.autoAnswer': 'idle' });
  callBert(again.house, again.peer, again.bert, [['Call-Info', '<sip:x>;answer-after=3']]);
  again.bert.lift();
  again.house.run(5_000);
  t.strictSame(again.bert.callStates, ['active']);
  t.strictSame(again.bert.factsOf('call.autoAnswered'), []);
});

for (const [policy, whileTalking, whileHolding] of [
  ['idle', ['active', 'waiting'], ['held', 'waiting']],
  ['notBusy', ['active', 'waiting'], ['held', 'active']],
  ['always', ['held', 'active'], ['held', 'active']],
] as const) {
  t.test(`line.*.autoAnswer=${policy} while the person talks, and while they hold`, async (t) => {
    for (const [holds, states] of [
      [false, whileTalking],
      [true, whileHolding],
    ] as const) {
      const { house, bert, peer } = atBert({ 'line.1.autoAnswer': policy });
      const other = house.peer();
      bert.do((phone, now) => phone.call(now, other.uri));
      house.run(200);
      other.accept();
      house.run(200);
      if (holds) bert.do((phone, now) => phone.hold(now));
      house.run(200);
      callBert(house, peer, bert, automatic);
      house.run(300);
      t.strictSame(bert.callStates, states, holds ? 'holding' : 'talking');
    }
  });
}

t.test('only those who are named are accepted without a hand', async (t) => {
  for (const [from, state] of [
    ['sip:somebody@10.0.1.1', 'ringing'],
    ['', 'active'],
  ] as const) {
    const { house, bert, peer } = atBert({ 'line.1.autoAnswer': 'idle' });
    callBert(house, peer, bert, []);
    const known = bert.calls[0]?.remote.uri ?? '';
    const next = atBert({ 'line.1.autoAnswer': 'idle', 'line.1.autoAnswerFrom': from || known });
    callBert(next.house, next.peer, next.bert, automatic);
    t.strictSame(next.bert.callStates, [state], from);
  }
});

t.test('an intercom call, by command and by prefix, is accepted at the other end', async (t) => {
  for (const byPrefix of [false, true]) {
    const house = new SimulatedHouse();
    const anna = house.phone('anna', { settings: { 'phone.intercomPrefix': '*80' } });
    const bert = house.phone('bert', { settings: { 'line.1.autoAnswer': 'idle', 'line.1.autoAnswerFrom': 'anna' } });
    if (byPrefix) anna.do((phone, now) => phone.call(now, '*80bert'));
    else anna.do((phone, now) => phone.call(now, 'bert', undefined, { intercom: true }));
    house.run(600);
    t.strictSame([anna.callStates, bert.callStates], [['active'], ['active']]);
  }
});

t.test('RFC 3323 §4.1.1.3, RFC 3325 §9.2 a number is hidden by line, by prefix and by command', async (t) => {
  const ways: readonly (readonly [Readonly<Record<string, string>>, string, boolean])[] = [
    [{ 'line.1.hideNumber': 'on' }, 'bert', false],
    [{ 'phone.hideNumberPrefix': '*31*' }, '*31*bert', false],
    [{}, 'bert', true],
  ];
  for (const [settings, dialled, hideNumber] of ways) {
    const house = new SimulatedHouse();
    const anna = house.phone('anna', { settings });
    const bert = house.phone('bert');
    anna.do((phone, now) => phone.call(now, dialled, undefined, { hideNumber }));
    house.run(500);
    t.match(bert.calls, [{ state: 'ringing', remote: { displayName: 'Anonymous', uri: 'sip:anonymous@anonymous.invalid' } }]);
    const invite = sentTo(house, '10.0.0.1', 'INVITE');
    t.match(invite, /\r\nPrivacy: id\r\n/);
    t.match(invite, /\r\nP-Preferred-Identity: "?anna"? <sip:anna@house\.example>\r\n/);
    t.notMatch(sentTo(house, '10.0.0.1', 'ACK'), /P-Preferred-Identity/);
  }
});

t.test('RFC 5079 §4 a caller without a name is refused with 433 where the line says so', async (t) => {
  const house = new SimulatedHouse();
  const anna = house.phone('anna');
  const bert = house.phone('bert', { settings: { 'line.1.rejectAnonymous': 'on' } });
  anna.do((phone, now) => phone.call(now, 'bert', undefined, { hideNumber: true }));
  house.run(500);
  t.strictSame(bert.callStates, []);
  t.equal(anna.callLog[0]?.statusCode, 433);
  anna.do((phone, now) => phone.call(now, 'bert'));
  house.run(500);
  t.strictSame(bert.callStates, ['ringing']);
});

const remarks: readonly (readonly [Lines, readonly string[]])[] = [
  [[['Diversion', '"Carl" <sip:carl@house.example>;reason=no-answer;counter=1']], ['forwarded by Carl']],
  [
    [
      ['Diversion', '<sip:carl@house.example>;reason=user-busy'],
      ['Diversion', '<sip:dora@house.example>;reason=unconditional'],
    ],
    ['forwarded by carl', 'forwarded by dora'],
  ],
  [
    [['History-Info', '<sip:carl@house.example?Reason=SIP%3Bcause%3D302>;index=1, <sip:bert@house.example>;index=1.1']],
    ['forwarded by carl'],
  ],
  [
    [
      ['Subject', 'The roof leaks'],
      ['Priority', 'Urgent'],
      ['Organization', 'Roofers'],
    ],
    ['urgent', 'subject: The roof leaks', 'of Roofers'],
  ],
  [[['Referred-By', '<sip:dora@house.example>']], ['sent by dora']],
  [
    [
      ['Diversion', '<<<'],
      ['History-Info', ';;;'],
      ['Priority', 'normal'],
      ['Referred-By', '@'],
    ],
    [],
  ],
];
for (const [headers, texts] of remarks) {
  t.test(`RFC 5806, RFC 7044, RFC 3261 §20.26 §20.36 ${headers.map(([name]) => name)} say: ${texts}`, async (t) => {
    const { house, bert, peer } = atBert();
    callBert(house, peer, bert, headers);
    t.strictSame(bert.calls[0]?.remarks, texts);
    t.strictSame(
      bert.status.display.slice(2),
      texts.map((text) => text.slice(0, 32)),
    );
  });
}

t.test('RFC 3261 §20.26 an urgent call rings although nobody is to disturb, where the line says so', async (t) => {
  for (const [urgentRings, priority, states] of [
    ['on', 'urgent', ['ringing']],
    ['on', 'emergency', ['ringing']],
    ['on', 'normal', []],
    ['off', 'emergency', []],
  ] as const) {
    const { house, bert, peer } = atBert({ 'line.1.doNotDisturb': 'on', 'line.1.urgentRings': urgentRings });
    callBert(house, peer, bert, [['Priority', priority]]);
    t.strictSame(bert.callStates, states, `${urgentRings} ${priority}`);
  }
});

t.test('RFC 5806 §3, RFC 7044 §9.3 a line that forwards says that it was the one who did', async (t) => {
  const { house, bert, peer } = atBert({ 'line.1.forward': 'sip:carl@house.example' });
  callBert(house, peer, bert, [
    ['Supported', 'histinfo'],
    ['Diversion', '<sip:dora@house.example>;reason=unconditional'],
  ]);
  const moved = sentTo(house, peer.address, 'SIP/2.0 302');
  t.match(moved, /Contact: <sip:carl@house\.example>\r\n/);
  t.match(moved, /Diversion: <sip:bert@house\.example>;reason=unconditional;counter=1\r\nDiversion: <sip:dora@house\.example>/);
  t.match(moved, /History-Info: <sip:bert@house\.example\?Reason=SIP%3[bB]cause%3[dD]302>;index=1\r\n/);
});

t.test('§20.4 Alert-Info names the melody of the bell: ours by name, those of Bellcore; others ring as the line does', async (t) => {
  const house = new SimulatedHouse();
  const anna = house.phone('anna', { settings: { 'line.1.ring': 'ode' } });
  const bert = house.phone('bert');
  const rungBy = (alert: string | undefined) => {
    const restore = house.network.intercept(({ text, to }) => {
      if (alert === undefined || !text.startsWith('INVITE') || !to.startsWith('10.0.0.10:') || text.includes('Alert-Info'))
        return undefined;
      house.exchangeHost.sendText(anna.host, text.replace('Content-Length', `Alert-Info: ${alert}\r\nContent-Length`));
      return 'drop';
    });
    bert.do((phone, now) => phone.call(now, 'anna'));
    house.run(500);
    const { bell } = anna;
    restore();
    bert.do((phone, now) => phone.hangUp(now));
    house.run(1_000);
    return bell;
  };
  const cases = {
    '<http://pbx.example/sounds/Chime.wav>': 'chime',
    '<http://127.0.0.1>;info=westminster': 'westminster',
    'Bellcore-dr2': 'classic',
    '<urn:alert:service:cuckoo>': 'cuckoo',
    '<http://pbx.example/unknown.wav>, <http://pbx.example/alarm>': 'alarm',
    'info=__proto__': 'ode',
    '<<<;;;=': 'ode',
  };
  for (const [alert, bell] of Object.entries(cases)) t.equal(rungBy(alert), bell, alert);
  t.equal(rungBy(undefined), 'ode', 'without one');
  anna.changeSettings({ 'line.1.callerRing': 'false' });
  t.equal(rungBy('<http://pbx.example/chime>'), 'ode', 'not wanted');
});
