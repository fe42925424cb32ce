import type { LegQuality } from '#firmware/contract/media.ts';
import type { Milliseconds } from '#firmware/core/clock.ts';
import { parseNameAddr } from '#firmware/sip/message/name-addr.ts';
import { encodeText } from '#firmware/sip/message/text.ts';
import type { UserAgent } from '#firmware/sip/user-agent.ts';
import type { Call } from './call.ts';
import type { Outbox } from './outbox.ts';
import type { LineSettings } from './phone-settings.ts';
import { formatQualityReport, qualityReportType, type ReportedCall } from './quality-report.ts';

export interface QualityDeskPorts {
  readonly userAgent: UserAgent;
  readonly outbox: Outbox;
  /** Calls that are not over. */
  calls(): readonly Call[];
  hasLine(name: string): boolean;
}

interface Noted {
  readonly line: LineSettings;
  readonly call: Omit<ReportedCall, 'endedAt'>;
}

/** Calls whose media port is about to close. */
const notedAtMost = 64;

/** Tells the collector of a line how well each of its calls went, once the call is over (RFC 6035). */
export class QualityDesk {
  readonly #ports: QualityDeskPorts;
  /** What a report says of calls whose line has a collector: when one ends its dialog is gone. */
  readonly #noted = new Map<string, Noted>();

  constructor(ports: QualityDeskPorts) {
    this.#ports = ports;
  }

  /** Calls that have begun are noted, those adopted too. */
  settle(now: Milliseconds): void {
    for (const call of this.#ports.calls()) {
      const { id, line } = call.plan;
      if (!line?.qualityCollector || !call.talking || this.#noted.has(id)) continue;
      const noted = this.#note(now, call, line);
      if (noted) this.#keep(id, noted);
    }
  }

  /** A leg was closed; those of calls that nobody spoke in are not reported. */
  take(now: Milliseconds, leg: string, quality: LegQuality): void {
    const { userAgent, outbox, hasLine } = this.#ports;
    const noted = this.#noted.get(leg);
    this.#noted.delete(leg);
    const target = noted?.line.qualityCollector;
    if (!noted || !target || !hasLine(noted.line.name)) return;
    const text = formatQualityReport({ ...noted.call, endedAt: outbox.wallTime() }, quality);
    const body = { contentType: qualityReportType, bytes: encodeText(text) };
    const report = (statusCode: number) => outbox.fact('call.qualityReport', { call: leg, statusCode });
    userAgent.subscriptions.tellOnce(now, noted.line.name, { event: 'vq-rtcpxr', target, body, report });
  }

  #keep(id: string, noted: Noted): void {
    const [oldest] = this.#noted.keys();
    if (this.#noted.size >= notedAtMost && oldest !== undefined) this.#noted.delete(oldest);
    this.#noted.set(id, noted);
  }

  #note(now: Milliseconds, call: Call, line: LineSettings): Noted | undefined {
    const { userAgent, outbox } = this.#ports;
    const dialog = call.session === undefined ? undefined : userAgent.record(call.session)?.dialog;
    const local = dialog && parseNameAddr(dialog.local);
    const remote = dialog && parseNameAddr(dialog.remote);
    if (!dialog || !local || !remote) return undefined;
    return {
      line,
      call: {
        callId: dialog.callId,
        localId: local.withoutParam('tag').toString(),
        remoteId: remote.withoutParam('tag').toString(),
        outgoing: call.direction === 'outgoing',
        localTag: local.tag ?? '',
        remoteTag: remote.tag ?? '',
        localAddress: call.leg.localAddress,
        localPort: call.leg.ports?.rtpPort ?? 0,
        localGroup: line.aor.host,
        remoteGroup: remote.uri.kind === 'sip' ? remote.uri.host : '',
        startedAt: Math.max(0, outbox.wallTimeAt(now, call.times.acceptedAt ?? now)),
      },
    };
  }
}
