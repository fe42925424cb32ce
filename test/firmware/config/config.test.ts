import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import t from 'tap';
import { changeSettings, exportSettings, importSettings } from '#firmware/config/changes.ts';
import { type SettingPattern, settingsSchema } from '#firmware/config/schema.ts';
import type { Setting, SettingValue } from '#firmware/config/setting.ts';
import { findSetting, mask, Settings, similarKeys, storeOf } from '#firmware/config/settings.ts';
import { readSources } from '../../architecture/source-tree.ts';
import { settingsReference } from './settings-reference.ts';

const patterns = Object.keys(settingsSchema) as SettingPattern[];
const allSettings = Object.entries<Setting<SettingValue>>(settingsSchema);
const empty = new Settings();

t.test('every setting', async (t) => {
  t.test('has words for people, and a default that its own rules allow', async (t) => {
    for (const [pattern, setting] of allSettings) {
      t.match(pattern, /^[a-zA-Z]+\.(\*\.)?[a-zA-Z0-9]+(\.[a-zA-Z0-9]+)?$/);
      t.ok(setting.title.length > 1 && setting.description.endsWith('.'), `${pattern} explains itself`);
      t.same(setting.parse(setting.format(setting.default)), { ok: true, value: setting.default }, `${pattern} allows its default`);
    }
  });

  t.test('reads back what it writes, and no text makes it throw', async (t) => {
    const text = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 40 }),
      fc.integer().map(String),
      fc.constantFrom('', '[', '["a"]', '["a", 1]', '1 h', 'on'),
    );
    fc.assert(
      fc.property(fc.constantFrom(...allSettings), text, ([, setting], given) => {
        const parsed = setting.parse(given);
        if (!parsed.ok) return parsed.reason.length > 5;
        const again = setting.parse(setting.format(parsed.value));
        return again.ok && JSON.stringify(again.value) === JSON.stringify(parsed.value);
      }),
      { numRuns: 3000 },
    );
    t.pass('3000 texts');
  });

  t.test('is read by the firmware', async (t) => {
    const readers = (await readSources()).filter(({ path }) => !path.startsWith('test/') && !path.startsWith('firmware/config/'));
    for (const pattern of patterns)
      t.ok(
        readers.some(({ text }) => text.includes(`'${pattern}'`)),
        pattern,
      );
  });

  t.test('is described in docs/settings.md', async (t) => {
    const path = join(import.meta.dirname, '../../../docs/settings.md');
    const reference = settingsReference();
    if (process.env.HOOKSWITCH_WRITE_DOCS) writeFileSync(path, reference);
    const found = existsSync(path) ? readFileSync(path, 'utf8') : '';
    t.ok(found === reference, 'docs/settings.md is up to date: HOOKSWITCH_WRITE_DOCS=1 npx tap test/firmware/config/config.test.ts');
  });
});

t.test('texts become values, or a reason in plain words', async (t) => {
  const set = (key: string, text: string): Settings => changeSettings(empty, { set: { [key]: text } }, storeOf(key)).next;
  t.equal(set('sip.port', ' 5061 ').get('sip.port'), 5061);
  t.equal(set('phone.interDigitMs', '2 s').get('phone.interDigitMs'), 2000);
  t.equal(set('phone.ringSeconds', '1.5 min').get('phone.ringSeconds'), 90);
  t.equal(set('phone.ringSeconds', '45').get('phone.ringSeconds'), 45);
  t.equal(set('phone.callWaiting', 'OFF').get('phone.callWaiting'), false);
  t.equal(set('phone.digitMode', 'RFC4733').get('phone.digitMode'), 'rfc4733');
  t.same(set('door.front.people', 'sip:a@b, 12 ,').get('door.*.people', 'front'), ['sip:a@b', '12']);
  t.same(set('door.front.people', '["sip:a@b;x=1,2","3"]').get('door.*.people', 'front'), ['sip:a@b;x=1,2', '3']);
  t.same(set('phone.dialPlan', '[2-9]xx, 0x.').get('phone.dialPlan'), ['[2-9]xx', '0x.']);
  t.equal(set('line.1.password', ' two spaces ').get('line.*.password', '1'), ' two spaces ');
  t.equal(set('line.1.aor', '').get('line.*.aor', '1'), '');

  const wrong: readonly (readonly [string, string, RegExp])[] = [
    ['sip.port', '0', /sip\.port must be a whole number in 1–65535/],
    ['sip.port', '1e3', /whole number/],
    ['sip.address', 'localhost', /IP address/],
    ['sip.address', '1.2.3.256', /IP address/],
    ['sip.address', '::1, x', /IP address/],
    ['rtp.ptime', '25', /one of 10, 20, 30, 40, 60/],
    ['phone.digitMode', 'both ways', /one of info, rfc4733, both/],
    ['phone.callWaiting', 'maybe', /true or false/],
    ['phone.interDigitMs', '4 parsecs', /a time such as/],
    ['phone.interDigitMs', '1 h', /must be in 500–30000 ms/],
    ['phone.country', 'USA', /two small letters/],
    ['phone.dialPlan', '12[3', /must be made of digits/],
    ['phone.dialPlan', '1.2', /must be made of digits/],
    ['rtp.codecs', 'PCMU, GSM', /“GSM”: must be one of PCMU, PCMA, G722, opus, L16, L16.16000, L16.44100/],
    ['line.1.aor', 'alice@example.org', /must be a SIP address/],
    ['line.1.displayName', 'a\nb', /control characters/],
    ['line.1.displayName', 'x'.repeat(1025), /at most 1024 characters/],
    ['door.front.code', '**x', /digits/],
    ['door.front.people', '["a", 3]', /JSON array of texts/],
    ['alert.fire.acknowledgeDigit', '12', /one of 0–9/],
  ];
  for (const [key, text, reason] of wrong) {
    t.throws(() => set(key, text), { name: 'UsageError', code: 'invalid-setting', message: reason }, `${key}=${text}`);
  }
});

