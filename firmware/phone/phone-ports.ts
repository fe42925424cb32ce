import type { TextEntry } from '#firmware/contract/phone.ts';
import type { Clock } from '#firmware/core/clock.ts';
import type { Entropy } from '#firmware/core/entropy.ts';
import type { Logger } from '#firmware/core/logger.ts';
import type { XmlReader } from '#firmware/core/xml-element.ts';
import type { NameService } from '#firmware/sip/transport/name-records.ts';
import type { LocalAddresses } from '#firmware/sip/transport/sip-core.ts';
import type { UserAgentSettings } from '#firmware/sip/user-agent-settings.ts';
import type { Dialed } from './dialing.ts';
import type { AlertRecord, PeerDigits } from './outbox.ts';

/** What a phone gets from its driver. */
export interface PhonePorts {
  readonly clock: Pick<Clock, 'wallTime'>;
  readonly entropy: Entropy;
  readonly logger: Logger;
  readonly addresses: LocalAddresses;
  /** Finds the servers of the lines; without it the driver does. */
  readonly names?: NameService | undefined;
  /** Reads what watched lines and registrars tell; without it nothing is watched. */
  readonly readXml?: XmlReader | undefined;
  /** Of the firmware, for the status. */
  readonly version: string;
  readonly userAgentSettings?: Partial<UserAgentSettings>;
  /** What the driver knows that people should know and mend, in plain words. */
  readonly notices?: () => readonly string[];
}

/** What was kept on disk. */
export interface PhoneMemory {
  readonly alerts: readonly AlertRecord[];
  readonly lastDialed?: Dialed | undefined;
  readonly missedCalls: number;
  /** Text messages, oldest first, and how many of them nobody has looked at. */
  readonly texts?: readonly TextEntry[] | undefined;
  readonly unreadTexts?: number | undefined;
  /** How far ends take digits; who was met last at the end. */
  readonly digits?: readonly PeerDigits[];
}
