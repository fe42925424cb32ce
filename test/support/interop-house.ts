import { existsSync, mkdtempSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { CallStatus, PhoneStatus } from '#firmware/contract/phone.ts';
import { freePorts } from '../../scripts/free-ports.ts';
import { VirtualPhone } from '../../scripts/virtual-phone.ts';
import { Baresip, type BaresipOptions } from './baresip.ts';
import type { ForeignProgram } from './foreign-program.ts';
import { type KamailioExtras, kamailioPassword, kamailioRealm, startKamailio } from './kamailio.ts';

/** Real human speech, from Debian's asterisk-core-sounds-en-wav; the two ends of a call speak different texts. */
export const ourSpeech = speechFile('demo-instruct');
export const theirSpeech = speechFile('priv-callee-options');

const rtpPorts = 40;

function speechFile(name: string): string {
  const path = `/usr/share/asterisk/sounds/en_US_f_Allison/${name}.wav`;
  if (!existsSync(path)) throw new Error(`${path} is missing: scripts/test installs asterisk-core-sounds-en-wav`);
  return path;
}

/** What a test teaches its end: steps run in reverse order. */
interface TestLife {
  teardown(step: () => Promise<void>): void;
}

/** A folder for one test, short enough for Unix sockets, gone at its end. */
export function makeFolder(t: TestLife): string {
  const folder = mkdtempSync(join(tmpdir(), 'hs-interop-'));
  t.teardown(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

export interface House {
  readonly folder: string;
  readonly kamailioPort: number;
  readonly kamailio: ForeignProgram;
  readonly phone: VirtualPhone;
  /** WAV file of what the phone's handset heard. */
  readonly heard: string;
  /** UDP and TCP port of the phone. */
  readonly sipPort: number;
}

/** Loopback settings of a phone that is alone on this machine as far as ports go. */
export async function loopbackSettings(folder: string): Promise<Record<string, string>> {
  const rtp = await freePorts(rtpPorts);
  return {
    'sip.address': '127.0.0.1',
    'sip.port': String(await freePorts(1)),
    'rtp.portFrom': String(rtp),
    'rtp.portTo': String(rtp + rtpPorts - 1),
    'web.address': '127.0.0.1',
    'web.port': String(await freePorts(1)),
    ...handsetSettings(folder),
    'phone.dialPlan': '[2-9]xx',
  };
}

/** A handset that speaks our speech and keeps what it hears in the folder. */
export function handsetSettings(folder: string): Record<string, string> {
  return { 'audio.handset.driver': 'wav', 'audio.handset.input': ourSpeech, 'audio.handset.output': join(folder, 'heard.wav') };
}

/** Settings of the line of `user` at the test's Kamailio. */
export function lineSettings(user: string, kamailioPort: number, password = kamailioPassword(user)): Record<string, string> {
  return {
    'line.main.aor': `sip:${user}@${kamailioRealm}`,
    'line.main.displayName': 'Interop',
    'line.main.registrar': `sip:127.0.0.1:${kamailioPort}`,
    'line.main.outboundProxy': `sip:127.0.0.1:${kamailioPort}`,
    'line.main.password': password,
  };
}

/** Kamailio, and our phone registered at it as 200. */
export async function startHouse(
  t: TestLife,
  settings: Readonly<Record<string, string>> = {},
  extras: KamailioExtras = {},
): Promise<House> {
  const folder = makeFolder(t);
  const kamailioPort = await freePorts(1);
  const kamailio = await startKamailio(join(folder, 'kamailio'), kamailioPort, extras);
  t.teardown(() => kamailio.stop());
  const all = { ...(await loopbackSettings(folder)), ...lineSettings('200', kamailioPort), ...settings };
  const phone = await VirtualPhone.start({ data: join(folder, 'phone'), settings: all, exchange: false });
  t.teardown(() => phone.stop());
  await phone.until('it is registered', ({ lines }) => lines[0]?.registration.state === 'registered');
  return { folder, kamailioPort, kamailio, phone, heard: join(folder, 'heard.wav'), sipPort: Number(all['sip.port']) };
}

/** A baresip registered at the house's Kamailio as `user`. */
export async function addBaresip(
  t: TestLife,
  house: House,
  user: string,
  answer: 'auto' | 'manual',
  codecs = 'pcmu,pcma',
  more: Pick<BaresipOptions, 'modules' | 'account'> = {},
): Promise<Baresip> {
  const baresip = await Baresip.start({
    folder: join(house.folder, `baresip-${user}`),
    user,
    port: await freePorts(24),
    proxyPort: house.kamailioPort,
    speech: theirSpeech,
    answer,
    codecs,
    ...more,
  });
  t.teardown(() => baresip.stop());
  return baresip;
}

/** The only call of the phone. */
export function callOf(status: PhoneStatus | undefined): CallStatus | undefined {
  return status?.calls[0];
}

/** Nothing is left of the last call. */
export function isIdle({ calls, hook, tone }: PhoneStatus): boolean {
  return calls.length === 0 && hook === 'onHook' && tone === null;
}
