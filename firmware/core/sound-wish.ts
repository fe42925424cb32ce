/** Which sound device is meant, in words that hold over boots and sockets. */
export type SoundWish =
  /** What the system takes for its default. */
  | { readonly kind: 'default' }
  /** By what the device says of itself on USB, lower-case hexadecimal, and where two of a kind are told apart, by serial number or port. */
  | { readonly kind: 'usb'; readonly vendor: string; readonly product: string; readonly place: string | undefined }
  /** By the id of an ALSA card, and its device where it has several; or a device of ALSA's configuration. */
  | { readonly kind: 'alsa'; readonly id: string; readonly device: number | undefined }
  /** By its name or a part of it. */
  | { readonly kind: 'name'; readonly text: string };

const usbForm = /^usb:([0-9a-f]{4}):([0-9a-f]{4})(?::([^\s:,|]{1,64}))?$/i;
const alsaForm = /^alsa:([^\s:,]{1,64})(?:,(\d{1,2}))?$/;

/** Takes a wish apart; a text says what is wrong with it. */
export function parseSoundWish(text: string): SoundWish | string {
  if (text.toLowerCase() === 'default') return { kind: 'default' };
  if (/^usb:/i.test(text)) {
    const [whole, vendor = '', product = '', place] = usbForm.exec(text) ?? [];
    if (whole === undefined) return 'must be usb:VENDOR:PRODUCT, four hexadecimal digits each, and where needed :SERIAL or :PORT';
    return { kind: 'usb', vendor: vendor.toLowerCase(), product: product.toLowerCase(), place };
  }
  if (text.startsWith('alsa:')) {
    const [whole, id = '', device] = alsaForm.exec(text) ?? [];
    if (whole === undefined) return 'must be alsa:ID, the id of a card as /proc/asound/cards has it in brackets, and where needed ,DEVICE';
    return { kind: 'alsa', id, device: device === undefined ? undefined : Number(device) };
  }
  if (/^\d+$/.test(text) || /^(?:plug)?hw:\d/.test(text)) {
    return 'must not be the number of a card, which may be another after each boot: hookswitch audio list shows what stays';
  }
  return { kind: 'name', text };
}
