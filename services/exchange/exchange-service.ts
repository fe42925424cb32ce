import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Settings } from '#firmware/config/settings.ts';
import type { ArgsOf, ResultOf } from '#firmware/contract/contract.ts';
import type { ExchangeStatus, exchangeContract } from '#firmware/contract/exchange.ts';
import { Exchange } from '#firmware/exchange/exchange.ts';
import { ExchangeHost, type HostEvent } from '#firmware/exchange/exchange-host.ts';
import { extensionAddresses, extensionsFor } from '#firmware/exchange/extensions.ts';
import { secondsLeft } from '#firmware/exchange/registrar.ts';
import type { Daemon } from '#firmware/platform/daemon.ts';
import { DeviceKey } from '#firmware/platform/device-key.ts';
import { DnsResolver } from '#firmware/platform/dns-resolver.ts';
import { lastingState } from '#firmware/platform/lasting-state.ts';
import { SipEndpoint } from '#firmware/platform/sip-endpoint.ts';
import { openStore } from '#firmware/platform/sqlite-store.ts';
import type { Implementation } from '#firmware/platform/unix-socket.ts';
import { digestAlgorithms } from '#firmware/sip/digest-hash.ts';
import { UserAgent } from '#firmware/sip/user-agent.ts';
import { SettingsRepository } from '#services/phone/settings-repository.ts';
import { ExchangeRepository } from './exchange-repository.ts';
import { ExtensionCalls, echoExtension, greetingExtension } from './extension-calls.ts';
import { exchangeDatabaseName, exchangeMigrations } from './migrations.ts';
import { MachineAddresses } from './own-addresses.ts';
import { WallClockWatch } from './wall-clock-watch.ts';

type Contract = typeof exchangeContract;

/** Connections that only the exchange itself may open. */
const reservedConnections = 32;
/** How long the extensions' BYEs may take at the end, ms. */
const farewellMs = 1_000;

/** The parts of a running exchange. */
interface Parts {
  readonly settings: SettingsRepository;
  readonly repository: ExchangeRepository;
  readonly endpoint: SipEndpoint;
  readonly host: ExchangeHost;
  readonly calls: ExtensionCalls;
}

/** Builds the exchange from its database, runs it, and carries out the contract. */
export class ExchangeService {
  readonly commands: Implementation<Contract>;
  readonly #daemon: Daemon;
  readonly #parts: Parts;
  #onChange: () => void = () => undefined;

  private constructor(daemon: Daemon, parts: Parts) {
    this.#daemon = daemon;
    this.#parts = parts;
    this.commands = {
      status: () => this.status(),
      setUser: ({ user, password }) => this.#change((exchange) => exchange.setUser(user, password)),
      removeUser: ({ user }) => this.#change((exchange) => exchange.removeUser(user)),
      setForward: ({ user, target }) => this.#change((exchange) => exchange.setForward(user, target ?? undefined)),
      listSettings: ({ reveal }) => ({ settings: [...parts.settings.current.list({ store: 'exchange', reveal })] }),
      changeSettings: (args) => this.#changeSettings(args),
      describe: () => this.#describe(),
    };
  }

