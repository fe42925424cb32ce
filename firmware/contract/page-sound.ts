/**
 * web ⇄ media: the microphone and the loudspeaker of an open page, on the socket `page-sound` of media. Both sides say the greeting, media
 * once the page has the place of the handset; then frames of one length go both ways: mono, signed 16 bit, little endian, 20 ms.
 * The same frames, each a binary message, go between web and page.
 */
export const pageSound = {
  socket: 'page-sound',
  greeting: 'hookswitch page sound 1\n',
  sampleRate: 16_000,
  frameSamples: 320,
  frameBytes: 640,
} as const;

/** Why web closes a page's sound; the page shows it and does not ask again by itself. */
export const pageSoundClosings = {
  /** Another page has it, and was not to be interrupted. */
  taken: 4001,
  /** Another page has taken it over. */
  takenOver: 4002,
  /** The setting `web.sound` forbids it. */
  forbidden: 4003,
  /** It has sent what is no sound, over and over. */
  noSound: 4004,
} as const;
