import t from 'tap';
import type { Digit } from '#firmware/contract/media.ts';
import { type DigitHabits, DigitSender, freshHabits } from '#firmware/phone/digit-sender.ts';
import { DoorCode } from '#firmware/phone/door-code.ts';
import { formatInfoDigit, parseInfoDigit } from '#firmware/phone/info-digits.ts';
import { PressFilter } from '#firmware/phone/press-filter.ts';
import { sameSecret } from '#firmware/phone/secret.ts';
import type { Body } from '#firmware/sip/user-agent-events.ts';

const bodyOf = (contentType: string, content: string | Uint8Array): Body => ({
  contentType,
  bytes: typeof content === 'string' ? new TextEncoder().encode(content) : content,
});

const forms: readonly (readonly [contentType: string, content: string, digit: Digit | undefined])[] = [
  ['application/dtmf-relay', 'Signal=5\r\nDuration=160\r\n', '5'],
  ['application/dtmf-relay', 'Signal= 5\nDuration= 250', '5'],
  ['application/dtmf-relay', 'signal=*\r\nduration=100', '*'],
  ['application/dtmf-relay', 'Signal:#\r\nDuration:100', '#'],
  ['application/dtmf-relay', 'Duration=160\r\nSignal=7', '7'],
  ['application/dtmf-relay; charset=utf-8', 'Signal=1', '1'],
  ['Application/DTMF-Relay', 'SIGNAL=b', 'B'],
  ['application/dtmf-relay', 'Signal=10\r\nDuration=160', '*'],
  ['application/dtmf-relay', 'Signal=11\r\nDuration=160', '#'],
  ['application/dtmf-relay', 'Signal=12', 'A'],
  ['application/dtmf-relay', 'Signal=15', 'D'],
  ['application/dtmf-relay', 'Signal=16', 'flash'],
  ['application/dtmf-relay', 'Signal=hf', 'flash'],
  ['application/dtmf-relay', 'Signal="4"', '4'],
  ['application/dtmf-relay', 'Signal=star', '*'],
  ['application/dtmf-relay', 'Signal=pound', '#'],
  ['application/dtmf', '5', '5'],
  ['application/dtmf', '5\r\n', '5'],
  ['application/dtmf', '\r\n*\r\n', '*'],
  ['application/dtmf', '11', '#'],
  ['application/dtmf', 'Signal=3', '3'],
  ['application/dtmf', 'd', 'D'],
  ['application/dtmf', '!', 'flash'],
  ['application/telephone-event', '9', '9'],
  ['application/telephone-event', 'Signal=0', '0'],
  ['application/hook-flash', 'hook-flash', 'flash'],
  ['application/broadsoft; version=1.0', 'event flashhook', 'flash'],
  ['application/vnd.nortelnetworks.digits', 'p=Digit-Collection\r\ny=Digits\r\n\r\nd=Digits=8\r\n', '8'],
  ['application/dtmf-relay', '', undefined],
  ['application/dtmf-relay', 'Signal=', undefined],
  ['application/dtmf-relay', 'Signal=17', undefined],
  ['application/dtmf-relay', 'Signal=99', undefined],
  ['application/dtmf-relay', 'Signal=E', undefined],
  ['application/dtmf-relay', 'Signal=1a', undefined],
  ['application/dtmf', 'hello', undefined],
  ['application/sdp', '5', undefined],
  ['text/plain', 'Signal=5', undefined],
  ['', '5', undefined],
];

t.test('a digit is found in every form of INFO that phones send, and in nothing else', async (t) => {
  for (const [contentType, content, digit] of forms) {
    t.equal(parseInfoDigit(bodyOf(contentType, content))?.digit, digit, `${contentType}: ${JSON.stringify(content)}`);
  }
});

t.test('RFC 4733 §2.3 a payload in an INFO counts once, at its end', async (t) => {
  const payload = (event: number, flags: number) => bodyOf('application/telephone-event', Uint8Array.of(event, flags, 0x03, 0x20));
  t.strictSame(parseInfoDigit(payload(11, 0x80)), { digit: '#', durationMs: 100 });
  t.equal(parseInfoDigit(payload(16, 0x8a))?.digit, 'flash');
  t.equal(parseInfoDigit(payload(11, 0x0a)), undefined, 'not ended yet');
});

t.test('a duration is read when it makes sense', async (t) => {
  t.equal(parseInfoDigit(bodyOf('application/dtmf-relay', 'Signal=5\r\nDuration=250'))?.durationMs, 250);
  for (const wrong of ['Duration=-1', 'Duration=x', 'Duration=99999999', '']) {
    t.equal(parseInfoDigit(bodyOf('application/dtmf-relay', `Signal=5\r\n${wrong}`))?.durationMs, 160, wrong);
  }
});

