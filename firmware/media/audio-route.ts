import { accumulate, saturate } from '../audio/pcm.ts';
import { InvariantError } from '../core/errors.ts';
import { type AudioSink, type AudioSource, blockSamples } from './sound-format.ts';

interface SourceNode {
  readonly source: AudioSource;
  readonly block: Int16Array;
  sounding: boolean;
}

interface SinkNode {
  readonly sink: AudioSink;
  readonly inputs: Map<string, SourceNode>;
}

/**
 * The patch bay: sources and sinks by name, and who hears whom. Every source is pulled once a block, heard or not, so that none falls
 * behind; every sink gets the sum of its sources.
 *
 *   device:handset ──┐            ┌──► device:handset
 *   session:a      ──┼── links ───┼──► session:a
 *   tone:…, wav:…  ──┘            └──► session:b
 */
export class AudioRoute {
  readonly #sources = new Map<string, SourceNode>();
  readonly #sinks = new Map<string, SinkNode>();
  readonly #sum = new Int32Array(blockSamples);
  readonly #mixed = new Int16Array(blockSamples);

  /** Another source of the same name is replaced, its links are kept. */
  addSource(name: string, source: AudioSource): void {
    const node: SourceNode = { source, block: new Int16Array(blockSamples), sounding: false };
    this.#sources.set(name, node);
    for (const sink of this.#sinks.values()) if (sink.inputs.has(name)) sink.inputs.set(name, node);
  }

  removeSource(name: string): void {
    this.#sources.delete(name);
    for (const { inputs } of this.#sinks.values()) inputs.delete(name);
  }

  /** Another sink of the same name is replaced, its links are kept. */
  addSink(name: string, sink: AudioSink): void {
    this.#sinks.set(name, { sink, inputs: this.#sinks.get(name)?.inputs ?? new Map() });
  }

  removeSink(name: string): void {
    this.#sinks.delete(name);
  }

  /** Lets `sink` hear `source`; both are there. */
  connect(source: string, sink: string): void {
    const node = this.#sources.get(source);
    const inputs = this.#sinks.get(sink)?.inputs;
    if (!node || !inputs) throw new InvariantError(`no route from ${source} to ${sink}`);
    inputs.set(source, node);
  }

  disconnect(source: string, sink: string): void {
    this.#sinks.get(sink)?.inputs.delete(source);
  }

  /** The names of what `sink` hears. */
  sourcesOf(sink: string): string[] {
    return [...(this.#sinks.get(sink)?.inputs.keys() ?? [])];
  }

  /** Moves one block from all sources to all sinks. */
  tick(): void {
    for (const node of this.#sources.values()) node.sounding = node.source.pull(node.block);
    for (const { sink, inputs } of this.#sinks.values()) {
      this.#mix(inputs);
      sink.push(this.#mixed);
    }
  }

  /** Who hears whom, by sink. */
  describe(): Record<string, string[]> {
    return Object.fromEntries([...this.#sinks].map(([name, { inputs }]) => [name, [...inputs.keys()]]));
  }

  #mix(inputs: ReadonlyMap<string, SourceNode>): void {
    let only: SourceNode | undefined;
    let sounding = 0;
    for (const node of inputs.values()) {
      if (!node.sounding) continue;
      only = node;
      sounding++;
    }
    if (!only) this.#mixed.fill(0);
    else if (sounding === 1) this.#mixed.set(only.block);
    else {
      this.#sum.fill(0);
      for (const node of inputs.values()) if (node.sounding) accumulate(this.#sum, node.block);
      saturate(this.#sum, this.#mixed);
    }
  }
}
