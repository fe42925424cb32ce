import { freePorts } from './free-ports.ts';
import { VirtualPhone, type VirtualPhoneOptions } from './virtual-phone.ts';

const user = 'desk';
const rtpPorts = 20;

/** A whole phone and its exchange on free ports of loopback; `settings` add to or replace what that takes. No line is set up yet. */
export async function startPhoneAndExchange(options: Omit<VirtualPhoneOptions, 'exchange'>): Promise<VirtualPhone> {
  const [sip, exchange, web] = [await freePorts(1), await freePorts(1), await freePorts(1)];
  const [rtp, exchangeRtp] = [await freePorts(rtpPorts), await freePorts(rtpPorts)];
  return await VirtualPhone.start({
    ...options,
    exchange: true,
    settings: {
      'sip.address': '127.0.0.1',
      'sip.port': String(sip),
      'rtp.portFrom': String(rtp),
      'rtp.portTo': String(rtp + rtpPorts - 1),
      'exchange.address': '127.0.0.1',
      'exchange.port': String(exchange),
      'exchange.rtpPortFrom': String(exchangeRtp),
      'exchange.rtpPortTo': String(exchangeRtp + rtpPorts - 1),
      'web.address': '127.0.0.1',
      'web.port': String(web),
      'phone.dialPlan': '6xx',
      ...options.settings,
    },
  });
}

/** Adds a user to the exchange and gives the phone a line for him; resolves once it is registered. */
export async function registerLine(phone: VirtualPhone): Promise<void> {
  const exchange = phone.settingOf('exchange.port');
  const password = `desk-${process.pid}-${Math.trunc(performance.now())}`;
  // The exchange has to know the user before the line asks for him: a refused registration is not repeated soon.
  await phone.exchange?.command('setUser', { user, password });
  await phone.link.command('changeSettings', {
    set: {
      'line.main.aor': `sip:${user}@127.0.0.1:${exchange}`,
      'line.main.displayName': 'Desk',
      'line.main.registrar': `sip:127.0.0.1:${exchange}`,
      'line.main.password': password,
    },
    unset: [],
  });
  await phone.until('the line is registered', ({ lines }) => lines[0]?.registration.state === 'registered');
}
