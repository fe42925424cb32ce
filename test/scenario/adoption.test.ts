import t from 'tap';
import { SimulatedHouse } from '#test/support/simulated-house.ts';
import type { SimulatedPhone } from '#test/support/simulated-phone.ts';

/** The phone process is killed in the middle of things, and a new one takes its calls up. */

/** `anna` calls `bert`, who lifts. */
function connect(house: SimulatedHouse, from: SimulatedPhone, to: SimulatedPhone, name = 'bert'): void {
  from.lift();
  from.do((core, now) => core.call(now, name));
  house.run(300);
  to.lift();
  house.run(500);
}

/** Killed now, back after `awayMs`. */
function crash(house: SimulatedHouse, phone: SimulatedPhone, awayMs = 1_000): void {
  phone.crashPhone();
  house.run(awayMs);
  phone.restartPhone();
  house.run(500);
}

/** How long the longest silence was that this handset gave, ms, in blocks of 10 ms. */
function longestSilence(phone: SimulatedPhone): number {
  const { heard } = phone.media.device('handset');
  let silent = 0;
  let longest = 0;
  for (let at = 0; at + 80 <= heard.length; at += 80) {
    silent = heard.slice(at, at + 80).some((sample) => Math.abs(sample) > 200) ? 0 : silent + 10;
    longest = Math.max(longest, silent);
  }
  return longest;
}

for (const [title, killsCaller] of [
  ['the caller', true],
  ['the called', false],
] as const) {
  t.test(`the phone process of ${title} is killed in a call: sound goes on without a gap, and everything works as before`, async (t) => {
    const house = new SimulatedHouse();
    const anna = house.phone('anna');
    const bert = house.phone('bert');
    connect(house, anna, bert);
    const [killed, other] = killsCaller ? [anna, bert] : [bert, anna];
    for (const phone of [anna, bert]) phone.media.device('handset').speaks = 700;
    house.run(1_000);
    const call = killed.calls[0]?.call;
    const sent = killed.media.commands.length;
    for (const phone of [anna, bert]) phone.media.device('handset').heard = [];
    crash(house, killed, 2_000);
    t.strictSame(killed.callStates, ['active']);
    t.equal(killed.calls[0]?.call, call);
    t.equal(killed.calls[0]?.seconds, killsCaller ? 3 : 4);
    t.notOk(
      killed.media.commands.slice(sent).some(({ name }) => name === 'openSession' || name === 'closeSession'),
      'media kept the session',
    );
    t.equal(killed.led('call'), 'on');
    for (const phone of [anna, bert]) t.ok(longestSilence(phone) <= 20, `${longestSilence(phone)} ms of silence`);
    house.run(3_000);
    t.strictSame(other.callStates, ['active'], 'also after it has been asked whether it is still there');
    other.press('1');
    killed.press('2');
    house.run(1_000);
    t.equal(killed.calls[0]?.digitsReceived, '1');
    t.equal(other.calls[0]?.digitsReceived, '2');
    killed.do((phone, now) => phone.hold(now));
    house.run(500);
    t.equal(other.calls[0]?.heldByRemote, true);
    killed.do((phone, now) => phone.resume(now));
    house.run(500);
    t.equal(other.calls[0]?.heldByRemote, false);
    killed.hangUp();
    house.run(500);
    t.equal(other.ear, 'busy');
    other.hangUp();
    house.run(500);
    for (const phone of [anna, bert]) {
      t.strictSame(phone.callStates, []);
      t.match(phone.callLog, [{ outcome: 'accepted', direction: phone === anna ? 'outgoing' : 'incoming' }]);
      t.ok((phone.callLog[0]?.seconds ?? 0) >= 8, 'the time before the crash counts');
      t.strictSame(phone.media.sessions, []);
    }
    t.strictSame(killed.journal?.calls, []);
  });
}
