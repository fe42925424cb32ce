/** The daemon of calls: SIP, the phone's rules, settings and logs. Touches no device; hal and media do, at its command. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { halContract } from '#firmware/contract/hal.ts';
import { mediaContract } from '#firmware/contract/media.ts';
import { phoneContract } from '#firmware/contract/phone.ts';
import type { Milliseconds } from '#firmware/core/clock.ts';
import { LimitedLog } from '#firmware/core/counters.ts';
import { messageOf } from '#firmware/core/errors.ts';
import type { Logger } from '#firmware/core/logger.ts';
import type { PhoneEvent } from '#firmware/phone/outbox.ts';
import { Phone } from '#firmware/phone/phone.ts';
import { type Daemon, runDaemon, socketPathOf } from '#firmware/platform/daemon.ts';
import { loadDeviceCertificate } from '#firmware/platform/device-certificate.ts';
import { DeviceKey } from '#firmware/platform/device-key.ts';
import { DnsResolver } from '#firmware/platform/dns-resolver.ts';
import { lastingState } from '#firmware/platform/lasting-state.ts';
import { NameQuery } from '#firmware/platform/name-query.ts';
import { optionsCheck } from '#firmware/platform/self-checks.ts';
import { SipEndpoint } from '#firmware/platform/sip-endpoint.ts';
import { openStore, type SqliteStore } from '#firmware/platform/sqlite-store.ts';
import { type ServedContract, serveContract } from '#firmware/platform/unix-socket.ts';
import { xmlReader } from '#firmware/platform/xml-reader.ts';
import manifest from '../../package.json' with { type: 'json' };
import { keepBoard } from './board-keeper.ts';
import { CallJournal, thisMachine } from './call-journal.ts';
import { LeafLink } from './leaf-link.ts';
import { phoneDatabaseName, phoneMigrations } from './migrations.ts';
import { phoneCommands } from './phone-commands.ts';
import { RecordKeeper } from './record-keeper.ts';
import { SettingsKeeper } from './settings-keeper.ts';
import { SettingsRepository } from './settings-repository.ts';

/** How long the far ends may take to answer our BYEs and the registrar to forget us. */
const farewellMs = 3_000;

/** Facts that are no news to who reads the log. */
const quietFacts = new Set(['hook', 'key', 'input', 'call.digit', 'call.media', 'media.playbackEnded']);

