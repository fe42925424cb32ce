import t from 'tap';
import { SimulatedHouse } from '#test/support/simulated-house.ts';
import type { SimulatedPhone } from '#test/support/simulated-phone.ts';
import { toneShare } from '#test/support/tone-share.ts';

const policies = {
  off: {},
  optional: { 'line.1.encryption': 'optional' },
  mandatory: { 'line.1.encryption': 'mandatory' },
} as const;
type Policy = keyof typeof policies;

/** Anna calls Bert, who accepts if it rings; both speak. */
function call(annas: Policy, berts: Policy, more: Readonly<Record<string, string>> = {}) {
  const house = new SimulatedHouse();
  const anna = house.phone('anna', { settings: { ...policies[annas], ...more } });
  const bert = house.phone('bert', { settings: policies[berts] });
  anna.media.device('handset').speaks = 500;
  bert.media.device('handset').speaks = 900;
  anna.lift();
  anna.do((core, now) => core.call(now, 'bert'));
  house.run(1_000);
  if (bert.calls[0]) bert.lift();
  house.run(2_500);
  return { house, anna, bert };
}

function hears(phone: SimulatedPhone, frequency: number): boolean {
  const heard = phone.media.device('handset').heard.splice(0).slice(-4000);
  return toneShare(Int16Array.from(heard), 8000, [frequency]) > 0.8;
}

const suite = 'AES_CM_128_HMAC_SHA1_80';

for (const [annas, berts, outcome] of [
  ['off', 'off', null],
  ['off', 'optional', null],
  ['off', 'mandatory', 488],
  ['optional', 'off', null],
  ['optional', 'optional', suite],
  ['optional', 'mandatory', suite],
  ['mandatory', 'off', 488],
  ['mandatory', 'optional', suite],
  ['mandatory', 'mandatory', suite],
] as const) {
  t.test(`a line that says ${annas} calls one that says ${berts}: ${outcome ?? 'a plain call'}`, async (t) => {
    const { house, anna, bert } = call(annas, berts);
    if (outcome === 488) {
      t.match(anna.factsOf('call.state').at(-1), { state: 'ended', statusCode: 488 });
      t.strictSame(bert.calls, []);
      return;
    }
    for (const phone of [anna, bert]) t.match(phone.calls[0], { state: 'active', encryption: outcome });
    t.ok(hears(anna, 900) && hears(bert, 500), 'both hear each other');
    for (const phone of [anna, bert]) t.match(phone.status.calls[0]?.media, { packetsUnauthentic: 0, packetsRefused: 0 });
    anna.hangUp();
    house.run(500);
  });
}

t.test('hold, and a media daemon that was started anew: encrypted as before', async (t) => {
  const { house, anna, bert } = call('mandatory', 'optional');
  anna.do((core, now) => core.hold(now));
  house.run(1_000);
  t.match(bert.calls[0], { heldByRemote: true, encryption: suite });
  anna.do((core, now) => core.resume(now));
  house.run(2_000);
  t.ok(hears(anna, 900) && hears(bert, 500));
  anna.crashMedia();
  house.run(200);
  anna.connectMedia();
  anna.media.device('handset').speaks = 500;
  house.run(3_000);
  t.match(anna.calls[0], { state: 'active', encryption: suite });
  t.ok(hears(anna, 900) && hears(bert, 500), 'with other ports and another source');
});

t.test('keys are in no status, no fact, no description; who sends them readable is told so', async (t) => {
  const { anna, bert } = call('mandatory', 'optional');
  for (const phone of [anna, bert]) {
    const keys = phone.media.commands.flatMap((command) => {
      const security = command.name === 'updateSession' ? command.args.parameters.security : null;
      return security?.kind === 'sdes' ? [security.sendKey, security.receiveKey] : [];
    });
    t.equal(new Set(keys).size, 2, 'one for each way');
    phone.do((core, now) => {
      const shown = JSON.stringify([phone.statuses, phone.facts, core.describe(now)]);
      for (const key of keys) t.notOk(shown.includes(key.slice(0, 20)));
    });
    t.match(phone.status.notices.join(), /line 1 sends the keys .* readable|line 1 sends the keys/);
  }
  const { anna: careful } = call('optional', 'off', { 'line.1.keyExchange': 'dtls' });
  t.notMatch(careful.status.notices.join(), /sends the keys/);
});

t.test('the best suite of the one who calls that the other has, too', async (t) => {
  const { anna, bert } = call('mandatory', 'optional', {
    'rtp.cipherSuites': 'AEAD_AES_256_GCM, AEAD_AES_128_GCM, AES_CM_128_HMAC_SHA1_80',
  });
  for (const phone of [anna, bert]) t.match(phone.calls[0], { encryption: 'AEAD_AES_128_GCM' });
  t.ok(hears(anna, 900) && hears(bert, 500));
});
