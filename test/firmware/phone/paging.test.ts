import t from 'tap';
import { SimulatedHouse } from '#test/support/simulated-house.ts';

const groups = {
  'page.hall.address': '239.255.10.1:10000',
  'page.hall.priority': '5',
  'page.hall.code': '*81',
  'page.fire.address': '[ff02::10]:10002',
  'page.fire.priority': '1',
  'page.shop.address': '239.255.10.1:10004',
  'page.shop.priority': '3',
  'page.shop.codec': 'G722',
  'page.shop.listen': 'false',
};

/** A phone with groups, and a far end; announcements come and go as a test says. */
function atBert(settings: Readonly<Record<string, string>> = {}) {
  const house = new SimulatedHouse();
  const line = { 'line.1.aor': 'sip:bert@10.0.0.50', 'line.1.register': 'false' };
  const bert = house.barePhone({ settings: { ...line, ...groups, ...settings } });
  const peer = house.peer();
  const began = (group: string) =>
    bert.do((phone, now) => phone.mediaEvent(now, { name: 'pageBegan', fields: { group, source: '10.0.0.7' } }));
  const ended = (group: string) => {
    // Its session is gone, and with it what a device gave of it.
    bert.media.heardPages.delete(group);
    bert.do((phone, now) => phone.mediaEvent(now, { name: 'pageEnded', fields: { group } }));
  };
  const call = (): string => {
    const id = bert.do((phone, now) => phone.call(now, peer.uri, '1'));
    house.run(100);
    peer.accept();
    house.run(200);
    return id;
  };
  const heard = () => Object.fromEntries(bert.media.heardPages);
  const page = (group: string, file?: string) => bert.do((phone, now) => phone.act(now, ({ sounds }) => sounds.page(now, group, file)));
  const states = () => Object.fromEntries(bert.status.pages.map(({ group, state }) => [group, state]));
  return { house, bert, peer, began, ended, call, heard, page, states };
}

t.test('media is told the groups to listen to; a phone without groups says nothing of them', async (t) => {
  const { bert } = atBert({ 'paging.interface': 'eth0' });
  const told = () => bert.media.commands.filter(({ name }) => name === 'configurePaging').map(({ args }) => args);
  t.match(told(), [
    { groups: { hall: { address: '239.255.10.1', port: 10_000 }, fire: { address: 'ff02::10' } }, interface: 'eth0', silenceMs: 2000 },
  ]);
  t.notHas(told()[0], { groups: { shop: {} } }, 'a group that is only spoken to');
  bert.crashMedia();
  bert.connectMedia();
  t.equal(told().length, 2, 'again when media has come back');
  bert.changeSettings({ 'page.hall.listen': 'false', 'page.fire.listen': 'false' });
  t.match(told()[2], { groups: {} }, 'and when none is left');
  const silent = new SimulatedHouse().barePhone();
  t.notOk(silent.media.commands.some(({ name }) => name === 'configurePaging'));
});

t.test('of several announcements the most important is heard, then the next', async (t) => {
  const { bert, began, ended, heard, states } = atBert({ 'page.shop.listen': 'true', 'paging.device': 'handset' });
  began('hall');
  t.strictSame([heard(), states()], [{ hall: 'handset' }, { fire: 'idle', hall: 'heard', shop: 'idle' }]);
  t.match(bert.status.display, ['Announcement', 'hall']);
  began('shop');
  t.strictSame([heard(), states().hall], [{ shop: 'handset' }, 'ignored'], '3 goes before 5');
  began('fire');
  t.strictSame(heard(), { fire: 'handset' });
  ended('shop');
  t.strictSame(heard(), { fire: 'handset' });
  ended('fire');
  t.strictSame([heard(), states()], [{ hall: 'handset' }, { fire: 'idle', hall: 'heard', shop: 'idle' }]);
  ended('hall');
  t.strictSame([bert.status.pages[0]?.source, states().hall], [null, 'idle']);
});

t.test('of the same priority the first is heard to its end', async (t) => {
  const { began, ended, heard } = atBert({ 'page.shop.listen': 'true', 'page.shop.priority': '5' });
  began('shop');
  began('hall');
  t.strictSame(heard(), { shop: 'ringer' });
  ended('shop');
  t.strictSame(heard(), { hall: 'ringer' });
});

t.test('in a call only what is important enough is heard, in the ear of who talks; what is not is heard after it', async (t) => {
  const { house, bert, began, ended, call, heard } = atBert({ 'paging.callPriority': '3' });
  const id = call();
  began('hall');
  t.strictSame(heard(), {}, '5 is not important enough');
  began('fire');
  t.strictSame([heard(), bert.callStates], [{ fire: 'handset' }, ['active']]);
  ended('fire');
  t.strictSame(heard(), {});
  bert.do((phone, now) => phone.hangUp(now, id));
  house.run(5000);
  t.strictSame(heard(), { hall: 'ringer' });
});

t.test('a call that begins ends what is less important; one that rings does too', async (t) => {
  const { house, bert, peer, began, heard } = atBert();
  began('hall');
  t.strictSame(heard(), { hall: 'ringer' });
  bert.lift();
  t.strictSame(heard(), {}, 'the phone is in use');
  bert.hangUp();
  t.strictSame(heard(), { hall: 'ringer' });
  bert.do((phone, now) => phone.call(now, peer.uri, '1'));
  house.run(100);
  t.strictSame(heard(), {});
});

