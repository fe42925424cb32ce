import t from 'tap';
import { SipUri } from '#firmware/sip/message/uri.ts';
import { SimulatedNetwork } from '#test/support/simulated-network.ts';
import { accountAt, directAgent, offer, ScriptedPeer, TestAgent } from '#test/support/sip-agents.ts';

const secret = new SipUri({ scheme: 'sips', user: 'bob', host: 'example.org' });

t.test('RFC 5630 §3.1.3 a sips: address is not called over an open hop', async (t) => {
  const network = new SimulatedNetwork();
  const registrar = new ScriptedPeer(network, '192.0.2.1');
  const phone = new TestAgent(network, '192.0.2.10');
  const outboundProxy = new SipUri({ host: registrar.host.address });
  phone.userAgent.setAccount(network.now, accountAt(registrar.host, 'alice', { registrar: undefined, outboundProxy }));
  phone.userAgent.invite(network.now, { account: 'alice', target: secret, body: offer });
  phone.host.settle();
  network.run(1_000);
  t.match(phone.last('failed'), { statusCode: 503, reasonPhrase: 'No Secure Way To Reach The Address' });
  t.same(registrar.messages, []);
});

t.test('RFC 5630 §5.1.1 a sips: address does not register over an open hop, and says so', async (t) => {
  const network = new SimulatedNetwork();
  const registrar = new ScriptedPeer(network, '192.0.2.1');
  const phone = new TestAgent(network, '192.0.2.10');
  const aor = new SipUri({ scheme: 'sips', user: 'alice', host: 'example.org' });
  phone.userAgent.setAccount(network.now, accountAt(registrar.host, 'alice', { aor }));
  phone.host.settle();
  t.match(phone.last('registration'), { state: 'failed', obstacle: /needs TLS all the way/ });
  t.same(registrar.messages, []);
});

t.test('RFC 5630 §3.1.3 a request for a sips: address that comes over an open hop is 416', async (t) => {
  const network = new SimulatedNetwork();
  directAgent(network, '192.0.2.10', 'bob');
  const stranger = new ScriptedPeer(network, '192.0.2.66');
  stranger.host.sendText(
    { address: '192.0.2.10', port: 5060 },
    'OPTIONS sips:bob@192.0.2.10 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.66:5060;branch=z9hG4bKsips\r\nMax-Forwards: 70\r\n' +
      'From: <sip:x@192.0.2.66>;tag=1\r\nTo: <sips:bob@192.0.2.10>\r\nCall-ID: sips\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n',
  );
  network.run(100);
  t.same(stranger.statuses(), [416]);
});