t.test('keys', async (t) => {
  t.match(findSetting('line.office-2.aor'), { pattern: 'line.*.aor', name: 'office-2' });
  t.match(findSetting('sip.port'), { pattern: 'sip.port', name: undefined });
  t.match(findSetting('audio.ringer.volume'), { name: 'ringer' });
  const unknown = [
    '',
    '.',
    'line.*.aor',
    'line..aor',
    'line.1.aor.x',
    'line.1',
    'line.a b.aor',
    'audio.kitchen.volume',
    'constructor',
    '__proto__',
  ];
  for (const key of [...unknown, 'toString.1.valueOf', `line.${'n'.repeat(33)}.aor`]) t.equal(findSetting(key), undefined, key);
  t.same(similarKeys('sip.prot'), ['sip.port']);
  t.same(similarKeys('line.1.pasword'), ['line.1.password']);
  t.same(similarKeys('completely.else'), []);
  t.throws(() => changeSettings(empty, { set: { 'sip.prot': '1' } }, 'phone'), {
    message: 'unknown setting sip.prot; did you mean sip.port?',
  });
});

t.test('a change', async (t) => {
  t.test('is all or nothing and names every problem', async (t) => {
    const request = { set: { 'sip.port': '99999', 'phone.country': 'de', 'line.1.aor': 'nonsense' }, unset: ['no.such'] };
    t.throws(() => changeSettings(empty, request, 'phone'), { message: /unknown setting no\.such.*sip\.port must.*line\.1\.aor must/ });
  });

  t.test('knows what it changes and what needs a restart', async (t) => {
    const first = changeSettings(empty, { set: { 'sip.port': '5062', 'sip.trace': 'false', 'line.2.aor': 'sip:a@b' } }, 'phone');
    t.same(first.changed, ['line.2.aor', 'sip.port'], 'false is what it was');
    t.same(first.restartNeeded, ['sip.port']);
    const second = changeSettings(first.next, { set: { 'sip.port': '5062' }, unset: ['line.2.aor', 'line.3.aor'] }, 'phone');
    t.same(second.changed, ['line.2.aor']);
    t.same(second.writes, [['line.2.aor', null]]);
    t.equal(empty.get('sip.port'), 5060, 'snapshots never change');
  });

  t.test('of settings that belong together is looked at as a whole', async (t) => {
    t.throws(() => changeSettings(empty, { set: { 'rtp.portFrom': '20000' } }, 'phone'), { message: /rtp\.portFrom must not be above/ });
    t.same(changeSettings(empty, { set: { 'rtp.portFrom': '20000', 'rtp.portTo': '20100' } }, 'phone').changed.length, 2);
    t.throws(() => changeSettings(empty, { set: { 'web.address': '0.0.0.0' } }, 'phone'), { message: /web\.token/ });
    const open = changeSettings(empty, { set: { 'web.address': '0.0.0.0', 'web.token': 'open sesame' } }, 'phone').next;
    t.throws(() => changeSettings(open, { set: {}, unset: ['web.token'] }, 'phone'), { message: /web\.token/ });
  });

  t.test('stays within its store', async (t) => {
    t.throws(() => changeSettings(empty, { set: { 'exchange.port': '5080' } }, 'phone'), { message: /belongs to the exchange/ });
    t.throws(() => changeSettings(empty, { set: { 'sip.port': '5080' } }, 'exchange'), { message: /belongs to the phone/ });
    t.same(changeSettings(empty, { set: { 'exchange.port': '5080' } }, 'exchange').changed, ['exchange.port']);
  });

  t.test('cannot grow without end', async (t) => {
    const set = Object.fromEntries(Array.from({ length: 2001 }, (_, i) => [`line.n${i}.displayName`, 'x']));
    t.throws(() => changeSettings(empty, { set }, 'phone'), { message: /at most 2000/ });
  });
});

