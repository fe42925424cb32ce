import { ResourceError } from '#firmware/core/errors.ts';
import { parseSoundWish, type SoundWish } from '#firmware/core/sound-wish.ts';
import { type SoundCard, wishFor } from './sound-cards.ts';

/** As much of a PortAudio device as its choice needs. */
export interface OfferedDevice {
  readonly id: number;
  readonly name: string;
  readonly maxInputChannels: number;
  readonly maxOutputChannels: number;
  readonly defaultSampleRate: number;
}

export type Direction = 'input' | 'output';

/** One device as people choose it. */
export interface SoundDeviceEntry {
  /** The wish that means this device over boots and sockets. */
  readonly wish: string;
  readonly name: string;
  /** 0 = none; `null` = not known, since the device is in use. */
  readonly inputChannels: number | null;
  readonly outputChannels: number | null;
  /** Its own; `null` = not known. */
  readonly sampleRate: number | null;
  /** Those it offers, where it says so. */
  readonly rates: readonly number[];
}

const entriesAtMost = 64;

/**
 * The device that `text` means, whatever its number is today. PortAudio calls devices of the kernel `Name: - (hw:1,0)`, so the card is found
 * by its index of this moment, and all else of it by that. Throws ResourceError with what there is.
 */
export function chooseDevice<D extends OfferedDevice>(
  text: string,
  direction: Direction,
  offered: readonly D[],
  cards: readonly SoundCard[],
): D {
  const able = offered.filter((device) => channelsOf(device, direction) > 0);
  const wish = parseSoundWish(text);
  if (typeof wish === 'string') throw new ResourceError(`the sound ${direction} ${text} ${wish}`);
  const found = candidatesOf(wish, able, cards);
  const [first, ...others] = found;
  if (!first) throw new ResourceError(absence(text, wish, direction, able, cards));
  const another = others.find((device) => cardOf(device, cards) === undefined || cardOf(device, cards) !== cardOf(first, cards));
  if (another && wish.kind !== 'default') {
    const names = [...new Set(found.map((device) => identityOf(device, cards)))];
    throw new ResourceError(`${text} means more than one sound ${direction}: ${names.join(', ')}`);
  }
  return first;
}

/** What goes on to mean this device. */
export function identityOf(device: OfferedDevice, cards: readonly SoundCard[]): string {
  const card = cardOf(device, cards);
  if (!card) return device.name;
  const { pcm } = placeOf(device.name) ?? { pcm: 0 };
  return pcm === 0 ? wishFor(card, cards) : `alsa:${card.id},${pcm}`;
}

/** All devices, with the cards that PortAudio leaves out because they are in use. */
export function soundDeviceEntries(offered: readonly OfferedDevice[], cards: readonly SoundCard[]): SoundDeviceEntry[] {
  const entries = offered.map((device): SoundDeviceEntry => {
    const card = cardOf(device, cards);
    return {
      wish: identityOf(device, cards),
      name: withoutPlace(device.name),
      inputChannels: device.maxInputChannels,
      outputChannels: device.maxOutputChannels,
      sampleRate: device.defaultSampleRate,
      rates: card ? ratesOf(card) : [],
    };
  });
  for (const card of cards) {
    if (offered.some((device) => cardOf(device, cards) === card)) continue;
    const channels = (direction: Direction) => (card[direction] ? card[direction].channels || null : 0);
    const directions = { inputChannels: channels('input'), outputChannels: channels('output') };
    entries.push({ wish: wishFor(card, cards), name: card.name, ...directions, sampleRate: null, rates: ratesOf(card) });
  }
  return entries.slice(0, entriesAtMost);
}

function candidatesOf<D extends OfferedDevice>(wish: SoundWish, able: readonly D[], cards: readonly SoundCard[]): D[] {
  switch (wish.kind) {
    case 'default': {
      const named = able.find(({ name }) => name === 'default') ?? able[0];
      return named ? [named] : [];
    }
    case 'usb':
      return onCards(able, cards, ({ usb }) => isUsb(usb, wish));
    case 'alsa': {
      const onCard = onCards(able, cards, ({ id }) => id === wish.id);
      const there = onCard.length > 0 ? onCard : able.filter(({ name }) => name === wish.id);
      return wish.device === undefined ? there : there.filter(({ name }) => placeOf(name)?.pcm === wish.device);
    }
    case 'name':
      return named(wish.text, able, cards);
    default:
      return wish satisfies never;
  }
}

/** The whole name, then the name without the place of the card, which changes with each boot, then a part of it. */
function named<D extends OfferedDevice>(text: string, able: readonly D[], cards: readonly SoundCard[]): D[] {
  const exact = able.filter(({ name }) => name === text);
  if (exact.length > 0) return exact.slice(0, 1);
  const plain = able.filter(({ name }) => withoutPlace(name) === withoutPlace(text));
  if (plain.length > 0) return plain;
  const part = text.toLowerCase();
  return able.filter((device) => [device.name, cardOf(device, cards)?.id ?? ''].some((name) => name.toLowerCase().includes(part)));
}

function isUsb(usb: SoundCard['usb'], { vendor, product, place }: Extract<SoundWish, { kind: 'usb' }>): boolean {
  if (!usb || usb.vendor !== vendor || usb.product !== product) return false;
  return place === undefined || usb.serial === place || usb.port === place;
}

function onCards<D extends OfferedDevice>(able: readonly D[], cards: readonly SoundCard[], isMeant: (card: SoundCard) => boolean): D[] {
  return able.filter((device) => {
    const card = cardOf(device, cards);
    return card !== undefined && isMeant(card);
  });
}

function absence(text: string, wish: SoundWish, direction: Direction, able: readonly OfferedDevice[], cards: readonly SoundCard[]): string {
  const isMeant = (card: SoundCard) => (wish.kind === 'usb' ? isUsb(card.usb, wish) : wish.kind === 'alsa' && card.id === wish.id);
  if (cards.some(isMeant)) return `${text} is plugged in, but offers no sound ${direction}: it has none, or another program uses it`;
  const names = [...new Set(able.map((device) => identityOf(device, cards)))].join(', ');
  return `there is no sound ${direction} named ${text}; there is ${names === '' ? 'none at all' : names}`;
}

function cardOf(device: OfferedDevice, cards: readonly SoundCard[]): SoundCard | undefined {
  const place = placeOf(device.name);
  return place && cards.find(({ index }) => index === place.card);
}

function placeOf(name: string): { readonly card: number; readonly pcm: number } | undefined {
  const [whole, card, pcm] = /\(hw:(\d+),(\d+)\)$/.exec(name) ?? [];
  return whole === undefined ? undefined : { card: Number(card), pcm: Number(pcm) };
}

function withoutPlace(name: string): string {
  return name.replace(/:? -? ?\(hw:\d+,\d+\)$/, '');
}

function channelsOf(device: OfferedDevice, direction: Direction): number {
  return direction === 'input' ? device.maxInputChannels : device.maxOutputChannels;
}

function ratesOf({ input, output }: SoundCard): number[] {
  return [...new Set([...(input?.rates ?? []), ...(output?.rates ?? [])])].sort((a, b) => a - b);
}
