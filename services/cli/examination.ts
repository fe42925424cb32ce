import { execFile } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { accessSync, constants, existsSync, readFileSync, statfsSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { mediaContract } from '#firmware/contract/media.ts';
import { type PhoneStatus, phoneContract } from '#firmware/contract/phone.ts';
import { socketPathOf } from '#firmware/platform/daemon.ts';
import { nodeClock } from '#firmware/platform/node-clock.ts';
import { nodeEntropy } from '#firmware/platform/node-entropy.ts';
import { isServed } from '#firmware/platform/socket-path.ts';
import { exchangeDatabaseName } from '#services/exchange/migrations.ts';
import { phoneDatabaseName } from '#services/phone/migrations.ts';
import { withContract } from './contract-call.ts';
import type { DaemonState, Examination, RegistrarProbe, UnitState } from './doctor.ts';
import { machineState, mountOf } from './machine-state.ts';
import type { Place } from './place.ts';
import { probeRegistrar } from './registrar-probe.ts';
import { probeStun, type StunProbe } from './stun-probe.ts';

/** Settings by key, as text; those of the phone, its defaults while it does not answer. */
type SettingTexts = ReadonlyMap<string, string>;

const run = promisify(execFile);
const deviceGroups = ['audio', 'gpio', 'input', 'plugdev'];

/** What shows at a glance how well the phone does. */
export async function vitalSigns(place: Place) {
  const installed = place.option === '' && existsSync('/run/systemd/system');
  const { status, settings } = await askPhone(place);
  const textOf = (key: string, otherwise: string): string => settings.get(key) ?? otherwise;
  const web = { address: hereOf(textOf('web.address', '127.0.0.1')), port: Number(textOf('web.port', '8080')) };
  const daemons = await daemonStates(place, installed, textOf('run.exchange', 'false') === 'true', web);
  return { installed, status, settings, textOf, web, daemons, sound: await soundOf(place) };
}

/** Looks at everything the doctor judges. Changes nothing. */
export async function examine(place: Place): Promise<Examination> {
  const { installed, status, settings, textOf, web, daemons, sound } = await vitalSigns(place);
  const answering = new Set(daemons.filter(({ answers }) => answers).map(({ name }) => name));
  const [sipAddress = '::'] = textOf('sip.address', '::').split(', ');
  const sip = { address: sipAddress, port: Number(textOf('sip.port', '5060')) };
  return {
    installed,
    option: place.option,
    daemons,
    status,
    sound,
    disk: diskOf(place.stateDirectory),
    missingGroups: groupsMissing(),
    wallTime: nodeClock.wallTime(),
    takenPorts: [
      ...(answering.has('phone') || !(await isUdpTaken(sip)) ? [] : [{ port: sip.port, protocol: 'udp' as const, use: 'SIP' }]),
      ...(answering.has('web') || !(await isTcpTaken(web)) ? [] : [{ port: web.port, protocol: 'tcp' as const, use: 'the page' }]),
    ],
    registrars: await registrarProbes(status, settings),
    stunServers: await stunProbes(status, settings),
    machine: await machineState(place.stateDirectory),
    damaged: [join(place.stateDirectory, phoneDatabaseName), join(place.exchangeDirectory, exchangeDatabaseName)]
      .map((path) => `${path}.damaged`)
      .filter((path) => existsSync(path)),
  };
}

async function askPhone(place: Place): Promise<{ status: PhoneStatus | undefined; settings: SettingTexts }> {
  try {
    return await withContract(place, phoneContract, async (phone) => {
      const { settings } = await phone.command('listSettings', { prefix: '', reveal: false });
      return { status: await phone.command('status', {}), settings: new Map(settings.map(({ key, value }) => [key, value])) };
    });
  } catch {
    // That it does not answer is a finding; why, its socket and its unit tell.
    return { status: undefined, settings: new Map() };
  }
}

async function daemonStates(place: Place, installed: boolean, runsExchange: boolean, web: Endpoint): Promise<DaemonState[]> {
  const states: DaemonState[] = [];
  for (const name of ['hal', 'media', 'phone', 'web', 'exchange']) {
    const unit = installed ? await unitOf(name) : undefined;
    const path = socketPathOf(place.runtimeDirectory, name);
    // The page's port may be another program's.
    const answers = name === 'web' ? (!unit || unit.state === 'active') && (await isTcpServed(web)) : await isServed(path);
    if (name === 'exchange' && !answers && (installed ? !unit?.enabled : !runsExchange)) continue;
    states.push({ name, answers, forbidden: answers && name !== 'web' && !mayWrite(path), ...(unit && { unit }) });
  }
  return states;
}

async function unitOf(name: string): Promise<(UnitState & { enabled: boolean }) | undefined> {
  const properties = 'ActiveState,Result,ExecMainStatus,StatusText,UnitFileState,MainPID';
  try {
    const { stdout } = await run('systemctl', ['show', `hookswitch-${name}`, `--property=${properties}`], { timeout: 10_000 });
    const values = new Map(stdout.split('\n').map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]));
    return {
      state: values.get('ActiveState') ?? 'unknown',
      result: values.get('Result') ?? '',
      exitStatus: Number(values.get('ExecMainStatus') ?? 0),
      statusText: values.get('StatusText') ?? '',
      processId: Number(values.get('MainPID') ?? 0),
      enabled: values.get('UnitFileState') === 'enabled',
    };
  } catch {
    // No systemd to ask: whether the daemon answers is known all the same.
    return undefined;
  }
}

