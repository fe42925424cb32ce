import t from 'tap';
import { SimulatedHouse } from '#test/support/simulated-house.ts';

t.test('RFC 4235 who watches a line sees it ring, talk and rest', async (t) => {
  const house = new SimulatedHouse();
  const settings = { 'line.1.aor': 'sip:anna@10.0.0.50', 'line.1.register': 'false' };
  const phone = house.barePhone({ settings, acceptWatchers: true });
  const documents: string[] = [];
  const watcher = house.network.host('10.0.0.99');
  watcher.listen((text) => {
    if (!text.startsWith('NOTIFY')) return;
    documents.push(/<state>(\w+)<.*sip:(\w+)@10\.0\.1\.1/.exec(text)?.[1] ?? 'none');
    const copied = ['Via', 'From', 'To', 'Call-ID', 'CSeq'].map((name) => new RegExp(`^${name}: .*$`, 'm').exec(text)?.[0].trim());
    watcher.sendText(phone.host, `SIP/2.0 200 OK\r\n${copied.join('\r\n')}\r\nContent-Length: 0\r\n\r\n`);
  });
  const lines = [
    'SUBSCRIBE sip:anna@10.0.0.50 SIP/2.0',
    'Via: SIP/2.0/UDP 10.0.0.99;branch=z9hG4bKw',
    'Max-Forwards: 70',
    'From: <sip:lamp@10.0.0.99>;tag=1',
    'To: <sip:anna@10.0.0.50>',
    'Call-ID: lamp',
    'CSeq: 1 SUBSCRIBE',
    'Contact: <sip:lamp@10.0.0.99>',
    'Event: dialog',
    'Content-Length: 0',
  ];
  watcher.sendText(phone.host, `${lines.join('\r\n')}\r\n\r\n`);
  house.run(2_000);
  const peer = house.peer();
  peer.call('sip:anna@10.0.0.50');
  house.run(2_000);
  phone.lift();
  house.run(2_000);
  phone.hangUp();
  house.run(2_000);
  t.same(documents, ['none', 'early', 'confirmed', 'none']);
});
