import type { Settings } from '#firmware/config/settings.ts';
import type { BoardProfile } from '#firmware/contract/hal.ts';
import type { AudioDevice, Digit, VoiceWishes } from '#firmware/contract/media.ts';
import type { RingName } from '#firmware/core/ring-names.ts';
import { type SrtpSuiteName, srtpSuiteNames } from '#firmware/core/srtp-suites.ts';
import type { Fingerprint } from '#firmware/sdp/media-security.ts';
import type { AccountKeepAlive, AccountTransport } from '#firmware/sip/account.ts';
import { parseUri, type SipUri } from '#firmware/sip/message/uri.ts';
import { type CodecName, codecNames, type OpusWishes } from './codec-choice.ts';
import { type LampPatterns, lampPatternsOf } from './lamp-patterns.ts';
import { type DialPrefixes, dialPrefixesOf, type LineFeatures, lineFeaturesOf } from './line-features.ts';
import { type MixingSettings, mixingSettingsOf } from './mixing-settings.ts';
import { type PagingSettings, pagingSettingsOf } from './paging-settings.ts';
import { type RecordingSettings, recordingSettingsOf } from './recording-settings.ts';

/** What a sound card may be asked for. */
const audioRates = [8000, 16_000, 44_100, 48_000] as const;

/** All that the phone's rules depend on, parsed and typed, at one moment. */
export interface PhoneSettings {
  /** The line that calls out unless another is chosen comes first. */
  readonly lines: readonly LineSettings[];
  readonly dialing: DialingSettings;
  readonly prefixes: DialPrefixes;
  readonly calls: CallSettings;
  readonly mixing: MixingSettings;
  readonly recording: RecordingSettings;
  readonly paging: PagingSettings;
  readonly sound: SoundSettings;
  readonly board: BoardProfile;
  readonly lamps: LampPatterns;
  readonly doors: readonly DoorSettings[];
  readonly alerts: readonly AlertSettings[];
}

export interface LineSettings {
  readonly name: string;
  readonly aor: SipUri;
  readonly displayName: string;
  /** `undefined` = the line does not register. */
  readonly registrar: SipUri | undefined;
  readonly outboundProxy: SipUri | undefined;
  /** Tried in order while the server above does not answer. */
  readonly otherServers: readonly SipUri[];
  /** `undefined` = as DNS says. */
  readonly transport: AccountTransport | undefined;
  readonly username: string;
  readonly password: string;
  /** Dialogs know the line by the GRUU of the registrar. */
  readonly gruu: boolean;
  readonly flows: number;
  readonly keepAlive: AccountKeepAlive;
  /** Seconds a registration is asked to last. */
  readonly expires: number;
  /** Incoming calls are sent there; `undefined` = they ring here. */
  readonly forward: SipUri | undefined;
  readonly doNotDisturb: boolean;
  readonly subscribeMessages: boolean;
  readonly ring: RingName;
  /** Who is told how well calls went. */
  readonly qualityCollector?: SipUri | undefined;
  readonly media: LineMediaSettings;
  /** Best first. */
  readonly codecs: readonly CodecName[];
  readonly events: LineEventSettings;
  readonly features: LineFeatures;
}

/** What a line wants to know of others, and what others may know by way of servers. */
export interface LineEventSettings {
  /** Lines whose calls are shown, and people whose presence is, as a person would dial them. */
  readonly watch: readonly string[];
  readonly watchPresence: readonly string[];
  readonly publishPresence: boolean;
  /** The registrar is asked what becomes of the registration. */
  readonly watchRegistration: boolean;
}

/** Each a host with or without a port; empty = none. */
export interface IceServers {
  readonly stunServer: string;
  readonly turnServer: string;
  readonly turnUsername: string;
  readonly turnPassword: string;
}

/** How the sound of a line's calls travels. */
export interface LineMediaSettings {
  readonly encryption: 'off' | 'optional' | 'mandatory';
  readonly keyExchange: 'sdes' | 'dtls';
  /** Far ends are behind a NAT: sound goes to where theirs comes from. */
  readonly nat: boolean;
  /** Servers for the search for a way through NATs; `null` = it is not made. */
  readonly ice: IceServers | null;
}

export interface DialingSettings {
  readonly plan: readonly string[];
  readonly interDigitMs: number;
  /** Domain of dialled numbers; `undefined` = that of the line. */
  readonly domain: string | undefined;
}

