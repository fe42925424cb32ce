import type { NameAnswer, NameQuestion, NameRecord, NameService } from '#firmware/sip/transport/name-records.ts';
import type { SipCore } from '#firmware/sip/transport/sip-core.ts';
import type { SimulatedNetwork } from './simulated-network.ts';

/** DNS of a simulated network: a zone that a test writes, answers that take their time. */
export class ScriptedNames implements NameService {
  readonly #network: SimulatedNetwork;
  readonly #zone = new Map<string, NameRecord[]>();
  readonly asked: string[] = [];
  /** How long an answer takes, ms. */
  delay = 20;
  /** Nobody can be asked. */
  isDown = false;
  /** Of every answer, s. */
  ttl = 3_600;
  /** Who asks. */
  core: Pick<SipCore<unknown>, 'named'> | undefined;

  constructor(network: SimulatedNetwork) {
    this.#network = network;
  }

  ask(question: NameQuestion): void {
    const key = `${question.type} ${question.name}`;
    this.asked.push(key);
    const { isDown, ttl } = this;
    const answer: NameAnswer = { records: isDown ? [] : (this.#zone.get(key) ?? []), ttl, failed: isDown };
    this.#network.schedule(this.delay, () => this.core?.named?.(this.#network.now, question, answer));
  }

  add(name: string, ...records: NameRecord[]): this {
    for (const record of records) {
      const key = `${record.type} ${name}`;
      this.#zone.set(key, [...(this.#zone.get(key) ?? []), record]);
    }
    return this;
  }
}

export function addressRecord(address: string): NameRecord {
  return { type: 'A', address };
}

export function serviceRecord(target: string, priority = 0, weight = 0, port = 5060): NameRecord {
  return { type: 'SRV', priority, weight, port, target };
}

export function pointerRecord(service: string, replacement: string, order = 1, preference = 1, flags = 's'): NameRecord {
  return { type: 'NAPTR', order, preference, flags, service, replacement };
}