t.test('paging.inCall hold: the call waits on hold, and goes on afterwards unless the person has done something else', async (t) => {
  const { house, bert, began, ended, call } = atBert({ 'paging.inCall': 'hold' });
  const id = call();
  began('fire');
  house.run(300);
  t.strictSame(bert.callStates, ['held']);
  ended('fire');
  house.run(300);
  t.strictSame(bert.callStates, ['active']);
  began('fire');
  house.run(300);
  bert.do((phone, now) => phone.hangUp(now, id));
  house.run(300);
  ended('fire');
  house.run(5000);
  t.strictSame(bert.callStates, []);
});

t.test('who does not want to be disturbed hears emergencies alone', async (t) => {
  const { bert, began, ended, heard } = atBert();
  bert.do((phone, now) => phone.setDoNotDisturb(now, true));
  began('hall');
  t.strictSame(heard(), {});
  began('fire');
  t.strictSame(heard(), { fire: 'ringer' });
  ended('fire');
  bert.do((phone, now) => phone.setDoNotDisturb(now, false));
  t.strictSame(heard(), { hall: 'ringer' });
});

t.test('a person speaks to a group: by command, by key, by code; until they hang up', async (t) => {
  const { house, bert, page, states } = atBert();
  t.throws(() => page('cellar'), { code: 'unknown-page' });
  page('shop');
  t.match(bert.media.sentPage, { address: '239.255.10.1', port: 10_004, ttl: 1, codec: { name: 'G722', send: 9 } });
  t.match(bert.media.commands.at(-1), { name: 'connectSession', args: { session: 'paging', device: 'handset' } });
  t.strictSame(states().shop, 'sending');
  t.match(bert.status.display, ['Announcement', 'shop']);
  t.throws(() => page('hall'), { code: 'busy' });
  bert.do((phone, now) => phone.hangUp(now));
  t.strictSame([bert.media.sentPage, states().shop], [undefined, 'idle']);
  bert.pressKey('page-hall');
  t.match(bert.media.sentPage, { port: 10_000, codec: { name: 'PCMU', send: 0 } });
  bert.do((phone, now) => phone.act(now, ({ sounds }) => sounds.paging.stop(now)));
  t.equal(bert.media.sentPage, undefined);
  t.throws(() => bert.do((phone, now) => phone.act(now, ({ sounds }) => sounds.paging.stop(now))), { code: 'wrong-state' });
  bert.lift();
  bert.press('*81#');
  t.match(bert.media.sentPage, { group: 'hall' });
  t.equal(bert.ear, undefined, 'no tone');
  house.run(60_000);
  t.match(bert.media.sentPage, { group: 'hall' }, 'as long as they like');
  bert.hangUp();
  t.equal(bert.media.sentPage, undefined);
  t.strictSame(bert.callLog, [], 'it is no call');
});

t.test('who speaks to a group hears no announcement, and a call that is accepted ends it', async (t) => {
  const { house, bert, peer, page, began, heard } = atBert();
  page('hall');
  began('fire');
  t.strictSame(heard(), {});
  bert.do((phone, now) => phone.call(now, peer.uri, '1'));
  house.run(100);
  t.equal(bert.media.sentPage, undefined);
  t.strictSame(heard(), { fire: 'handset' });
  t.throws(() => page('hall'), { code: 'busy' }, 'nobody speaks to both');
});

t.test('a file is played to a group and ends by itself, whatever the person does', async (t) => {
  const { bert, page, call } = atBert();
  call();
  bert.media.files.add('/var/lib/hookswitch-media/sounds/gong.wav');
  page('hall', 'gong.wav');
  t.match(bert.media.commands.at(-1), { name: 'startPlayback', args: { target: { session: 'paging' }, file: /gong\.wav$/, repeat: 1 } });
  t.strictSame(bert.callStates, ['active']);
  bert.do((phone, now) => phone.mediaEvent(now, { name: 'playbackEnded', fields: { playback: 'paging', completed: true } }));
  t.equal(bert.media.sentPage, undefined);
  t.strictSame(bert.callStates, ['active']);
  t.throws(() => page('hall', '../secret.wav'), { code: 'unknown-file' });
  page('hall', 'missing.wav');
  t.equal(bert.media.sentPage, undefined, 'a file that cannot be played');
  t.match(bert.status.notices[0], /hall was not spoken to/);
});

t.test('what cannot be sent is said, and the person has a dial tone again; media that goes away ends it', async (t) => {
  const { bert, page, states } = atBert();
  bert.media.pageObstacle = 'there is no interface eth7';
  bert.lift();
  page('hall');
  t.strictSame([states().hall, bert.ear], ['idle', 'dial']);
  t.match(bert.status.notices[0], 'hall was not spoken to: there is no interface eth7');
  bert.media.pageObstacle = undefined;
  page('hall');
  bert.crashMedia();
  t.strictSame(states().hall, 'idle');
  t.throws(() => page('hall'), { code: 'no-media' });
});

t.test('packets that were not heard are counted', async (t) => {
  const { bert } = atBert();
  bert.do((phone, now) => phone.mediaEvent(now, { name: 'pageRefused', fields: { group: 'hall', packets: 7 } }));
  t.match(
    bert.status.pages.find(({ group }) => group === 'hall'),
    { refused: 7 },
  );
});
