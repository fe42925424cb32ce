import bareHandset from './bare-handset.json' with { type: 'json' };
import bareHandsetUsbSound from './bare-handset-usb-sound.json' with { type: 'json' };
import deskPhone from './desk-phone.json' with { type: 'json' };
import doorStation from './door-station.json' with { type: 'json' };
import rotaryPhone from './rotary-phone.json' with { type: 'json' };
import usbHandset from './usb-handset.json' with { type: 'json' };
import usbKeypad from './usb-keypad.json' with { type: 'json' };
import virtual from './virtual.json' with { type: 'json' };

/** Board profiles that come with the firmware, by their names. */
export const shippedBoards: ReadonlyMap<string, unknown> = new Map<string, unknown>([
  ['virtual', virtual],
  ['bare-handset', bareHandset],
  ['bare-handset-usb-sound', bareHandsetUsbSound],
  ['desk-phone', deskPhone],
  ['rotary-phone', rotaryPhone],
  ['door-station', doorStation],
  ['usb-handset', usbHandset],
  ['usb-keypad', usbKeypad],
]);
