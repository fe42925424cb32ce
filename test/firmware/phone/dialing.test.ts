import fc from 'fast-check';
import t from 'tap';
import { Settings } from '#firmware/config/settings.ts';
import { UsageError } from '#firmware/core/errors.ts';
import { DialPlan } from '#firmware/phone/dial-plan.ts';
import { resolveTarget } from '#firmware/phone/dial-target.ts';
import { phoneSettingsOf } from '#firmware/phone/phone-settings.ts';
import { Redirection } from '#firmware/phone/redirection.ts';
import { NameAddr } from '#firmware/sip/message/name-addr.ts';
import { parseUri, type Uri } from '#firmware/sip/message/uri.ts';
import { virtualProfile } from '#test/support/simulated-board.ts';

/** The length at which the plan dials by itself; 0 when it waits. */
const dialsAfter = (patterns: readonly string[], digits: string): number => {
  const plan = new DialPlan(patterns);
  for (let length = 1; length <= digits.length; length++) if (plan.judge(digits.slice(0, length)) === 'complete') return length;
  return 0;
};

t.test('a number that a pattern fits is complete at once', async (t) => {
  t.equal(dialsAfter(['112'], '112'), 3);
  t.equal(dialsAfter(['[2-5]xx'], '245'), 3);
  t.equal(dialsAfter(['[2-5]xx'], '645'), 0, 'another first digit');
  t.equal(dialsAfter(['[13]x', '6xx'], '600'), 3);
  t.equal(dialsAfter(['*xx'], '*21'), 3);
  t.equal(dialsAfter(['#[1*]'], '#*'), 2);
  t.equal(dialsAfter([], '112'), 0, 'without a plan the inter-digit time decides');
});

t.test('a number that might go on waits', async (t) => {
  t.equal(dialsAfter(['112', '112x'], '112'), 0, 'the longer pattern could still fit');
  t.equal(dialsAfter(['112', '112x'], '1123'), 4);
  t.equal(dialsAfter(['0.'], '0891234567890'), 0, 'any number of digits more');
  t.equal(dialsAfter(['0.', '6xx'], '600'), 3);
});

t.test('a plan never throws, whatever it is made of and whatever is dialled', async (t) => {
  const seed = 7;
  t.comment(`fast-check seed ${seed}`);
  const symbols = fc.string({ unit: fc.constantFrom(...'0123456789*#x.[]-'), maxLength: 12 });
  fc.assert(
    fc.property(
      fc.array(symbols, { maxLength: 4 }),
      fc.string({ unit: fc.constantFrom(...'0123456789*#A'), maxLength: 12 }),
      (plan, digits) => {
        const verdict = new DialPlan(plan).judge(digits);
        return verdict === 'complete' || verdict === 'open';
      },
    ),
    { seed, numRuns: 1000 },
  );
  t.pass('1000 plans judged');
});

const lines = phoneSettingsOf(
  new Settings(
    new Map([
      ['line.1.aor', 'sip:anna@house.example'],
      ['line.2.aor', 'sip:200@pbx.example:5070'],
    ]),
  ),
  virtualProfile,
);

const target = (text: string, lineName?: string): string => {
  const { uri, line } = resolveTarget(text, lines, lineName);
  return `${uri} by ${line?.name ?? 'nobody'}`;
};

t.test('a number is called in the domain of its line', async (t) => {
  t.equal(target('600'), 'sip:600@house.example by 1');
  t.equal(target('600', '2'), 'sip:600@pbx.example:5070 by 2');
  t.equal(target(' +49 (89) 123-456 '), 'sip:+4989123456@house.example by 1');
  t.equal(target('*21#'), 'sip:*21%23@house.example by 1', 'a # is no part of a URI');
  t.equal(target('bert'), 'sip:bert@house.example by 1', 'a name too');
  t.equal(target('tel:+4989123456;phone-context=x'), 'sip:+4989123456@house.example by 1');
});