async function soundOf(place: Place): Promise<Examination['sound']> {
  try {
    const { sound } = await withContract(place, mediaContract, (media) => media.command('describe', {}));
    const devices = typeof sound === 'object' && sound !== null && 'devices' in sound ? sound.devices : {};
    return devices as Examination['sound'];
  } catch {
    // It does not answer, which is a finding of its own.
    return {};
  }
}

function diskOf(path: string): Examination['disk'] {
  if (!existsSync(path)) return { path, freeBytes: Number.POSITIVE_INFINITY, readOnly: false };
  const { bavail, bsize } = statfsSync(path);
  return { path, freeBytes: bavail * bsize, readOnly: isReadOnly(path) };
}

/** Root may write everywhere but on a disk that may only be read. */
function isReadOnly(path: string): boolean {
  return mountOf(path, readFileSync('/proc/self/mounts', 'utf8')).flags.includes('ro');
}

function groupsMissing(): string[] {
  const there = new Set(
    readFileSync('/etc/group', 'utf8')
      .split('\n')
      .map((line) => line.split(':')[0]),
  );
  return deviceGroups.filter((name) => !there.has(name));
}

function mayWrite(path: string): boolean {
  try {
    accessSync(path, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

async function registrarProbes(status: PhoneStatus | undefined, settings: SettingTexts): Promise<RegistrarProbe[]> {
  const probes = (status?.lines ?? []).map(async ({ line, aor }) => {
    const textOf = (name: string): string => settings.get(`line.${line}.${name}`) ?? '';
    if (!['', 'udp'].includes(textOf('transport'))) return undefined;
    return await probeRegistrar(line, textOf('outboundProxy') || textOf('registrar') || aor, nodeEntropy);
  });
  return (await Promise.all(probes)).filter((probe) => probe !== undefined);
}

/** Those that lines which look for ways through NATs would ask. */
function stunProbes(status: PhoneStatus | undefined, settings: SettingTexts): Promise<StunProbe[]> {
  const servers = (status?.lines ?? []).flatMap(({ line }) => {
    const textOf = (name: string): string => settings.get(`line.${line}.${name}`) ?? '';
    if (textOf('ice') !== 'true') return [];
    const named = [
      { line, kind: 'STUN' as const, server: textOf('stunServer') },
      { line, kind: 'TURN' as const, server: textOf('turnServer') },
    ];
    return named.filter(({ server }) => server !== '');
  });
  return Promise.all(servers.map((server) => probeStun(server, nodeEntropy)));
}

interface Endpoint {
  readonly address: string;
  readonly port: number;
}

/** Where this machine reaches what listens on `address`. */
function hereOf(address: string): string {
  if (address === '0.0.0.0') return '127.0.0.1';
  return address === '::' ? '::1' : address;
}

function isTcpServed({ address, port }: Endpoint): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, address);
    const finish = (served: boolean): void => {
      socket.destroy();
      resolve(served);
    };
    socket.once('connect', () => finish(true));
    socket.once('error', () => finish(false));
    socket.setTimeout(2_000, () => finish(false));
  });
}

function isUdpTaken({ address, port }: Endpoint): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createSocket(address.includes(':') ? 'udp6' : 'udp4');
    socket.once('error', (error: NodeJS.ErrnoException) => {
      socket.close();
      resolve(error.code === 'EADDRINUSE');
    });
    socket.bind({ port, address }, () => {
      socket.close();
      resolve(false);
    });
  });
}

function isTcpTaken({ address, port }: Endpoint): Promise<boolean> {
  return new Promise((resolve) => {
    const listener = createServer();
    listener.once('error', (error: NodeJS.ErrnoException) => resolve(error.code === 'EADDRINUSE'));
    listener.listen(port, address, () => listener.close(() => resolve(false)));
  });
}