t.test('secrets', async (t) => {
  const secrets = allSettings.filter(([, { kind }]) => kind === 'secret').map(([pattern]) => pattern.replace('*', '1'));
  const set = Object.fromEntries(secrets.map((key) => [key, `hunter2-${key}`]));
  const settings = changeSettings(empty, { set }, 'phone').next;

  t.test('show nowhere unless they are asked for', async (t) => {
    t.ok(secrets.length >= 3, secrets.join(', '));
    t.notMatch(JSON.stringify(settings.list({ store: 'phone' })), 'hunter2');
    t.notMatch(exportSettings(settings), 'hunter2');
    t.equal(settings.list({ store: 'phone', prefix: 'line.1.password' })[0]?.value, mask);
    t.equal(settings.list({ store: 'phone', prefix: 'line.1.password', reveal: true })[0]?.value, 'hunter2-line.1.password');
    t.equal(empty.list({ store: 'phone', prefix: 'web.token' })[0]?.value, '', 'what is not set is not masked');
    t.match(exportSettings(settings, { reveal: true }), 'hunter2');
    const bad = changeSettings.bind(undefined, settings, { set: { 'web.token': `hunter3\n` } }, 'phone');
    t.throws(bad, { message: 'web.token must not contain control characters' });
  });

  t.test('survive a form and a document that never saw them', async (t) => {
    const change = changeSettings(settings, { set: { 'web.token': mask, 'sip.trace': 'on' } }, 'phone');
    t.same(change.changed, ['sip.trace']);
    t.equal(change.next.get('web.token'), 'hunter2-web.token');
    const imported = importSettings(settings, exportSettings(settings), 'phone');
    t.same(imported.changed, []);
    t.equal(imported.next.get('line.*.password', '1'), 'hunter2-line.1.password');
    t.same(importSettings(empty, exportSettings(settings), 'phone').changed, [], 'a mask is no secret');
  });
});

t.test('export and import', async (t) => {
  const set = { 'line.10.aor': 'sip:ten@b', 'line.2.aor': 'sip:two@b', 'door.front.people': '1, 2', 'sip.port': '5070' };
  const settings = changeSettings(empty, { set }, 'phone').next;

  t.test('are each other’s inverse', async (t) => {
    const document = exportSettings(settings, { reveal: true });
    t.same(importSettings(empty, document, 'phone').next.entries(), settings.entries());
    t.same(importSettings(settings, document, 'phone').changed, []);
  });

  t.test('put back to default what the document does not name', async (t) => {
    t.same(importSettings(settings, exportSettings(empty), 'phone').changed, [...Object.keys(set)].sort());
  });

  t.test('refuse what is no export, in plain words', async (t) => {
    const documents: readonly (readonly [string, RegExp])[] = [
      ['', /not valid JSON/],
      ['[]', /not an export/],
      ['{"sip.port": "1"}', /not an export/],
      ['{"format":"hookswitch-settings","version":2,"settings":{}}', /version 2, this firmware reads 1/],
      ['{"format":"hookswitch-settings","version":1,"settings":{"sip.port":5060}}', /sip\.port: the value is not a text/],
      ['{"format":"hookswitch-settings","version":1,"settings":{"sip.port":"x"}}', /sip\.port must be/],
      ['{"format":"hookswitch-settings","version":1,"settings":{"__proto__":"x"}}', /unknown setting __proto__/],
    ];
    for (const [document, reason] of documents)
      t.throws(() => importSettings(settings, document, 'phone'), { name: 'UsageError', message: reason });
  });
});

t.test('a snapshot', async (t) => {
  const settings = changeSettings(
    empty,
    { set: { 'line.10.aor': 'sip:ten@b', 'line.2.aor': 'sip:two@b', 'alert.fire.rounds': '5' } },
    'phone',
  ).next;
  t.same(settings.names('line'), ['2', '10']);
  t.same(settings.names('door'), []);
  t.same(settings.names('audio'), ['handset', 'ringer', 'speaker', 'headset']);
  t.equal(settings.get('alert.*.rounds', 'fire'), 5);
  t.equal(settings.get('alert.*.rounds', 'flood'), 3, 'the default');
  const keys = settings.list({ store: 'phone', prefix: 'line.' }).map(({ key }) => key);
  t.equal(keys[0], 'line.2.aor', 'one line after the other');
  t.ok(keys.indexOf('line.10.aor') > keys.indexOf('line.2.doNotDisturb'));
  const plain = patterns.filter((pattern) => !pattern.includes('*'));
  const listed = [...empty.list({ store: 'phone' }), ...empty.list({ store: 'exchange' })];
  for (const pattern of plain)
    t.ok(
      listed.some(({ key, isDefault }) => key === pattern && isDefault),
      pattern,
    );
  t.same(new Settings(new Map([['sip.port', 'rubbish']])).get('sip.port'), 5060, 'a stored text that is none is the default');
});