t.test('an address is called as it stands, by the line it belongs to', async (t) => {
  t.equal(target('sip:bob@pbx.example:5070'), 'sip:bob@pbx.example:5070 by 2');
  t.equal(target('bob@other.example'), 'sip:bob@other.example by 1', 'foreign names go through the server of the first line');
  t.equal(target('sip:door@192.168.1.5'), 'sip:door@192.168.1.5 by nobody', 'an IP address is called straight');
  t.equal(target('192.168.1.5'), 'sip:192.168.1.5 by nobody');
  t.equal(target('192*168*1*5'), 'sip:192.168.1.5 by nobody', 'as a keypad without a dot writes it');
  t.equal(target('sip:[2001:db8::5]'), 'sip:[2001:db8::5] by nobody');
  t.equal(target('sip:door@192.168.1.5', '1'), 'sip:door@192.168.1.5 by 1', 'unless a line is asked for');
});

t.test('what is no target is refused in words', async (t) => {
  for (const wrong of ['hello world', 'sip:', 'sip:@', 'a b@c d', '', '"><script>', 'sip:bob@exa mple']) {
    t.throws(() => target(wrong), UsageError, JSON.stringify(wrong));
  }
  t.throws(() => target('600', '9'), { code: 'unknown-line' });
  const bare = { lines: [], dialing: { domain: undefined } };
  t.throws(() => resolveTarget('600', bare), { code: 'no-line' });
  t.equal(`${resolveTarget('sip:bob@10.0.0.7', bare).uri}`, 'sip:bob@10.0.0.7', 'addresses need no line');
});

t.test('phone.autoDomain takes the place of the domain of the line', async (t) => {
  const dialer = { ...lines, dialing: { domain: 'numbers.example:5080' } };
  t.equal(`${resolveTarget('600', dialer).uri}`, 'sip:600@numbers.example:5080');
});

t.test('the default line comes first, others follow by name', async (t) => {
  const names = (preferred: string) =>
    phoneSettingsOf(
      new Settings(
        new Map([
          ['line.1.aor', 'sip:a@x.example'],
          ['line.10.aor', 'sip:b@x.example'],
          ['line.2.aor', 'sip:c@x.example'],
          ['line.3.displayName', 'no address yet'],
          ['phone.defaultLine', preferred],
        ]),
      ),
      virtualProfile,
    ).lines.map(({ name }) => name);
  t.strictSame(names(''), ['1', '2', '10'], 'one without an address is none');
  t.strictSame(names('2'), ['2', '1', '10']);
});

const uri = (text: string): Uri => {
  const parsed = parseUri(text);
  if (!parsed) throw new Error(`${text} is no URI`);
  return parsed;
};
const contacts = (...texts: string[]) => texts.map((text) => new NameAddr(uri(text)));

t.test('§8.1.3.4 a redirection goes on with each address once, the best first', async (t) => {
  const redirection = new Redirection(uri('sip:a@x.example'));
  t.equal(redirection.follow(302, contacts('sip:b@x.example', 'sip:c@x.example')), true);
  t.equal(`${redirection.target}`, 'sip:b@x.example');
  t.equal(redirection.follow(302, contacts('sip:a@x.example', 'sip:b@x.example')), true, 'a loop is stepped over');
  t.equal(`${redirection.target}`, 'sip:c@x.example', 'the second of the first list');
  t.equal(redirection.follow(486), false, 'none left');
});

t.test('§8.1.3.4 a redirection ends: by 6xx, by its length, by what cannot be called', async (t) => {
  const first = new Redirection(uri('sip:a@x.example'));
  first.follow(302, contacts('sip:b@x.example', 'sip:c@x.example'));
  t.equal(first.follow(603), false, 'a global refusal');
  const chain = new Redirection(uri('sip:0@x.example'));
  let length = 0;
  while (chain.follow(302, contacts(`sip:${length + 1}@x.example`))) length++;
  t.equal(length, 5);
  t.equal(new Redirection(uri('sip:a@x.example')).follow(302, contacts('mailto:a@x.example', 'tel:+49')), false);
  t.equal(new Redirection(uri('sip:a@x.example')).follow(302, contacts('sip:b@x.example?Replaces=1')), false, 'nor one with headers');
  t.equal(new Redirection(uri('sip:a@x.example')).follow(302), false);
});
