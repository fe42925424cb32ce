import t from 'tap';
import { buildResponse, serializeMessage } from '#firmware/sip/message/build.ts';
import type { Body } from '#firmware/sip/user-agent-events.ts';
import { SimulatedNetwork } from '#test/support/simulated-network.ts';
import { accountAt, offer, ScriptedPeer, TestAgent } from '#test/support/sip-agents.ts';

const longOffer: Body = { ...offer, bytes: new TextEncoder().encode(`v=0\r\ns=${'long '.repeat(300)}\r\n`) };

function house() {
  const network = new SimulatedNetwork();
  const registrar = new ScriptedPeer(network, '192.0.2.1');
  registrar.onRequest = (request, flow) => {
    const response = serializeMessage(buildResponse(request, request.method === 'INVITE' ? 486 : 200, { toTag: 'r' }));
    registrar.host.sendText(flow.remote, new TextDecoder().decode(response), flow.transport);
  };
  const phone = new TestAgent(network, '192.0.2.10');
  phone.userAgent.setAccount(network.now, accountAt(registrar.host, 'alice'));
  network.run(1_000);
  const invite = (body = longOffer): void => {
    phone.userAgent.invite(network.now, { account: 'alice', target: phone.uri('bob'), body });
    phone.host.settle();
  };
  const transports = (): string[] =>
    network.packets
      .filter(({ text }) => text.startsWith('INVITE '))
      .map(({ transport, text }) => `${transport} ${/SIP\/2\.0\/(\w+)/.exec(text)?.[1]}`);
  return { network, registrar, phone, invite, transports };
}

t.test('§18.1.1 a request above 1300 octets goes by TCP, its Via too; a short one by UDP', async (t) => {
  const { network, registrar, phone, invite, transports } = house();
  invite(offer);
  network.run(2_000);
  invite();
  network.run(2_000);
  t.same(transports(), ['udp UDP', 'tcp TCP']);
  t.equal(phone.all('failed').length, 2);
  t.same(
    phone.all('failed').map(({ statusCode }) => statusCode),
    [486, 486],
  );
  t.equal(registrar.requests('ACK').length, 2);
  t.equal(network.packets.filter(({ text }) => text.startsWith('ACK ')).at(-1)?.transport, 'tcp', 'what follows goes the same way');
});

t.test('§18.1.1 when TCP is refused the same request goes by UDP, and the next long one at once', async (t) => {
  const { network, phone, invite, transports } = house();
  network.intercept(({ transport, to }) => {
    if (transport !== 'tcp' || to !== '192.0.2.1:5060') return undefined;
    network.schedule(1, () => phone.host.refused({ transport: 'tcp', host: '192.0.2.1', port: 5060 }));
    return 'drop';
  });
  invite();
  network.run(2_000);
  t.same(transports(), ['tcp TCP', 'udp UDP']);
  t.match(phone.last('failed'), { statusCode: 486 });
  invite();
  network.run(2_000);
  t.same(transports(), ['tcp TCP', 'udp UDP', 'udp UDP']);
  network.run(600_000);
  invite();
  network.run(2_000);
  t.same(transports().slice(3), ['tcp TCP', 'udp UDP'], 'after ten minutes TCP is tried again');
});

t.test('a server that swallows TCP gets the request by UDP after four seconds', async (t) => {
  const { network, phone, invite, transports } = house();
  network.intercept(({ transport }) => (transport === 'tcp' ? 'drop' : undefined));
  invite();
  network.run(3_900);
  t.same(transports(), ['tcp TCP']);
  network.run(200);
  t.same(transports(), ['tcp TCP', 'udp UDP']);
  network.run(1_000);
  t.match(phone.last('failed'), { statusCode: 486 });
});

t.test('a call that is hung up while TCP is tried is not made by UDP', async (t) => {
  const { network, phone, invite, transports } = house();
  network.intercept(({ transport }) => (transport === 'tcp' ? 'drop' : undefined));
  invite();
  network.run(1_000);
  for (const id of (phone.userAgent.describe() as { calls: { id: string }[] }).calls.map((call) => call.id))
    phone.userAgent.end(network.now, id);
  network.run(60_000);
  t.same(transports(), ['tcp TCP']);
});
