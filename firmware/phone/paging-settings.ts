import type { Settings } from '#firmware/config/settings.ts';
import type { Milliseconds } from '#firmware/core/clock.ts';

/** One group of telephones that may be spoken to at once. */
export interface PageGroup {
  readonly name: string;
  readonly address: string;
  readonly port: number;
  /** 1 is the most important. */
  readonly priority: number;
  readonly listens: boolean;
  readonly codec: 'PCMU' | 'PCMA' | 'G722' | 'opus';
  readonly opusPayloadType: number;
  /** Dialled it is spoken to; empty = nothing is. */
  readonly code: string;
}

/** How announcements are made and heard. */
export interface PagingSettings {
  readonly groups: readonly PageGroup[];
  readonly interface: string;
  readonly ttl: number;
  readonly networks: readonly string[];
  readonly silenceMs: Milliseconds;
  /** Of the phone that is not in use. */
  readonly device: string;
  /** Least important that is heard in a call, and although nobody is to disturb; 0 = none. */
  readonly callPriority: number;
  readonly emergencyPriority: number;
  readonly inCall: 'mix' | 'hold';
}

export function pagingSettingsOf(settings: Settings): PagingSettings {
  return {
    groups: settings.names('page').flatMap((name) => groupOf(settings, name) ?? []),
    interface: settings.get('paging.interface'),
    ttl: settings.get('paging.ttl'),
    networks: settings.get('paging.networks'),
    silenceMs: settings.get('paging.silence'),
    device: settings.get('paging.device'),
    callPriority: settings.get('paging.callPriority'),
    emergencyPriority: settings.get('paging.emergencyPriority'),
    inCall: settings.get('paging.inCall'),
  };
}

function groupOf(settings: Settings, name: string): PageGroup | undefined {
  const text = settings.get('page.*.address', name);
  const colon = text.lastIndexOf(':');
  if (colon < 0) return undefined;
  const address = text.slice(0, colon);
  return {
    name,
    address: address.startsWith('[') ? address.slice(1, -1) : address,
    port: Number(text.slice(colon + 1)),
    priority: settings.get('page.*.priority', name),
    listens: settings.get('page.*.listen', name),
    codec: settings.get('page.*.codec', name),
    opusPayloadType: settings.get('page.*.opusPayloadType', name),
    code: settings.get('page.*.code', name),
  };
}