export interface CallSettings {
  readonly digitMode: 'info' | 'rfc4733' | 'both' | 'sound' | 'auto';
  readonly digitMs: number;
  readonly infoFormat: 'dtmf-relay' | 'dtmf';
  /** An incoming call rings this long. */
  readonly ringMs: number;
  /** An outgoing call is given up after this long. */
  readonly noAnswerMs: number;
  readonly callWaiting: boolean;
  /** Dialled before the number of a line to take the call that rings there; empty = Replaces. */
  readonly pickupCode: string;
  /** The key of a watched line that is in a call joins it. */
  readonly joinByKey: boolean;
  /** False: what a far end asks by REFER or Replaces is refused. */
  readonly acceptTransfers: boolean;
  /** The answer of a line that does not want to be disturbed. */
  readonly doNotDisturbStatus: number;
}

/** A certificate that the device made for itself, and its key, both PEM. */
export interface DeviceCertificate {
  readonly certificate: string;
  readonly privateKey: string;
  readonly fingerprint: Fingerprint;
}

export interface SoundSettings {
  readonly devices: Readonly<Record<string, AudioDevice>>;
  /** 0–100 by device. */
  readonly volumes: Readonly<Record<string, number>>;
  readonly rtpPorts: { readonly from: number; readonly to: number };
  readonly country: string;
  readonly jitterBuffer: { readonly minimumMs: number; readonly startMs: number; readonly maximumMs: number };
  readonly graceSeconds: number;
  readonly silenceSeconds: number;
  /** Class of the packets of sound. */
  readonly dscp: number;
  /** Ask far ends how well we are heard, and tell those who ask. */
  readonly extendedReports: boolean;
  /** Of calls of no line. */
  readonly codecs: readonly CodecName[];
  /** Some calls may be in Opus. */
  readonly usesOpus: boolean;
  readonly opus: OpusWishes;
  readonly comfortNoise: boolean;
  /** Listen for digits in the sound of far ends. */
  readonly hearDigits: boolean;
  readonly ptime: number;
  /** Of this device, for handshakes between the media ports; `null` = there is none. */
  readonly certificate: DeviceCertificate | null;
  /** Best first. */
  readonly cipherSuites: readonly SrtpSuiteName[];
}

export interface DoorSettings {
  readonly name: string;
  /** Input of the board that rings. */
  readonly input: string;
  readonly people: readonly string[];
  readonly relay: string;
  readonly code: string;
  /** Those of `people` whose code counts; empty = all. */
  readonly mayRelease: readonly string[];
  readonly pulseMs: number;
  readonly ringMs: number;
  readonly maximumCallMs: number;
  /** Sound device the visitor talks to. */
  readonly device: string;
}

export interface AlertSettings {
  readonly name: string;
  readonly input: string;
  readonly people: readonly string[];
  readonly file: string;
  readonly token: string;
  readonly acknowledgeDigit: string;
  readonly ringMs: number;
  /** How long somebody who accepted may take to press the digit. */
  readonly listenMs: number;
  readonly rounds: number;
  readonly pauseMs: number;
}

/** Reads the settings of the one schema. Lines without a usable address, doors and alerts without people are left out. */
export function phoneSettingsOf(settings: Settings, board: BoardProfile, certificate: DeviceCertificate | null = null): PhoneSettings {
  const autoDomain = settings.get('phone.autoDomain');
  return {
    lines: linesOf(settings),
    dialing: {
      plan: settings.get('phone.dialPlan'),
      interDigitMs: settings.get('phone.interDigitMs'),
      domain: autoDomain === '' ? undefined : autoDomain,
    },
    prefixes: dialPrefixesOf(settings),
    calls: {
      digitMode: settings.get('phone.digitMode'),
      digitMs: settings.get('phone.digitMs'),
      infoFormat: settings.get('phone.infoFormat'),
      ringMs: 1000 * settings.get('phone.ringSeconds'),
      noAnswerMs: 1000 * settings.get('phone.noAnswerSeconds'),
      callWaiting: settings.get('phone.callWaiting'),
      pickupCode: settings.get('phone.pickupCode'),
      joinByKey: settings.get('phone.joinByKey'),
      acceptTransfers: settings.get('phone.acceptTransfers') === 'inCall',
      doNotDisturbStatus: settings.get('phone.doNotDisturbStatus'),
    },
    mixing: mixingSettingsOf(settings),
    lamps: lampPatternsOf(settings),
    recording: recordingSettingsOf(settings),
    paging: pagingSettingsOf(settings),
    sound: soundOf(settings, certificate),
    board,
    doors: settings.names('door').map((name) => doorOf(settings, name)),
    alerts: settings.names('alert').map((name) => alertOf(settings, name)),
  };
}

