import t from 'tap';
import { addBaresip, callOf, isIdle, startHouse } from '#test/support/interop-house.ts';
import { kamailioRealm } from '#test/support/kamailio.ts';

/** Transfers between our phone and two of Debian's baresip, all at a real Kamailio. */

const house = await startHouse(t);
const { phone } = house;
const first = await addBaresip(t, house, '201', 'auto');
const second = await addBaresip(t, house, '202', 'auto');

t.beforeEach(() => {
  first.forget();
  second.forget();
});

async function talkToFirst(): Promise<void> {
  await phone.hook('offHook');
  await phone.press('201');
  await first.saw('CALL_ESTABLISHED');
  await phone.until('the call is up', (status) => callOf(status)?.state === 'active');
}

t.test('RFC 5589 §6.1 we send baresip on: it calls the target, tells us that it worked, and we hang up', async (t) => {
  await talkToFirst();
  t.match(await phone.cli('transfer', '202'), { code: 0 });
  await second.saw('CALL_ESTABLISHED');
  await first.saw('CALL_ESTABLISHED');
  await phone.until('we are out of it', ({ calls }) => calls.length === 0);
  await phone.hook('onHook');
  await phone.until('it is idle', isIdle);
  second.command('hangup');
  await second.saw('CALL_CLOSED');
});

t.test('RFC 5589 §6.1 baresip sends us on: we call the target, and baresip is told and leaves', async () => {
  await talkToFirst();
  first.command('transfer', `sip:202@${kamailioRealm}`);
  await second.saw('CALL_ESTABLISHED');
  await first.saw('CALL_CLOSED');
  await phone.until(
    'only the call to the target is left',
    ({ calls }) => calls.length === 1 && calls[0]?.remote.uri.startsWith('sip:202@') === true,
  );
  await phone.until('sound comes', (now) => (callOf(now)?.media?.packetsReceived ?? 0) > 25);
  await phone.hook('onHook');
  await second.saw('CALL_CLOSED');
  await phone.until('it is idle', isIdle);
});

t.test('a target that nobody is at: baresip hears that it failed and the call goes on', async (t) => {
  await talkToFirst();
  first.command('transfer', `sip:299@${kamailioRealm}`);
  await first.saw('TRANSFER_FAILED');
  const status = await phone.until('we are back', ({ calls }) => calls.length === 1 && calls[0]?.state === 'active');
  t.match(callOf(status)?.remote.uri, /^sip:201@/);
  await phone.hook('onHook');
  await phone.until('it is idle', isIdle);
});

t.test('a target that nobody is at: we hear that it failed and go on talking', async (t) => {
  await talkToFirst();
  t.match(await phone.cli('transfer', '299'), { code: 0 });
  const status = await phone.until('it failed', (now) => callOf(now)?.transfer === 'failed');
  t.equal(callOf(status)?.state, 'active');
  await phone.hook('onHook');
  await phone.until('it is idle', isIdle);
});

t.test('nothing to transfer is said', async (t) => {
  t.match(await phone.cli('transfer', '202'), { code: 1, stderr: /there is no call to transfer/ });
  t.match(await phone.cli('transfer'), { code: 1, stderr: /two accepted calls/ });
});
