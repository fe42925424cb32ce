import { mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { parseSoundWish } from '#firmware/core/sound-wish.ts';
import { chooseDevice, identityOf, type OfferedDevice, soundDeviceEntries } from '#hal/audio/device-choice.ts';
import { cardsFingerprint, readSoundCards, type SoundCard, wishFor } from '#hal/audio/sound-cards.ts';

/** Who a sound card is, told from what the kernel shows of it: trees of /proc/asound and /sys made by hand, and lists as PortAudio gives them. */

interface FakeCard {
  readonly id: string;
  readonly name: string;
  readonly usb?: { readonly usbid: string; readonly port: string; readonly serial?: string };
  readonly pcms?: readonly string[];
  readonly stream?: string;
}

const dongle: FakeCard = {
  id: 'Device',
  name: 'USB Audio Device',
  usb: { usbid: '0D8C:0014\n', port: '1-1.3' },
  pcms: ['pcm0p', 'pcm0c'],
  stream: [
    'C-Media Electronics Inc. USB Audio Device at usb-0000:01:00.0-1.3, full speed : USB Audio',
    '',
    'Playback:',
    '  Status: Stop',
    '  Interface 1',
    '    Altset 1',
    '    Format: S16_LE',
    '    Channels: 2',
    '    Endpoint: 0x01 (1 OUT) (ADAPTIVE)',
    '    Rates: 48000, 44100',
    'Capture:',
    '  Status: Stop',
    '  Interface 2',
    '    Altset 1',
    '    Channels: 1',
    '    Rates: 8000 - 48000 (continuous)',
    '',
  ].join('\n'),
};
const handset: FakeCard = {
  id: 'Handset',
  name: 'Yealink Handset',
  usb: { usbid: '6993:b001\n', port: '1-1.2', serial: 'A0042\n' },
  pcms: ['pcm0p', 'pcm0c'],
};
const headphones: FakeCard = { id: 'Headphones', name: 'bcm2835 Headphones', pcms: ['pcm0p'] };

/** The kernel's view of cards in this order. */
function treeOf(folder: string, cards: readonly FakeCard[]): { asound: string; sound: string } {
  rmSync(folder, { recursive: true, force: true });
  const [asound, sound] = [join(folder, 'proc/asound'), join(folder, 'sys/class/sound')];
  for (const path of [asound, sound]) mkdirSync(path, { recursive: true });
  const lines = cards.map(
    ({ id, name }, index) => ` ${index} [${id.padEnd(15)}]: USB-Audio - ${name}\n                      ${name} at somewhere\n`,
  );
  writeFileSync(join(asound, 'cards'), lines.length > 0 ? lines.join('') : '--- no soundcards ---\n');
  for (const [index, { usb, pcms = [], stream }] of cards.entries()) {
    const card = join(asound, `card${index}`);
    for (const pcm of ['id', ...pcms]) mkdirSync(join(card, pcm), { recursive: true });
    if (stream) writeFileSync(join(card, 'stream0'), stream);
    if (!usb) continue;
    writeFileSync(join(card, 'usbid'), usb.usbid);
    const device = join(folder, 'sys/devices/usb1', usb.port);
    mkdirSync(join(device, `${usb.port}:1.0`), { recursive: true });
    if (usb.serial) writeFileSync(join(device, 'serial'), usb.serial);
    mkdirSync(join(sound, `card${index}`));
    symlinkSync(join(device, `${usb.port}:1.0`), join(sound, `card${index}`, 'device'));
  }
  return { asound, sound };
}

/** As PortAudio lists the cards of the kernel, after devices of ALSA's configuration. */
function offeredBy(cards: readonly SoundCard[]): OfferedDevice[] {
  const own = cards.map(({ index, name, input, output }) => ({
    name: `${name}: - (hw:${index},0)`,
    maxInputChannels: input ? 1 : 0,
    maxOutputChannels: output ? 2 : 0,
    defaultSampleRate: 48_000,
  }));
  const plain = { name: 'default', maxInputChannels: 32, maxOutputChannels: 32, defaultSampleRate: 44_100 };
  return [...own, plain].map((device, id) => ({ id, ...device }));
}

const folder = t.testdir();

t.test('a card is known by its ALSA id, by what it says of itself on USB, and by what it can do', async (t) => {
  const cards = await readSoundCards(treeOf(folder, [headphones, dongle, handset]));
  t.match(cards, [
    { index: 0, id: 'Headphones', name: 'bcm2835 Headphones', usb: undefined, input: undefined, output: { channels: 0, rates: [] } },
    {
      index: 1,
      id: 'Device',
      usb: { vendor: '0d8c', product: '0014', serial: undefined, port: '1-1.3' },
      input: { channels: 1, rates: [8000, 48_000] },
      output: { channels: 2, rates: [44_100, 48_000] },
    },
    { index: 2, id: 'Handset', usb: { vendor: '6993', product: 'b001', serial: 'A0042', port: '1-1.2' } },
  ]);
  t.same(
    cards.map((card) => wishFor(card, cards)),
    ['alsa:Headphones', 'usb:0d8c:0014', 'usb:6993:b001'],
  );
});

t.test('every wish finds its card, whatever its number is after the next boot', async (t) => {
  for (const order of [
    [headphones, dongle, handset],
    [handset, headphones, dongle],
    [dongle, handset, headphones],
  ]) {
    const cards = await readSoundCards(treeOf(folder, order));
    const offered = offeredBy(cards);
    for (const [wish, name] of [
      ['usb:0d8c:0014', 'USB Audio Device'],
      ['USB:0D8C:0014:1-1.3', 'USB Audio Device'],
      ['usb:6993:b001:A0042', 'Yealink Handset'],
      ['usb:6993:b001:1-1.2', 'Yealink Handset'],
      ['alsa:Device', 'USB Audio Device'],
      ['alsa:Handset,0', 'Yealink Handset'],
      ['alsa:default', 'default'],
      ['yealink', 'Yealink Handset'],
      ['USB Audio Device: - (hw:7,0)', 'USB Audio Device'],
      ['USB Audio Device', 'USB Audio Device'],
      ['Headphones', 'bcm2835 Headphones'],
      ['default', 'default'],
    ] as const) {
      t.match(chooseDevice(wish, 'output', offered, cards).name, name, `${wish} among ${order.map(({ id }) => id).join(', ')}`);
    }
    for (const card of cards)
      t.equal(chooseDevice(wishFor(card, cards), 'output', offered, cards).name, `${card.name}: - (hw:${card.index},0)`);
  }
});

t.test('two of a kind are told apart by serial number, else by socket; a wish that means both is refused', async (t) => {
  const second: FakeCard = { ...dongle, id: 'Device_1', usb: { usbid: '0d8c:0014', port: '1-1.4' } };
  const cards = await readSoundCards(treeOf(folder, [dongle, second]));
  const offered = offeredBy(cards);
  t.same(
    cards.map((card) => wishFor(card, cards)),
    ['usb:0d8c:0014:1-1.3', 'usb:0d8c:0014:1-1.4'],
  );
  t.equal(chooseDevice('usb:0d8c:0014:1-1.4', 'input', offered, cards).id, 1);
  for (const wish of ['usb:0d8c:0014', 'USB Audio'])
    t.throws(() => chooseDevice(wish, 'input', offered, cards), {
      message: `${wish} means more than one sound input: usb:0d8c:0014:1-1.3, usb:0d8c:0014:1-1.4`,
    });
  const numbered = [dongle, { ...second, usb: { usbid: '0d8c:0014', port: '1-1.4', serial: 'B7' } }];
  const told = await readSoundCards(treeOf(folder, numbered));
  t.same(
    told.map((card) => wishFor(card, told)),
    ['usb:0d8c:0014:1-1.3', 'usb:0d8c:0014:B7'],
  );
});

t.test('what is not there is named, with what there is; a card in use is not taken for one that is gone', async (t) => {
  const cards = await readSoundCards(treeOf(folder, [headphones, dongle]));
  const offered = offeredBy(cards);
  t.throws(() => chooseDevice('usb:6993:b001', 'output', offered, cards), {
    message: 'there is no sound output named usb:6993:b001; there is alsa:Headphones, usb:0d8c:0014, default',
  });
  t.throws(() => chooseDevice('alsa:Device', 'input', offered.slice(0, 1), cards), {
    message: /alsa:Device is plugged in, but offers no sound input: it has none, or another program uses it/,
  });
  t.throws(() => chooseDevice('alsa:Headphones', 'input', offered, cards), { message: /plugged in, but offers no sound input/ });
  t.throws(() => chooseDevice('default', 'input', [], []), { message: /there is no sound input named default; there is none at all/ });
  t.throws(() => chooseDevice('hw:1,0', 'input', offered, cards), { message: /must not be the number of a card/ });
});

t.test('the list has what PortAudio offers, and from the kernel the cards that are in use', async (t) => {
  const cards = await readSoundCards(treeOf(folder, [headphones, dongle]));
  t.same(soundDeviceEntries(offeredBy(cards).slice(1), cards), [
    {
      wish: 'usb:0d8c:0014',
      name: 'USB Audio Device',
      inputChannels: 1,
      outputChannels: 2,
      sampleRate: 48_000,
      rates: [8000, 44_100, 48_000],
    },
    { wish: 'default', name: 'default', inputChannels: 32, outputChannels: 32, sampleRate: 44_100, rates: [] },
    { wish: 'alsa:Headphones', name: 'bcm2835 Headphones', inputChannels: 0, outputChannels: null, sampleRate: null, rates: [] },
  ]);
  const second = { id: 9, name: 'USB Audio Device: Second (hw:1,2)', maxInputChannels: 0, maxOutputChannels: 8, defaultSampleRate: 48_000 };
  t.equal(identityOf(second, cards), 'alsa:Device,2', 'another device of the same card');
  t.equal(chooseDevice('alsa:Device,2', 'output', [...offeredBy(cards), second], cards).id, 9);
});

t.test('without sound in the kernel, or with files that say nothing, there are no cards and no faults', async (t) => {
  t.same(await readSoundCards({ asound: join(folder, 'nowhere'), sound: join(folder, 'nowhere') }), []);
  t.equal(await cardsFingerprint({ asound: join(folder, 'nowhere'), sound: '' }), '');
  t.same(await readSoundCards(treeOf(folder, [])), []);
  const tree = treeOf(folder, [
    { id: 'Odd', name: 'Odd', usb: { usbid: 'rubbish', port: '1-1' } },
    { ...handset, id: '' },
  ]);
  rmSync(join(folder, 'sys'), { recursive: true });
  const cards = await readSoundCards(tree);
  t.match(cards, [{ id: 'Odd', usb: undefined, input: undefined, output: undefined }, { usb: { vendor: '6993', port: undefined } }]);
  const many = Array.from({ length: 50 }, (_, index) => ({ id: `C${index}`, name: 'many' }));
  t.equal((await readSoundCards(treeOf(folder, many))).length, 32);
});

t.test('wishes that are none are refused, saying how they are written', async (t) => {
  for (const [text, reason] of [
    ['usb:', /must be usb:VENDOR:PRODUCT/],
    ['usb:0d8c', /must be usb:VENDOR:PRODUCT/],
    ['usb:0d8c:14', /must be usb:VENDOR:PRODUCT/],
    ['usb:0d8c:0014:', /must be usb:VENDOR:PRODUCT/],
    ['usb:0d8c:0014:a b', /must be usb:VENDOR:PRODUCT/],
    ['alsa:', /must be alsa:ID/],
    ['alsa:Device,x', /must be alsa:ID/],
    ['3', /must not be the number of a card/],
    ['plughw:0,0', /must not be the number of a card/],
  ] as const)
    t.match(parseSoundWish(text), reason, text);
  t.same(
    parseSoundWish('USB Audio Device: - (hw:1,0)'),
    { kind: 'name', text: 'USB Audio Device: - (hw:1,0)' },
    'as settings of before have it',
  );
});