function linesOf(settings: Settings): LineSettings[] {
  const preferred = settings.get('phone.defaultLine');
  const lines = settings.names('line').flatMap((name) => lineOf(settings, name) ?? []);
  return lines.sort((a, b) => Number(b.name === preferred) - Number(a.name === preferred));
}

function lineOf(settings: Settings, name: string): LineSettings | undefined {
  const aor = sipUriOf(settings.get('line.*.aor', name));
  if (!aor) return undefined;
  const registrar = sipUriOf(settings.get('line.*.registrar', name)) ?? aor.with({ user: undefined, password: undefined });
  const transport = settings.get('line.*.transport', name);
  const codecs = settings.get('line.*.codecs', name);
  return {
    name,
    aor,
    displayName: settings.get('line.*.displayName', name),
    registrar: settings.get('line.*.register', name) ? registrar : undefined,
    outboundProxy: sipUriOf(settings.get('line.*.outboundProxy', name)),
    otherServers: settings.get('line.*.otherServers', name).flatMap((text) => sipUriOf(text) ?? []),
    transport: transport === 'auto' ? undefined : transport,
    username: settings.get('line.*.username', name) || (aor.user ?? ''),
    password: settings.get('line.*.password', name),
    gruu: settings.get('line.*.gruu', name),
    flows: settings.get('line.*.flows', name),
    keepAlive: settings.get('line.*.keepAlive', name),
    expires: settings.get('line.*.expires', name),
    forward: sipUriOf(settings.get('line.*.forward', name)),
    doNotDisturb: settings.get('line.*.doNotDisturb', name),
    subscribeMessages: settings.get('line.*.subscribeMessages', name),
    ring: settings.get('line.*.ring', name),
    features: lineFeaturesOf(settings, name),
    events: {
      watch: settings.get('line.*.watch', name),
      watchPresence: settings.get('line.*.watchPresence', name),
      publishPresence: settings.get('line.*.publishPresence', name),
      watchRegistration: settings.get('line.*.watchRegistration', name),
    },
    codecs: codecNamesOf(codecs.length > 0 ? codecs : settings.get('rtp.codecs')),
    qualityCollector: sipUriOf(settings.get('line.*.qualityCollector', name)),
    media: {
      encryption: settings.get('line.*.encryption', name),
      keyExchange: settings.get('line.*.keyExchange', name),
      nat: settings.get('line.*.nat', name),
      ice: settings.get('line.*.ice', name) ? iceServersOf(settings, name) : null,
    },
  };
}

function iceServersOf(settings: Settings, name: string): IceServers {
  return {
    stunServer: settings.get('line.*.stunServer', name),
    turnServer: settings.get('line.*.turnServer', name),
    turnUsername: settings.get('line.*.turnUsername', name),
    turnPassword: settings.get('line.*.turnPassword', name),
  };
}

function doorOf(settings: Settings, name: string): DoorSettings {
  return {
    name,
    input: settings.get('door.*.input', name),
    people: settings.get('door.*.people', name),
    relay: settings.get('door.*.relay', name),
    code: settings.get('door.*.code', name),
    mayRelease: settings.get('door.*.mayRelease', name),
    pulseMs: settings.get('door.*.pulseMs', name),
    ringMs: 1000 * settings.get('door.*.ringSeconds', name),
    maximumCallMs: 1000 * settings.get('door.*.maximumCallSeconds', name),
    device: settings.get('door.*.device', name),
  };
}

function alertOf(settings: Settings, name: string): AlertSettings {
  return {
    name,
    input: settings.get('alert.*.input', name),
    people: settings.get('alert.*.people', name),
    file: settings.get('alert.*.file', name),
    token: settings.get('alert.*.token', name),
    acknowledgeDigit: settings.get('alert.*.acknowledgeDigit', name),
    ringMs: 1000 * settings.get('alert.*.ringSeconds', name),
    listenMs: 1000 * settings.get('alert.*.listenSeconds', name),
    rounds: settings.get('alert.*.rounds', name),
    pauseMs: 1000 * settings.get('alert.*.pauseSeconds', name),
  };
}