await runDaemon('phone', async (daemon) => {
  const { clock, logger, runtimeDirectory } = daemon;
  const { directory: stateDirectory, notice } = lastingState(daemon);
  const database = await openStore(join(stateDirectory, phoneDatabaseName), phoneMigrations, logger);
  daemon.onStop('database', () => database.close());
  const key = DeviceKey.load(stateDirectory);
  const repository = await SettingsRepository.load(database, 'phone', key, logger);
  const records = new RecordKeeper(database, clock, logger, () => ({
    callLog: repository.current.get('callLog.maximum'),
    doorLog: repository.current.get('doorLog.maximum'),
    texts: repository.current.get('texts.maximum'),
  }));
  const settings = new SettingsKeeper(repository, logger, (next) => drive((phone, now) => phone.changeSettings(now, next)));
  useDeviceCertificate(settings, stateDirectory, logger);
  await settings.start();

  const memory = await records.recall(repository.current.names('alert'));
  const lasting = [...undoneUpdate(stateDirectory), ...(notice === undefined ? [] : [notice])];
  const notices = () => [...lasting, ...records.notices, ...noticesOf(database, repository)];
  const { endpoint, phone } = buildPhone(daemon, settings, memory, notices, key.uuidFor('sip instance'));
  const drive = <T>(input: (phone: Phone, now: Milliseconds) => T): T => driveThrough(endpoint, phone, input);
  const journal = new CallJournal(join(runtimeDirectory, 'phone.calls'), manifest.version, clock, thisMachine(), logger);
  const inheritance = journal.take();
  daemon.onStop('journal', () => journal.close());
  let links: ReturnType<typeof connectLeaves> | undefined;
  let served: ServedContract<typeof phoneContract> | undefined;
  const warnings = new LimitedLog(logger);
  const maintain = (work: 'reload' | 'restart'): void => {
    if (work === 'restart') daemon.stop('the exchange asks for a restart');
    else {
      void settings.reload().catch((thrown) => warnings.warn(clock.now(), 'settings-not-read', { reason: messageOf(thrown) }));
    }
  };
  const act = (event: PhoneEvent): void => {
    if (event.type === 'hal') links?.hal.send(event.id, event.command.name, event.command.args);
    else if (event.type === 'media') links?.media.send(event.id, event.command.name, event.command.args);
    else if (event.type === 'record') records.keep(event.record);
    else if (event.type === 'journal') journal.keep(event.journal);
    else if (event.type === 'status') served?.emit('status', event.status);
    else if (event.type === 'maintain') maintain(event.work);
    else if (event.type === 'setting') {
      void repository
        .change({ set: { [event.key]: event.text } })
        .catch((thrown) => warnings.warn(clock.now(), 'setting-not-kept', { setting: event.key, reason: messageOf(thrown) }));
    } else {
      const { kind, fields } = event.fact;
      logger[quietFacts.has(kind) ? 'debug' : 'info'](kind.replaceAll('.', '-'), fields);
      served?.emit('fact', event.fact);
    }
  };
  daemon.onStop('links', async () => {
    await Promise.all([links?.hal.stop(), links?.media.stop()]);
  });
  await endpoint.start(phone, act);
  daemon.onStop('sip', () => endpoint.stop());
  drive((_, now) => phone.start(now, inheritance));
  // Calls are taken up before media is asked which sessions it has kept.
  const leaves = connectLeaves(daemon, drive);
  links = leaves;
  daemon.onStop('calls', async () => {
    drive((_, now) => phone.stop(now));
    const clean = await endpoint.waitUntil(() => phone.idle, farewellMs);
    if (!clean) logger.warn('farewell-not-answered', {});
  });
  const commands = phoneCommands({
    settings,
    records,
    drive,
    actuate: (actuation) => leaves.hal.pass('actuate', actuation),
    examineSound: (file) => leaves.media.pass('examineSound', { file }),
    sound: {
      soundDevices: () => leaves.media.pass('soundDevices', {}),
      testSound: (wish) => leaves.media.pass('testSound', wish),
    },
    recordings: {
      recordings: () => leaves.media.pass('recordings', {}),
      readRecording: (portion) => leaves.media.pass('readRecording', portion),
      deleteRecording: (recording) => leaves.media.pass('deleteRecording', recording),
    },
    learn: (wish) => leaves.hal.pass('learn', wish),
    keepBoard: (wish) =>
      keepBoard(stateDirectory, { board: settings.phoneSettings.board, change: (request) => settings.change(request) }, wish),
    surroundings: () => ({
      sip: endpoint.describe(),
      records: records.describe(),
      hal: leaves.hal.describe(),
      media: leaves.media.describe(),
    }),
  });
  daemon.addHealthCheck('sip', optionsCheck(endpoint, daemon.entropy));
  served = await serveContract(socketPathOf(runtimeDirectory, 'phone'), phoneContract, commands, { role: 'phone', clock, logger });
  daemon.onStop('socket', () => served?.stop());
});

/** What the installer left for people to read (systemd/debian/update-install). */
function undoneUpdate(directory: string): string[] {
  const path = join(directory, 'update-failed');
  return existsSync(path) ? [readFileSync(path, 'utf8').trim().slice(0, 500)] : [];
}

/** Without a certificate calls are made all the same, but none with a handshake between media ports. */
function useDeviceCertificate(settings: SettingsKeeper, directory: string, logger: Logger): void {
  try {
    settings.useCertificate(loadDeviceCertificate(directory));
  } catch (thrown) {
    logger.error('device-certificate-not-usable', { reason: messageOf(thrown) });
  }
}

/** What became of the data of this phone, for people. */
function noticesOf({ restored }: SqliteStore, repository: SettingsRepository): string[] {
  if (!restored) return repository.notices;
  const copiedAt = restored.copiedAt.toISOString().slice(0, 16).replace('T', ' ');
  return [`${restored.reason}; its copy of ${copiedAt} UTC is in use: later changes of settings and logs are lost`, ...repository.notices];
}

