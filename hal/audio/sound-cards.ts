import { readdir, readFile, realpath } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';

/** What a USB device says of itself, and the socket it is in. */
export interface UsbIdentity {
  /** Four hexadecimal digits each. */
  readonly vendor: string;
  readonly product: string;
  readonly serial: string | undefined;
  /** Such as `1-1.3`: the same for as long as nobody plugs it in elsewhere. */
  readonly port: string | undefined;
}

/** What one direction of a card can do, as far as the kernel says so without opening it. */
export interface CardDirection {
  /** 0 = not known. */
  readonly channels: number;
  readonly rates: readonly number[];
}

/** A sound card of the kernel. Its index holds until the next boot or plug, the rest identifies it. */
export interface SoundCard {
  readonly index: number;
  readonly id: string;
  readonly name: string;
  readonly usb: UsbIdentity | undefined;
  /** `undefined` = the card has no such direction. */
  readonly input: CardDirection | undefined;
  readonly output: CardDirection | undefined;
}

/** Where the kernel shows its cards; others in tests. */
export interface CardFolders {
  readonly asound: string;
  readonly sound: string;
}

const kernelFolders: CardFolders = { asound: '/proc/asound', sound: '/sys/class/sound' };
const cardsAtMost = 32;

/** The sound cards there are now, by index; none where the kernel has no sound. What cannot be read of one is left out. */
export async function readSoundCards(folders: CardFolders = kernelFolders): Promise<SoundCard[]> {
  const listed = parseCards(await textOf(join(folders.asound, 'cards')));
  return await Promise.all(listed.slice(0, cardsAtMost).map((card) => describeCard(card, folders)));
}

/** Changes whenever a card comes or goes. */
export async function cardsFingerprint(folders: CardFolders = kernelFolders): Promise<string> {
  return await textOf(join(folders.asound, 'cards'));
}

/** The shortest wish that means this card among `cards` and no other, and goes on to. */
export function wishFor(card: SoundCard, cards: readonly SoundCard[]): string {
  const { usb, id } = card;
  if (!usb) return `alsa:${id}`;
  const twins = cards.filter((other) => other.usb?.vendor === usb.vendor && other.usb.product === usb.product);
  const plain = `usb:${usb.vendor}:${usb.product}`;
  if (twins.length === 1) return plain;
  const { serial, port } = usb;
  if (serial !== undefined && twins.filter((other) => other.usb?.serial === serial).length === 1) return `${plain}:${serial}`;
  return port === undefined ? `alsa:${id}` : `${plain}:${port}`;
}

/** `/proc/asound/cards`: two lines a card, ` 1 [Device         ]: USB-Audio - USB Audio Device`. */
function parseCards(text: string): { index: number; id: string; name: string }[] {
  return text.split('\n').flatMap((line) => {
    const [whole, index = '', id = '', name = ''] = /^ *(\d{1,3}) \[([^\]]*)\] *: [^ ]+ - (.*)$/.exec(line) ?? [];
    return whole === undefined ? [] : [{ index: Number(index), id: id.trim(), name: name.trim() }];
  });
}

async function describeCard(card: { index: number; id: string; name: string }, folders: CardFolders): Promise<SoundCard> {
  const folder = join(folders.asound, `card${card.index}`);
  const stream = await textOf(join(folder, 'stream0'));
  const pcms = await entriesOf(folder);
  const direction = (letter: 'p' | 'c', title: 'Playback' | 'Capture') =>
    pcms.some((entry) => entry.startsWith('pcm') && entry.endsWith(letter)) ? parseStream(stream, title) : undefined;
  return {
    ...card,
    usb: await usbIdentityOf(card.index, folder, folders),
    input: direction('c', 'Capture'),
    output: direction('p', 'Playback'),
  };
}

/** Of `/proc/asound/card1/stream0`, which only USB cards have: the channels and rates under `Playback:` or `Capture:`. */
function parseStream(text: string, title: 'Playback' | 'Capture'): CardDirection {
  const rates = new Set<number>();
  let channels = 0;
  let inside = false;
  for (const line of text.split('\n').slice(0, 500)) {
    if (/^\S/.test(line)) inside = line.startsWith(`${title}:`);
    else if (inside) {
      const [, key = '', value = ''] = /^ +(Channels|Rates): (.*)$/.exec(line) ?? [];
      if (key === 'Channels') channels = Math.max(channels, Number.parseInt(value, 10) || 0);
      if (key === 'Rates') for (const rate of ratesOf(value)) rates.add(rate);
    }
  }
  return { channels, rates: [...rates].sort((a, b) => a - b) };
}

/** `44100, 48000`, or of cards that take any between two, `8000 - 48000 (continuous)`. */
function ratesOf(text: string): number[] {
  return (text.match(/\d{4,6}/g) ?? []).map(Number);
}

/** The device that the interface of the card belongs to knows its serial number; `usbid` is there even where /sys is not. */
async function usbIdentityOf(index: number, folder: string, { sound }: CardFolders): Promise<UsbIdentity | undefined> {
  const [, vendor, product] = /^([0-9a-f]{4}):([0-9a-f]{4})\s*$/i.exec(await textOf(join(folder, 'usbid'))) ?? [];
  if (vendor === undefined || product === undefined) return undefined;
  const device = await usbDeviceOf(join(sound, `card${index}`, 'device'));
  return {
    vendor: vendor.toLowerCase(),
    product: product.toLowerCase(),
    serial: device && usableSerial(await textOf(join(device, 'serial'))),
    port: device && basename(device),
  };
}

async function usbDeviceOf(link: string): Promise<string | undefined> {
  try {
    return dirname(await realpath(link));
  } catch {
    // Without /sys two of a kind cannot be told apart by their sockets, which the list then shows.
    return undefined;
  }
}

/** A serial number that can stand in a wish. */
function usableSerial(text: string): string | undefined {
  const serial = text.trim();
  return /^[^\s:,|]{1,64}$/.test(serial) ? serial : undefined;
}

/** Empty where there is no such file: what a card does not say is not known. */
async function textOf(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch {
    return '';
  }
}

async function entriesOf(folder: string): Promise<string[]> {
  try {
    return await readdir(folder);
  } catch {
    // Unplugged meanwhile.
    return [];
  }
}