function soundOf(settings: Settings, certificate: DeviceCertificate | null): SoundSettings {
  const isSetUp = (name: string) => everyPhoneHas.has(name) || settings.get('audio.*.driver', name) !== 'silence';
  const names = settings.names('audio').filter(isSetUp);
  return {
    devices: Object.fromEntries(names.map((name) => [name, deviceOf(settings, name)])),
    volumes: Object.fromEntries(names.map((name) => [name, settings.get('audio.*.volume', name)])),
    rtpPorts: { from: settings.get('rtp.portFrom'), to: settings.get('rtp.portTo') },
    country: settings.get('phone.country'),
    jitterBuffer: {
      minimumMs: settings.get('jitterBuffer.minimumMs'),
      startMs: settings.get('jitterBuffer.startMs'),
      maximumMs: settings.get('jitterBuffer.maximumMs'),
    },
    graceSeconds: settings.get('rtp.graceSeconds'),
    silenceSeconds: settings.get('rtp.silenceSeconds'),
    dscp: settings.get('rtp.dscp'),
    extendedReports: settings.get('rtp.extendedReports'),
    codecs: codecNamesOf(settings.get('rtp.codecs')),
    usesOpus: [
      settings.get('rtp.codecs'),
      ...settings.names('line').map((line) => settings.get('line.*.codecs', line)),
      ...settings.names('page').map((group) => settings.get('page.*.codec', group)),
    ]
      .flat()
      .includes('opus'),
    opus: opusOf(settings),
    comfortNoise: settings.get('rtp.comfortNoise'),
    hearDigits: settings.get('phone.hearDigits'),
    ptime: settings.get('rtp.ptime'),
    certificate,
    cipherSuites: settings.get('rtp.cipherSuites').flatMap((name) => srtpSuiteNames.filter((known) => known === name)),
  };
}

/** The others are there where somebody has set them up. */
const everyPhoneHas = new Set(['handset', 'ringer']);
/** Held to the ear, or without a microphone. */
const quietRoles = new Set(['handset', 'headset', 'ringer']);

/** Nothing at all where nothing is wanted: the sound then goes through as it is. */
function voiceOf(settings: Settings, name: string, driver: string): { voice?: VoiceWishes } {
  const handsFree = driver === 'portaudio' && !quietRoles.has(name);
  const is = (wish: 'automatic' | 'off' | 'on') => (wish === 'automatic' ? handsFree : wish === 'on');
  const wished = settings.get('audio.*.echo', name);
  const echo = wished !== 'automatic' ? wished : handsFree ? 'cancel' : 'off';
  const side = settings.get('audio.*.sideTone', name);
  const voice = {
    echo,
    echoTailMs: settings.get('audio.*.echoTail', name),
    noiseSuppression: is(settings.get('audio.*.noiseSuppression', name)),
    gainControl: is(settings.get('audio.*.gainControl', name)),
    highPass: is(settings.get('audio.*.highPass', name)),
    sideTone: side === 0 ? 0 : 10 ** ((side - 80) / 40),
  };
  const wanted = echo !== 'off' || voice.noiseSuppression || voice.gainControl || voice.highPass || side > 0;
  return wanted ? { voice } : {};
}

function deviceOf(settings: Settings, name: string): AudioDevice {
  const driver = settings.get('audio.*.driver', name);
  const input = settings.get('audio.*.input', name) || null;
  const output = settings.get('audio.*.output', name) || null;
  switch (driver) {
    case 'portaudio': {
      const rate = settings.get('audio.*.sampleRate', name);
      const sampleRate = audioRates.find((known) => known === rate);
      return {
        driver,
        input,
        output,
        ...(sampleRate && { sampleRate }),
        frameMs: settings.get('audio.*.frameMs', name) === 20 ? 20 : 10,
        ...voiceOf(settings, name, driver),
      };
    }
    case 'wav':
      return { driver, input, output, loop: settings.get('audio.*.loop', name), ...voiceOf(settings, name, driver) };
    case 'silence':
      return { driver };
    default:
      return driver satisfies never;
  }
}

function sipUriOf(text: string): SipUri | undefined {
  const uri = text === '' ? undefined : parseUri(text);
  return uri?.kind === 'sip' ? uri : undefined;
}

/** True for a key that is also a digit. */
export function isDigit(text: string): text is Digit {
  return text === 'flash' || (text.length === 1 && '0123456789*#ABCD'.includes(text));
}

function opusOf(settings: Settings): OpusWishes {
  const rate = settings.get('opus.sampleRate');
  return {
    sampleRate: rate === 8000 || rate === 48_000 ? rate : 16_000,
    bitrate: settings.get('opus.bitrate'),
    constantBitrate: settings.get('opus.constantBitrate'),
    complexity: settings.get('opus.complexity'),
    errorCorrection: settings.get('opus.errorCorrection'),
    discontinuous: settings.get('opus.discontinuous'),
  };
}

function codecNamesOf(names: readonly string[]): CodecName[] {
  return names.flatMap((name) => codecNames.filter((known) => known === name));
}
