import type { Entropy } from '#firmware/core/entropy.ts';
import type { UserAgent } from '#firmware/sip/user-agent.ts';
import type { SessionId } from '#firmware/sip/user-agent-events.ts';
import type { CallNews } from './call-plan.ts';
import type { DigitMemory } from './digit-memory.ts';
import type { Alarms } from './machine.ts';
import type { MediaDesk } from './media-desk.ts';
import type { CallSettings, SoundSettings } from './phone-settings.ts';

/** What a call works with. */
export interface CallPorts {
  readonly userAgent: UserAgent;
  readonly media: MediaDesk;
  readonly alarms: Alarms;
  readonly entropy: Entropy;
  readonly calls: CallSettings;
  readonly sound: SoundSettings;
  readonly digitMemory: DigitMemory;
  report(news: CallNews): void;
  /** Events of that session are this call's. */
  bind(session: SessionId): void;
  hasLine(name: string): boolean;
}
