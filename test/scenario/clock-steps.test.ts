import t from 'tap';
import { SimulatedHouse } from '#test/support/simulated-house.ts';
import type { SimulatedPhone } from '#test/support/simulated-phone.ts';

/** The wall clock is set by years while a phone is in use: only what people read may follow. */

const years = 10 * 365.25 * 86_400_000;
const minutes = 60_000;

function isHeard(house: SimulatedHouse, by: SimulatedPhone): boolean {
  const { heard } = by.media.device('handset');
  const from = heard.length;
  house.run(500);
  return heard.slice(from).some((sample) => Math.abs(sample) > 200);
}

for (const step of [years, -years]) {
  const title = `${step > 0 ? '+' : '-'}10 years`;

  t.test(`a clock step of ${title} in a call ends nothing and delays nothing`, async (t) => {
    const house = new SimulatedHouse();
    const anna = house.phone('anna', { settings: { 'sip.sessionExpires': '120' } });
    const bert = house.phone('bert');
    anna.lift();
    anna.do((core, now) => core.call(now, 'bert'));
    house.run(300);
    bert.lift();
    house.run(500);
    for (const phone of [anna, bert]) phone.media.device('handset').speaks = 700;
    house.run(10_000);

    house.network.wallShift = step;
    for (const phone of [anna, bert]) t.equal(isHeard(house, phone), true, 'sound goes on');
    t.same([anna.callStates, bert.callStates], [['active'], ['active']]);
    t.equal(anna.calls[0]?.seconds, 11, 'and its length is counted on');
    house.run(5 * minutes);
    t.same([anna.callStates, bert.callStates], [['active'], ['active']], 'its session timer too');
    anna.hangUp();
    house.run(1_000);
    bert.hangUp();
    house.run(1_000);
    t.same([anna.callStates, bert.callStates], [[], []]);
  });

  t.test(`a clock step of ${title} leaves registrations as they are`, async (t) => {
    const house = new SimulatedHouse();
    const anna = house.phone('anna');
    house.phone('bert');
    const registration = () => anna.status.lines[0]?.registration;
    const { state, nextInMs } = registration() ?? {};
    t.equal(state, 'registered');
    house.network.wallShift = step;
    const asked = house.network.packets.length;
    house.run(1_000);
    t.notOk(
      house.network.packets.slice(asked).some(({ text }) => text.startsWith('REGISTER ')),
      'nobody registers because of it',
    );
    t.same(registration(), { ...registration(), state, nextInMs: (nextInMs ?? 0) - 1_000 }, 'the next refresh is due when it was');
    house.run(65 * minutes);
    t.equal(registration()?.state, 'registered', 'refreshed in time');
    anna.lift();
    anna.do((core, now) => core.call(now, 'bert'));
    house.run(500);
    t.same(anna.callStates, ['ringback'], 'and found by others');
  });

  t.test(`a clock step of ${title} while an alert calls: the next one is called when it is his turn`, async (t) => {
    const house = new SimulatedHouse();
    const anna = house.phone('anna', { settings: { 'alert.water.people': 'bert', 'alert.water.rounds': '3' } });
    const bert = house.phone('bert');
    anna.do((core, now) => core.alert(now, 'water'));
    house.run(2_000);
    t.same(bert.callStates, ['ringing']);
    house.network.wallShift = step;
    house.run(2_000);
    t.same(bert.callStates, ['ringing'], 'it rings on');
    bert.lift();
    house.run(2_000);
    t.same(bert.callStates, ['active']);
    bert.press('1');
    house.run(5_000);
    t.match(anna.status.alerts, [{ state: 'acknowledged' }]);
  });
}