function buildPhone(
  { clock, entropy, logger }: Daemon,
  settings: SettingsKeeper,
  memory: Awaited<ReturnType<RecordKeeper['recall']>>,
  notices: () => readonly string[],
  instanceId: string,
) {
  const { current } = settings;
  const resolver = new DnsResolver(clock);
  const servers = current.get('sip.nameServers');
  const names = new NameQuery({ entropy, ...(servers.length > 0 && { servers }) });
  const tlsPort = current.get('sip.tls.port');
  const messageLimits = { messageBytes: current.get('sip.messageBytes'), headerBytes: current.get('sip.headerBytes') };
  const endpoint = new SipEndpoint({
    clock,
    logger,
    resolver,
    names,
    addresses: current.get('sip.address'),
    port: current.get('sip.port'),
    tls: {
      ...(tlsPort > 0 && { port: tlsPort }),
      certificate: current.get('sip.tls.certificate'),
      key: current.get('sip.tls.key'),
      caFile: current.get('sip.tls.caFile'),
      verify: current.get('sip.tls.verify'),
    },
    webSocketPath: current.get('sip.webSocketPath'),
    dscp: current.get('sip.dscp'),
    limits: {
      total: current.get('sip.connections'),
      reserved: current.get('sip.connectionsReserved'),
      message: messageLimits,
      perSource: current.get('sip.connectionsPerSource'),
      messageMs: 1_000 * current.get('sip.messageSeconds'),
    },
  });
  const userAgentSettings = {
    instanceId,
    acceptDirectCalls: current.get('sip.acceptDirectCalls'),
    acceptMessages: current.get('sip.acceptMessages'),
    acceptWatchers: current.get('sip.acceptWatchers'),
    offerCompletion: current.get('sip.offerCompletion'),
    maximumWatchers: current.get('sip.subscriptions'),
    acceptCheckSync: current.get('sip.acceptCheckSync'),
    sessionExpires: current.get('sip.sessionExpires'),
    minimumSessionExpires: current.get('sip.minimumSessionExpires'),
    reliableProvisional: current.get('sip.reliableProvisional'),
    messagesPerSecond: current.get('sip.messagesPerSecond'),
    largestDatagram: current.get('sip.largestDatagram'),
    messageLimits,
    maximumTransactions: current.get('sip.transactions'),
    maximumSessions: current.get('sip.calls'),
    trace: current.get('sip.trace'),
  };
  const told = { version: manifest.version, readXml: xmlReader(), userAgentSettings, notices: () => [...notices(), ...endpoint.notices] };
  const ports = { clock, entropy, logger, addresses: endpoint, names: endpoint, ...told };
  return { endpoint, phone: new Phone(ports, settings.phoneSettings, memory) };
}

/** Feeds the phone, then does what it wants done, also when the input was refused. */
function driveThrough<T>(endpoint: SipEndpoint, phone: Phone, input: (phone: Phone, now: Milliseconds) => T): T {
  let outcome: { readonly value: T } | { readonly thrown: unknown } | undefined;
  endpoint.drive((now) => {
    try {
      outcome = { value: input(phone, now) };
    } catch (thrown) {
      outcome = { thrown };
    }
  });
  if (outcome && 'value' in outcome) return outcome.value;
  throw outcome?.thrown;
}

function connectLeaves(
  { runtimeDirectory, clock, entropy, logger }: Daemon,
  drive: (input: (phone: Phone, now: Milliseconds) => void) => void,
) {
  const options = { role: 'phone', clock, entropy, logger };
  const hal = new LeafLink(
    socketPathOf(runtimeDirectory, 'hal'),
    halContract,
    {
      connected: () => drive((phone, now) => phone.halConnected(now)),
      lost: () => drive((phone, now) => phone.halLost(now)),
      replied: (id, reply) => drive((phone, now) => phone.halReply(now, id, reply)),
      event: (event) => drive((phone, now) => phone.halEvent(now, event)),
    },
    options,
  );
  const media = new LeafLink(
    socketPathOf(runtimeDirectory, 'media'),
    mediaContract,
    {
      connected: () => drive((phone, now) => phone.mediaConnected(now)),
      lost: () => drive((phone, now) => phone.mediaLost(now)),
      replied: (id, reply) => drive((phone, now) => phone.mediaReply(now, id, reply)),
      event: (event) => drive((phone, now) => phone.mediaEvent(now, event)),
    },
    options,
  );
  return { hal, media };
}
