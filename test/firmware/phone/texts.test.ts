import t from 'tap';
import { SimulatedHouse } from '#test/support/simulated-house.ts';

t.test('a text message is sent, shown on the display, told as a fact, and forgotten once it is read', async (t) => {
  const house = new SimulatedHouse();
  const anna = house.barePhone({ address: '10.0.0.41' });
  const bert = house.barePhone({ address: '10.0.0.42' });
  const id = anna.do((core, now) => core.act(now, ({ texts }) => texts.send(now, { target: 'sip:bert@10.0.0.42', text: 'Kommst du?' })));
  t.match(anna.phone.texts.all, [{ id, direction: 'outgoing', remote: { uri: 'sip:bert@10.0.0.42' }, statusCode: null }]);
  house.run(500);
  t.match(anna.phone.texts.all, [{ statusCode: 200 }]);
  t.match(anna.factsOf('text.sent'), [{ statusCode: 200 }]);
  t.equal(anna.status.unreadTexts, 0);
  t.equal(bert.status.unreadTexts, 1);
  t.match(bert.status.display, [/:$/, 'Kommst du?']);
  t.match(bert.factsOf('text.received'), [{ text: 'Kommst du?' }]);
  bert.do((core, now) => core.act(now, ({ texts }) => texts.markRead()));
  t.equal(bert.status.unreadTexts, 0);
  t.notMatch(bert.status.display, [/./, 'Kommst du?']);
  t.equal(bert.phone.texts.all.length, 1, 'it is still to be read again');
});

t.test('what can not be sent is said; what is refused is seen; the list is bounded', async (t) => {
  const house = new SimulatedHouse();
  const anna = house.barePhone({ address: '10.0.0.41' });
  const send = (target: string, text: string) => anna.do((core, now) => core.act(now, ({ texts }) => texts.send(now, { target, text })));
  t.throws(() => send('600', 'hi'), { code: 'no-line' });
  t.throws(() => send('sip:bert@10.0.0.42', 'x'.repeat(1_000)), { code: 'text-too-long' });
  t.throws(
    () => anna.do((core, now) => core.act(now, ({ texts }) => texts.send(now, { target: 'sip:b@10.0.0.42', text: 'hi', line: 'nine' }))),
    {
      code: 'unknown-line',
    },
  );
  send('sip:bert@10.0.0.43', 'nobody there');
  house.run(33_000);
  t.match(anna.phone.texts.all.at(-1), { statusCode: 408 });
  for (let count = 0; count < 210; count++) send('sip:bert@10.0.0.43', `${count}`);
  t.equal(anna.phone.texts.all.length, 200);
});
