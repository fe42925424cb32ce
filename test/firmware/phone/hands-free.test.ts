import t from 'tap';
import { SimulatedHouse } from '#test/support/simulated-house.ts';
import type { SimulatedPhone } from '#test/support/simulated-phone.ts';

/** Handset, loudspeaker, headset and bell each have a sound device of their own; keys take the sound from one to the other. */

const devices = { 'audio.speaker.driver': 'wav', 'audio.headset.driver': 'wav' };

function atHome(settings: Readonly<Record<string, string>> = devices) {
  const house = new SimulatedHouse();
  return { house, phone: house.barePhone({ settings }), peer: house.peer() };
}

/** Lifted, and in a call that `peer` has accepted. */
function talking(settings: Readonly<Record<string, string>> = devices) {
  const home = atHome(settings);
  home.phone.lift();
  home.phone.do((core, now) => core.call(now, home.peer.uri));
  home.house.run(100);
  home.peer.accept();
  home.house.run(100);
  return home;
}

/** Where media was told to let the call be heard. */
function heardAt({ media }: SimulatedPhone): string | null | undefined {
  return media.commands.flatMap((command) => (command.name === 'connectSession' ? [command.args.device] : [])).at(-1);
}

const speaker = (phone: SimulatedPhone) => phone.media.tones.get('speaker');

t.test('the key of the loudspeaker gives a dial tone there, takes digits, and ends it all', async (t) => {
  const { phone } = atHome();
  phone.pressKey('speaker');
  t.match([speaker(phone), phone.ear], ['dial', undefined]);
  t.equal(phone.status.sound.ear, 'speaker');
  phone.pressKey('6');
  t.equal(phone.status.dialed, '6');
  phone.pressKey('speaker');
  t.match(phone.status, { dialed: '', sound: { ear: 'handset', roles: ['handset', 'speaker', 'headset'] } });
  t.equal(speaker(phone), undefined);
});

t.test('a call goes from the handset to the loudspeaker and the headset and back, and none of it ends it', async (t) => {
  const { house, phone, peer } = talking();
  t.equal(heardAt(phone), 'handset');
  phone.pressKey('speaker');
  t.equal(heardAt(phone), 'speaker');
  phone.hangUp();
  house.run(500);
  t.strictSame(phone.callStates, ['active'], 'the handset is laid down, the call goes on');
  phone.pressKey('headset');
  t.equal(heardAt(phone), 'headset');
  phone.lift();
  t.equal(heardAt(phone), 'handset', 'lifting takes it back');
  phone.do((core, now) => core.handsFree(now, 'speaker'));
  phone.pressKey('speaker');
  t.equal(heardAt(phone), 'handset', 'the same key again too, while the handset is lifted');
  phone.pressKey('headset');
  phone.hangUp();
  phone.pressKey('headset');
  house.run(500);
  t.strictSame(phone.callStates, [], 'with the handset on its hook it ends the call');
  t.match(peer.events.at(-1), { type: 'ended' });
});

t.test('a call that rings is taken by either key, or by command, where it can be heard; the bell rings on the ringer', async (t) => {
  for (const take of ['speaker', 'headset', 'command'] as const) {
    const { house, phone, peer } = atHome();
    peer.call('sip:me@10.0.0.50');
    house.run(100);
    t.equal(phone.bell, 'ring');
    t.match([speaker(phone), phone.ear], [undefined, undefined], 'nothing else rings');
    if (take === 'command') phone.do((core, now) => core.accept(now));
    else phone.pressKey(take);
    house.run(200);
    t.strictSame(phone.callStates, ['active'], take);
    t.equal(heardAt(phone), take === 'headset' ? 'headset' : 'speaker');
    t.equal(phone.bell, undefined);
  }
});

t.test('whoever has muted himself stays so wherever the sound goes, and the bell of another call waits in that ear', async (t) => {
  const { house, phone } = talking();
  phone.pressKey('mute');
  phone.pressKey('speaker');
  t.strictSame([...phone.media.muted].sort(), ['handset', 'headset', 'speaker']);
  house.peer().call('sip:me@10.0.0.50');
  house.run(100);
  t.match([speaker(phone), phone.ear, phone.bell], ['callWaiting', undefined, undefined]);
  phone.pressKey('mute');
  t.strictSame([...phone.media.muted], []);
});

t.test('without such a device the key is refused, and one that is taken away in a call gives the sound back to the handset', async (t) => {
  const without = atHome({});
  t.throws(() => without.phone.do((core, now) => core.handsFree(now, 'headset')), {
    code: 'no-sound-device',
    message: 'no headset is set up: see audio.headset.driver among the settings',
  });
  without.phone.pressKey('speaker');
  t.equal(without.phone.status.sound.ear, 'handset', 'a key that has no use is no error');
  const { house, phone } = talking();
  phone.pressKey('speaker');
  phone.changeSettings({}, ['audio.speaker.driver']);
  house.run(100);
  t.equal(heardAt(phone), 'handset');
  t.strictSame(phone.callStates, ['active']);
  phone.changeSettings({ 'audio.speaker.driver': 'wav' });
  house.run(100);
  t.equal(heardAt(phone), 'speaker', 'and takes it again');
});

t.test('each role has a volume of its own, turned by keys and kept', async (t) => {
  const { phone } = talking({ ...devices, 'audio.speaker.volume': '60' });
  const volumeOf = (role: string) => phone.status.sound.devices.find((device) => device.role === role)?.volume;
  t.strictSame(['handset', 'ringer', 'speaker', 'headset'].map(volumeOf), [80, 80, 60, 80]);
  phone.pressKey('volume-up');
  phone.pressKey('speaker');
  phone.pressKey('volume-down');
  phone.pressKey('volume-down');
  t.strictSame(
    [...phone.settingsOnDisk],
    [
      ['audio.handset.volume', '85'],
      ['audio.speaker.volume', '50'],
    ],
  );
  t.match(phone.media.commands.at(-1), { name: 'setVolume', args: { device: 'speaker', volume: 50 } });
  phone.hangUp();
  phone.pressKey('speaker');
  for (let press = 0; press < 6; press++) phone.pressKey('volume-up');
  t.equal(phone.settingsOnDisk.get('audio.ringer.volume'), '100', 'while nothing else can sound, it is the bell’s');
  t.strictSame(['handset', 'ringer', 'speaker'].map(volumeOf), [85, 100, 50]);
});

t.test('a phone process that dies finds the person at the loudspeaker; what media says of devices is shown', async (t) => {
  const { house, phone } = talking();
  phone.pressKey('speaker');
  phone.hangUp();
  phone.crashPhone();
  house.run(500);
  phone.restartPhone();
  house.run(500);
  t.strictSame(phone.callStates, ['active']);
  t.equal(phone.status.sound.ear, 'speaker');
  t.equal(heardAt(phone), 'speaker');
  const gone = { device: 'speaker', ok: false, reason: 'no sound for 0.6 s: unplugged?', standIn: 'headset' };
  phone.do((core, now) => core.mediaEvent(now, { name: 'deviceChanged', fields: gone }));
  t.match(phone.status.sound.devices, [
    { role: 'handset', ok: true },
    { role: 'ringer' },
    { role: 'speaker', ok: false, standIn: 'headset' },
    {},
  ]);
  t.match(phone.factsOf('media.device').at(-1), gone);
  phone.do((core, now) => core.mediaEvent(now, { name: 'deviceChanged', fields: { device: 'speaker', ok: true } }));
  t.match(phone.status.sound.devices[2], { ok: true, reason: null, standIn: null });
});