t.test('no bytes make the reader throw', async (t) => {
  for (let first = 0; first < 256; first++) {
    for (const length of [1, 2, 4, 300]) parseInfoDigit(bodyOf('application/dtmf', new Uint8Array(length).fill(first)));
  }
  t.pass('all of them read');
});

t.test('what is sent can be read, in both forms', async (t) => {
  for (const digit of ['0', '9', '*', '#', 'A', 'D', 'flash'] as const) {
    for (const format of ['dtmf-relay', 'dtmf'] as const) {
      t.strictSame(parseInfoDigit(formatInfoDigit(format, digit, 160)), { digit, durationMs: 160 }, `${digit} by ${format}`);
    }
  }
  const text = new TextDecoder().decode(formatInfoDigit('dtmf-relay', '5', 160).bytes);
  t.equal(text, 'Signal=5\r\nDuration=160\r\n', 'as Cisco once wrote it down');
});

t.test('a press that comes by INFO and by RFC 4733 is one press, whichever is first', async (t) => {
  for (const [first, second] of [
    ['info', 'rfc4733'],
    ['rfc4733', 'info'],
  ] as const) {
    const filter = new PressFilter();
    t.equal(filter.isNew(0, '1', first), true);
    t.equal(filter.isNew(200, '1', second), false);
    t.equal(filter.isNew(400, '1', first), true, 'and the next press is new again');
    t.equal(filter.isNew(600, '1', second), false);
  }
});

t.test('a double press by both ways is two presses in any order', async (t) => {
  const count = (order: readonly ('info' | 'rfc4733')[]) => {
    const filter = new PressFilter();
    return order.filter((way, index) => filter.isNew(index * 100, '*', way)).length;
  };
  t.equal(count(['info', 'rfc4733', 'info', 'rfc4733']), 2);
  t.equal(count(['info', 'info', 'rfc4733', 'rfc4733']), 2);
  t.equal(count(['rfc4733', 'rfc4733', 'info', 'info']), 2);
  t.equal(count(['info', 'info', 'info']), 3, 'one way alone repeats nothing');
});

t.test('other digits and late ones are never taken for an echo', async (t) => {
  const filter = new PressFilter();
  t.equal(filter.isNew(0, '1', 'info'), true);
  t.equal(filter.isNew(100, '2', 'rfc4733'), true);
  t.equal(filter.isNew(1700, '1', 'rfc4733'), true, 'too late to be the same press');
  for (let press = 0; press < 200; press++) filter.isNew(2000 + press, '5', 'info');
  t.equal(filter.isNew(2300, '6', 'info'), true, 'a flood costs nothing');
});

class Wire {
  readonly sent: string[] = [];
  events = true;
  learnt: DigitHabits | undefined;
  readonly sender: DigitSender;

  constructor(
    digitMode: 'info' | 'rfc4733' | 'both' | 'sound' | 'auto',
    infoFormat: 'dtmf-relay' | 'dtmf' = 'dtmf-relay',
    known?: DigitHabits,
  ) {
    const carrier = {
      sendInfo: (_: number, body: Body) => {
        this.sent.push(`${body.contentType.slice(12)} ${parseInfoDigit(body)?.digit}`);
      },
      sendEvent: (digit: Digit) => {
        this.sent.push(`event ${digit}`);
      },
      playDigit: (digit: Digit) => {
        this.sent.push(`sound ${digit}`);
      },
      takesEvents: () => this.events,
    };
    this.sender = new DigitSender(carrier, { digitMode, digitMs: 160 }, known ?? freshHabits(infoFormat), (habits) => {
      this.learnt = habits;
    });
  }

  press(digits: string): this {
    for (const digit of digits) this.sender.press(0, digit as Digit);
    return this;
  }
}

t.test('digits go out in the configured mode', async (t) => {
  t.strictSame(new Wire('info').press('5').sent, ['dtmf-relay 5']);
  t.strictSame(new Wire('info', 'dtmf').press('5').sent, ['dtmf 5']);
  t.strictSame(new Wire('rfc4733').press('5').sent, ['event 5']);
  t.strictSame(new Wire('both').press('5').sent, ['event 5', 'dtmf-relay 5']);
});

t.test('a far end that takes no telephone events gets INFO', async (t) => {
  const wire = new Wire('rfc4733');
  wire.events = false;
  t.strictSame(wire.press('5').sent, ['dtmf-relay 5']);
});

t.test('the next INFO waits for the answer to the one before, so the order is kept', async (t) => {
  const wire = new Wire('info').press('123');
  t.strictSame(wire.sent, ['dtmf-relay 1']);
  wire.sender.infoAnswered(0, 200);
  t.strictSame(wire.sent, ['dtmf-relay 1', 'dtmf-relay 2']);
  wire.sender.infoAnswered(0, 408);
  t.strictSame(wire.sent.at(-1), 'dtmf-relay 3', 'an INFO nobody answered does not block the rest');
  wire.sender.infoAnswered(0, 200);
  t.equal(wire.press('4').sent.length, 4);
  let taken = 0;
  while (wire.sender.press(0, '0')) taken++;
  t.equal(taken, 31, 'only so many may wait');
});