  /** Throws ResourceError when the database or the SIP port is not to be had. */
  static async start(daemon: Daemon): Promise<ExchangeService> {
    const { clock, entropy, logger } = daemon;
    const { directory } = lastingState(daemon);
    const store = await openStore(join(directory, exchangeDatabaseName), exchangeMigrations, logger);
    daemon.onStop('database', () => store.close());
    const settings = await SettingsRepository.load(store, 'exchange', DeviceKey.load(directory), logger);
    const now = settings.current;
    const wallTime = (): number => clock.wallTime();
    const repository = new ExchangeRepository({ store, logger, entropy, wallTime, realm: now.get('exchange.realm') });
    daemon.onStop('last changes', () => repository.stop());
    const messageLimits = { messageBytes: now.get('exchange.messageBytes'), headerBytes: now.get('exchange.headerBytes') };
    const endpoint = new SipEndpoint({
      clock,
      logger,
      resolver: new DnsResolver(clock),
      addresses: [now.get('exchange.address')],
      port: now.get('exchange.port'),
      tls: {
        ...(now.get('exchange.tls.port') > 0 && { port: now.get('exchange.tls.port') }),
        certificate: now.get('exchange.tls.certificate'),
        key: now.get('exchange.tls.key'),
      },
      webSockets: {
        port: now.get('exchange.webSocket.port') || undefined,
        securePort: now.get('exchange.webSocket.securePort') || undefined,
      },
      limits: {
        total: now.get('exchange.connections'),
        reserved: reservedConnections,
        perSource: now.get('exchange.connectionsPerSource'),
        message: messageLimits,
      },
    });
    const exchange = new Exchange({
      entropy,
      logger,
      wallTime,
      addresses: new MachineAddresses(clock, endpoint),
      relaySecret: await repository.secret('relay'),
      users: await repository.users(),
      extensions: extensionsFor([echoExtension, greetingExtension]),
      settings: {
        realm: now.get('exchange.realm'),
        messageLimits,
        transactions: now.get('exchange.transactions'),
        requestsPerSecond: now.get('exchange.requestsPerSecond'),
        requestsAtOnce: 4 * now.get('exchange.requestsPerSecond'),
        ...liveSettings(now),
      },
    });
    const userAgent = new UserAgent({ entropy, logger, addresses: extensionAddresses, settings: { acceptDirectCalls: true } });
    const host = new ExchangeHost(exchange, userAgent);
    const calls = extensionCalls(daemon, settings, endpoint, host, () => service.#onChange());
    const service = new ExchangeService(daemon, { settings, repository, endpoint, host, calls });
    await service.#run(userAgent);
    return service;
  }

  /** Called after whatever status shows has changed. */
  onChange(listener: () => void): void {
    this.#onChange = listener;
  }

  status(): ExchangeStatus {
    const { endpoint, host, calls, settings } = this.#parts;
    const now = this.#daemon.clock.now();
    const address = settings.current.get('exchange.address');
    return host.use(now, (exchange) => {
      const { realm, counters, pendingInvites } = exchange.describe();
      const users = [...exchange.users].map(({ name, forward }) => ({
        user: name,
        forward: forward ?? null,
        bindings: exchange.bindingsOf(name).map((binding) => ({
          contact: binding.uri.toString(),
          expiresInSeconds: secondsLeft(now, binding),
          userAgent: binding.userAgent,
        })),
      }));
      const listening = endpoint.listening.map(({ transport, port }) => ({ transport, address, port }));
      return { realm, listening, users, transactions: pendingInvites + calls.active, extensionCalls: calls.describe(), counters };
    });
  }

  async #run(userAgent: UserAgent): Promise<void> {
    const { clock, logger, onStop } = this.#daemon;
    const { endpoint, host, calls, repository } = this.#parts;
    const records = await repository.bindings();
    const now = clock.now();
    const restored = host.use(now, (exchange) => {
      for (const record of records) if (!exchange.restore(now, record)) repository.keep({ type: 'bindingRemoved', ...record });
      return exchange.describe().bindings;
    });
    logger.info('exchange-bindings-restored', { restored, dropped: records.length - restored });
    await endpoint.start(host, (event) => this.#take(event));
    onStop.call(this.#daemon, 'SIP sockets', () => endpoint.stop());
    onStop.call(this.#daemon, 'extension calls', async () => {
      await calls.stop();
      await endpoint.waitUntil(() => userAgent.idle, farewellMs);
    });
    const watch = new WallClockWatch(clock, () => this.#rewriteBindings());
    watch.start();
    onStop.call(this.#daemon, 'wall clock watch', () => watch.stop());
  }

  #take(event: HostEvent): void {
    if (event.from === 'extensions') {
      this.#parts.calls.take(event.event);
      return;
    }
    this.#parts.repository.keep(event.event);
    this.#onChange();
  }

  /** The wall clock was set: what lies on disk tells the time by the old one. */
  #rewriteBindings(): void {
    const { host, repository } = this.#parts;
    const now = this.#daemon.clock.now();
    const records = host.use(now, (exchange) => exchange.bindingRecords(now));
    for (const record of records) repository.keep({ type: 'bindingStored', record });
    this.#daemon.logger.info('exchange-clock-was-set', { bindings: records.length });
  }

  /** On disk once it resolves. */
  async #change(work: (exchange: Exchange) => void): Promise<Record<string, never>> {
    const { endpoint, host, repository } = this.#parts;
    endpoint.drive((now) => host.use(now, work));
    await repository.flush();
    return {};
  }

  async #changeSettings({ set }: ArgsOf<Contract, 'changeSettings'>): Promise<ResultOf<Contract, 'changeSettings'>> {
    const { settings, endpoint, host } = this.#parts;
    const { changed, restartNeeded } = await settings.change({ set });
    endpoint.drive((now) => host.use(now, (exchange) => exchange.configure(liveSettings(settings.current))));
    this.#onChange();
    return { changed: [...changed], restartNeeded: [...restartNeeded] };
  }

  #describe(): Record<string, unknown> {
    const { endpoint, host } = this.#parts;
    const core = host.use(this.#daemon.clock.now(), (exchange, userAgent) => ({
      ...exchange.describe(),
      extensions: userAgent.describe(),
    }));
    return { exchange: core, endpoint: endpoint.describe() };
  }
}

const algorithmsOf = { strongest: digestAlgorithms, sha256: ['SHA-256'], md5: ['MD5'] } as const;

/** What changes without a restart. */
function liveSettings(settings: Settings) {
  return {
    algorithms: algorithmsOf[settings.get('exchange.digest')],
    domains: settings.get('exchange.domains').map((domain) => domain.toLowerCase()),
    minimumExpires: settings.get('exchange.minimumExpires'),
    maximumExpires: settings.get('exchange.maximumExpires'),
  };
}

function extensionCalls(
  { clock, entropy, logger }: Daemon,
  settings: SettingsRepository,
  endpoint: SipEndpoint,
  host: ExchangeHost,
  onChange: () => void,
): ExtensionCalls {
  const shipped = fileURLToPath(new URL('sounds/greeting.wav', import.meta.url));
  return new ExtensionCalls({
    clock,
    entropy,
    logger,
    drive: (input) => endpoint.drive((now) => host.use(now, (_exchange, userAgent) => input(now, userAgent))),
    addressTowards: (remote) => endpoint.towards(remote, 'udp').address,
    ports: () => ({ from: settings.current.get('exchange.rtpPortFrom'), to: settings.current.get('exchange.rtpPortTo') }),
    greeting: () => settings.current.get('exchange.greeting') || shipped,
    onChange,
  });
}
