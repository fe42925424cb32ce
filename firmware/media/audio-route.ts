import { accumulate, saturate } from '../audio/pcm.ts';
import { InvariantError } from '../core/errors.ts';
import { RateConverter } from './rate-converter.ts';
import { type AudioSink, type AudioSource, blockMs, blockSamples } from './sound-format.ts';

const blocksPerSecond = 1000 / blockMs;

interface SourceNode {
  readonly source: AudioSource;
  block: Int16Array;
  sounding: boolean;
  /** The same for sinks of other rates, by samples of their blocks; made when the first of them asks. */
  readonly converters: Map<number, RateConverter>;
}

interface SinkNode {
  readonly sink: AudioSink;
  readonly inputs: Map<string, SourceNode>;
  sum: Int32Array;
  mixed: Int16Array;
}

/**
 * The patch bay: sources and sinks by name, and who hears whom. Every source is pulled once a block, heard or not, so that none falls
 * behind; every sink gets the sum of its sources, at the rate it hears. Nothing is converted where all have the same.
 *
 *   device:handset ──┐            ┌──► device:handset
 *   session:a      ──┼── links ───┼──► session:a
 *   tone:…, wav:…  ──┘            └──► session:b
 */
export class AudioRoute {
  readonly #sources = new Map<string, SourceNode>();
  readonly #sinks = new Map<string, SinkNode>();

  /** Another source of the same name is replaced, its links are kept. */
  addSource(name: string, source: AudioSource): void {
    const block = new Int16Array(blockSamples(source.sampleRate));
    const node: SourceNode = { source, block, sounding: false, converters: new Map() };
    this.#sources.set(name, node);
    for (const sink of this.#sinks.values()) if (sink.inputs.has(name)) sink.inputs.set(name, node);
  }

  removeSource(name: string): void {
    this.#sources.delete(name);
    for (const { inputs } of this.#sinks.values()) inputs.delete(name);
  }

  /** Another sink of the same name is replaced, its links are kept. */
  addSink(name: string, sink: AudioSink): void {
    const samples = blockSamples(sink.sampleRate);
    const inputs = this.#sinks.get(name)?.inputs ?? new Map();
    this.#sinks.set(name, { sink, inputs, sum: new Int32Array(samples), mixed: new Int16Array(samples) });
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
    for (const node of this.#sources.values()) pull(node);
    for (const node of this.#sinks.values()) {
      retune(node);
      mix(node);
      node.sink.push(node.mixed);
    }
  }

  /** Who hears whom, by sink. */
  describe(): Record<string, string[]> {
    return Object.fromEntries([...this.#sinks].map(([name, { inputs }]) => [name, [...inputs.keys()]]));
  }
}

function pull(node: SourceNode): void {
  const samples = blockSamples(node.source.sampleRate);
  if (node.block.length !== samples) {
    node.block = new Int16Array(samples);
    node.converters.clear();
  }
  node.sounding = node.source.pull(node.block);
  for (const converter of node.converters.values()) converter.next();
}

function retune(node: SinkNode): void {
  const samples = blockSamples(node.sink.sampleRate);
  if (node.mixed.length === samples) return;
  node.mixed = new Int16Array(samples);
  node.sum = new Int32Array(samples);
}

function mix({ inputs, sum, mixed }: SinkNode): void {
  let only: Int16Array | undefined;
  let sounding = 0;
  for (const node of inputs.values()) {
    const block = blockOf(node, mixed.length);
    if (!block) continue;
    if (++sounding === 1) only = block;
    if (sounding === 2 && only) sum.set(only);
    if (sounding > 1) accumulate(sum, block);
  }
  if (!only) mixed.fill(0);
  else if (sounding === 1) mixed.set(only);
  else saturate(sum, mixed);
}

/** What is heard of a source in blocks of `samples`; `undefined` for silence. */
function blockOf(node: SourceNode, samples: number): Int16Array | undefined {
  if (node.block.length === samples) return node.sounding ? node.block : undefined;
  let converter = node.converters.get(samples);
  if (!converter) {
    converter = new RateConverter(node.source.sampleRate, samples * blocksPerSecond);
    node.converters.set(samples, converter);
  }
  return converter.convert(node.block, node.sounding);
}