t.test('§21.4.13 a far end that refuses one form of INFO gets the other, then events', async (t) => {
  const wire = new Wire('info').press('12');
  wire.sender.infoAnswered(0, 415);
  t.strictSame(wire.sent, ['dtmf-relay 1', 'dtmf 1']);
  wire.sender.infoAnswered(0, 415);
  t.strictSame(wire.sent.slice(2), ['event 1', 'event 2'], 'nothing is lost');
  t.strictSame(wire.press('3').sent.slice(4), ['event 3'], 'and the far end is remembered');
});

t.test('where nothing else is taken the digits sound; set to it, they always do', async (t) => {
  const wire = new Wire('rfc4733');
  wire.events = false;
  wire.press('12');
  wire.sender.infoAnswered(0, 415);
  wire.sender.infoAnswered(0, 501);
  t.strictSame(wire.sent, ['dtmf-relay 1', 'dtmf 1', 'sound 1', 'sound 2']);
  t.strictSame(new Wire('sound').press('5').sent, ['sound 5']);
  const both = new Wire('both').press('1');
  both.sender.infoAnswered(0, 405);
  both.sender.infoAnswered(0, 405);
  t.strictSame(both.sent, ['event 1', 'dtmf-relay 1', 'dtmf 1'], 'what went both ways is not sent again');
});

t.test('what a far end takes is learnt, told as evidence, and known in the next call', async (t) => {
  const wire = new Wire('info').press('1');
  wire.events = false;
  wire.sender.infoAnswered(0, 415);
  wire.sender.infoAnswered(0, 200);
  wire.sender.heard('sound');
  t.strictSame(wire.learnt, { infoFormat: 'dtmf', infoAccepted: true, formsRefused: 1, heardBy: 'sound' });
  t.strictSame(wire.sender.evidence, ['took INFO application/dtmf', 'refused INFO application/dtmf-relay', 'sent digits by tones']);
  t.strictSame(new Wire('info', 'dtmf-relay', wire.learnt).press('2').sent, ['dtmf 2'], 'at once in the form that it takes');
});

t.test('auto: as the far end sends its own, else events, else INFO', async (t) => {
  t.strictSame(new Wire('auto').press('1').sent, ['event 1']);
  const heard = new Wire('auto');
  heard.sender.heard('info');
  t.strictSame(heard.press('1').sent, ['dtmf-relay 1']);
  const bare = new Wire('auto');
  bare.events = false;
  t.strictSame(bare.press('1').sent, ['dtmf-relay 1']);
  bare.sender.heard('sound');
  t.strictSame(bare.press('2').sent.at(-1), 'sound 2');
});

const enter = (code: DoorCode, digits: string, every = 200): string => {
  let last = 'open';
  [...digits].forEach((digit, index) => {
    last = code.press(index * every, digit as Digit);
  });
  return last;
};

t.test('a door code opens whatever was pressed before it', async (t) => {
  for (const entry of ['**9', '5**9', '***9', '12345**9', '**8**9', '*1**9']) t.equal(enter(new DoorCode('**9'), entry), 'right', entry);
  t.equal(enter(new DoorCode('4711'), '004711'), 'right');
});

t.test('a door code does not open by halves, and a wrong one is told', async (t) => {
  t.equal(enter(new DoorCode('**9'), '**'), 'open');
  t.equal(enter(new DoorCode('**9'), '*9'), 'open');
  t.equal(enter(new DoorCode('**9'), '9'), 'open');
  t.equal(enter(new DoorCode('**9'), '**8'), 'wrong');
  t.equal(enter(new DoorCode('**9'), '***'), 'open', 'one star too many may be mended');
  t.equal(enter(new DoorCode('4711'), '9999'), 'open', 'plain digits may be meant for somebody else');
  t.equal(enter(new DoorCode('**9'), '**9', 6_000), 'open', 'too slow');
  t.equal(new DoorCode('').press(0, '1'), 'open', 'no code, no entry');
});

t.test('each entry of a door code counts once', async (t) => {
  const code = new DoorCode('**9');
  const verdicts = [...'**9**99'].map((digit, index) => code.press(index * 100, digit as Digit));
  t.strictSame(
    verdicts.filter((verdict) => verdict === 'right'),
    ['right', 'right'],
  );
});

t.test('secrets are compared whole', async (t) => {
  t.equal(sameSecret('letmein', 'letmein'), true);
  for (const wrong of ['', 'letmei', 'letmeinn', 'Letmein', 'letmeim', 'letmeinletmein'])
    t.equal(sameSecret(wrong, 'letmein'), false, wrong);
});
