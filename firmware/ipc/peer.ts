import type { Contract } from '../contract/contract.ts';
import { validate } from '../contract/validation.ts';
import type { Milliseconds } from '../core/clock.ts';
import { Counters } from '../core/counters.ts';
import { TimerTable } from '../core/timer-table.ts';
import { complaintOf } from './complaint.ts';
import { LineFramer, maximumLineBytes } from './framing.ts';
import { type Complaint, type Message, parseMessage } from './message.ts';

/** Which end of a contract this is: the one that carries commands out, or the one that sends them. */
export type Side = 'serving' | 'commanding';

/** What the driver of a peer has to do next. */
export type PeerOutput =
  | { readonly kind: 'send'; readonly bytes: Uint8Array }
  /** Both hellos fit: commands and events flow. `role` is what the other side calls itself. */
  | { readonly kind: 'up'; readonly role: string }
  | { readonly kind: 'command'; readonly id: number; readonly name: string; readonly args: unknown }
  | { readonly kind: 'settled'; readonly id: number; readonly result: unknown }
  | { readonly kind: 'failed'; readonly id: number; readonly complaint: Complaint }
  | { readonly kind: 'event'; readonly name: string; readonly data: unknown }
  /** A line was wrong: theirs (`by: 'them'`) or, as they say, ours. */
  | { readonly kind: 'fault'; readonly by: 'them' | 'us'; readonly complaint: Complaint }
  /** Write what was sent, then close; nothing comes after. */
  | { readonly kind: 'close'; readonly complaint: Complaint };

export interface PeerLimits {
  /** How long the other side may take for its hello, ms. */
  readonly helloMs: Milliseconds;
  /** How long a command may take unless its sender says otherwise, ms. */
  readonly commandMs: Milliseconds;
  /** Commands under way at once, in each direction. */
  readonly pendingCommands: number;
}

const peerLimits: PeerLimits = { helloMs: 5_000, commandMs: 10_000, pendingCommands: 256 };

/** Command ids start at 1, so 0 names the timer of the hello. */
const helloTimer = 0;
const encoder = new TextEncoder();

/**
 * One end of a contract, without a socket:
 *
 *   start → greeting ── both hellos fit ──► up ── lost, or wrong hello ──► closed
 *
 * Both ends say hello at once. Until both have, nothing else is sent or taken. Every later line is checked against the contract; a wrong
 * one costs a counter and a fault to the other side, never the link.
 */
export class Peer {
  readonly #contract: Contract;
  readonly #side: Side;
  /** What this end calls itself in its hello: the name of the daemon or `cli`. */
  readonly #role: string;
  readonly #limits: PeerLimits;
  readonly #framer = new LineFramer();
  readonly #timers = new TimerTable<number>();
  readonly #counters = new Counters();
  #state: 'idle' | 'greeting' | 'up' | 'closed' = 'idle';
  /** Commands under way by id: sent by us with their names, or taken by us. */
  readonly #pending = new Map<number, string>();
  #lastId = 0;
  #outputs: PeerOutput[] = [];

  constructor(contract: Contract, side: Side, role: string, limits: PeerLimits = peerLimits) {
    this.#contract = contract;
    this.#side = side;
    this.#role = role;
    this.#limits = limits;
  }

  get deadline(): Milliseconds | undefined {
    return this.#timers.deadline;
  }

  start(now: Milliseconds): void {
    if (this.#state !== 'idle') return;
    this.#state = 'greeting';
    this.#timers.set(helloTimer, now + this.#limits.helloMs);
    this.#send({ type: 'hello', contract: this.#contract.name, version: this.#contract.version, role: this.#role });
  }

  receive(bytes: Uint8Array): void {
    for (const frame of this.#framer.receive(bytes)) {
      if (this.#state === 'closed') return;
      if (frame.kind === 'bad') {
        this.#object({ code: frame.code, message: frame.reason });
        continue;
      }
      const message = parseMessage(frame.text);
      if ('type' in message) this.#take(message);
      else this.#object(message);
    }
  }

  /** Sends a command and returns its id; `settled` or `failed` with that id follows exactly once. */
  command(now: Milliseconds, name: string, args: unknown, timeout: Milliseconds = this.#limits.commandMs): number {
    const id = ++this.#lastId;
    if (this.#state !== 'up') this.#fail(id, 'not-connected', `${this.#contract.name} is not connected`);
    else if (this.#pending.size >= this.#limits.pendingCommands) {
      this.#fail(id, 'too-many-commands', `${this.#pending.size} commands are under way to ${this.#contract.name}`);
    } else {
      const problem = this.#send({ type: 'command', id, name, args });
      if (problem) this.#fail(id, 'too-long', problem);
      else {
        this.#pending.set(id, name);
        this.#timers.set(id, now + timeout);
      }
    }
    return id;
  }

  /** Answers a command. Ignored when the peer is gone. */
  reply(id: number, result: unknown): void {
    if (!this.#pending.delete(id)) return;
    const problem = this.#send({ type: 'reply', id, result });
    if (problem) this.#send({ type: 'reply', id, error: { code: 'internal', message: problem } });
  }

  /** Answers a command by an error. */
  refuse(id: number, thrown: unknown): void {
    if (this.#pending.delete(id)) this.#send({ type: 'reply', id, error: complaintOf(thrown) });
  }

  /** Sends an event; before the hellos it is nobody's. Returns why it could not be sent. */
  emit(name: string, data: unknown): string | undefined {
    if (this.#state !== 'up') return undefined;
    const problem = this.#send({ type: 'event', name, data });
    if (problem) this.#counters.add('event-not-sent');
    return problem;
  }

  /** The stream ended or broke: everything under way fails. */
  lost(): void {
    if (this.#state === 'closed') return;
    this.#state = 'closed';
    for (const id of [...this.#pending.keys()]) {
      this.#pending.delete(id);
      if (this.#side === 'commanding') this.#fail(id, 'peer-lost', `${this.#contract.name} went away`);
    }
    while (this.#timers.takeDue(Number.POSITIVE_INFINITY) !== undefined);
  }

  handleTimeout(now: Milliseconds): void {
    for (let due = this.#timers.takeDue(now); due !== undefined; due = this.#timers.takeDue(now)) {
      if (due === helloTimer) this.#close({ code: 'no-hello', message: `no hello within ${this.#limits.helloMs} ms` });
      else {
        const name = this.#pending.get(due);
        this.#pending.delete(due);
        this.#counters.add('command-timeout');
        this.#fail(due, 'timeout', `${this.#contract.name} did not reply to ${name} in time`);
      }
    }
  }

  /** Takes what is to be done since the last call. */
  drain(): PeerOutput[] {
    const outputs = this.#outputs;
    this.#outputs = [];
    return outputs;
  }

  describe(): { state: string; pending: number; counters: Record<string, number> } {
    return { state: this.#state, pending: this.#pending.size, counters: this.#counters.describe() };
  }

  #take(message: Message): void {
    if (message.type === 'fault') {
      this.#counters.add('fault-from-peer');
      this.#outputs.push({ kind: 'fault', by: 'us', complaint: { code: message.code, message: message.message } });
    } else if (message.type === 'hello') this.#greeted(message);
    else if (this.#state !== 'up') this.#close({ code: 'no-hello', message: `a ${message.type} came before the hello` });
    else if (message.type === 'command' && this.#side === 'serving') this.#takeCommand(message.id, message.name, message.args);
    else if (message.type === 'reply' && this.#side === 'commanding') this.#takeReply(message);
    else if (message.type === 'event' && this.#side === 'commanding') this.#takeEvent(message.name, message.data);
    else this.#object({ code: 'wrong-direction', message: `a ${message.type} does not go this way` });
  }

  #greeted(hello: Message & { type: 'hello' }): void {
    const complaint = this.#wrongHello(hello);
    if (complaint) this.#close(complaint);
    else if (this.#state === 'up') this.#object({ code: 'second-hello', message: 'hello was said already' });
    else {
      this.#timers.clear(helloTimer);
      this.#state = 'up';
      this.#outputs.push({ kind: 'up', role: hello.role });
    }
  }

  #wrongHello(hello: Message & { type: 'hello' }): Complaint | undefined {
    const { name, version } = this.#contract;
    if (hello.contract !== name) return { code: 'wrong-contract', message: `this is ${name}, not ${hello.contract}` };
    if (hello.version === version) return undefined;
    const message = `${this.#role} speaks version ${version} of ${name}, ${hello.role} speaks ${hello.version}: update the older one`;
    return { code: 'wrong-version', message };
  }

  #takeCommand(id: number, name: string, args: unknown): void {
    if (this.#pending.has(id)) {
      this.#object({ code: 'repeated-id', message: `command ${id} is under way already` });
      return;
    }
    const checked = this.#checkCommand(name, args);
    if ('code' in checked) {
      this.#counters.add(checked.code);
      this.#send({ type: 'reply', id, error: checked });
      this.#outputs.push({ kind: 'fault', by: 'them', complaint: checked });
    } else {
      this.#pending.set(id, name);
      this.#outputs.push({ kind: 'command', id, name, args: checked.value });
    }
  }

  #checkCommand(name: string, args: unknown): Complaint | { readonly value: unknown } {
    const { pendingCommands } = this.#limits;
    if (this.#pending.size >= pendingCommands) return { code: 'too-many-commands', message: `${pendingCommands} commands are under way` };
    const schema = Object.hasOwn(this.#contract.commands, name) ? this.#contract.commands[name]?.args : undefined;
    if (!schema) return { code: 'unknown-command', message: `${this.#contract.name} knows no command ${name}` };
    const checked = validate(schema, args);
    return checked.ok ? checked : { code: 'invalid-arguments', message: `${name}: ${checked.reason}` };
  }

  #takeReply(reply: Message & { type: 'reply' }): void {
    const name = this.#pending.get(reply.id);
    // A reply after its time-out is no fault of the other side.
    if (name === undefined) this.#counters.add('late-reply');
    else {
      this.#pending.delete(reply.id);
      this.#timers.clear(reply.id);
      if (reply.error) this.#outputs.push({ kind: 'failed', id: reply.id, complaint: reply.error });
      else this.#takeResult(reply.id, name, reply.result);
    }
  }

  #takeResult(id: number, name: string, result: unknown): void {
    const schema = this.#contract.commands[name]?.result;
    const checked = schema && validate(schema, result);
    if (checked?.ok) this.#outputs.push({ kind: 'settled', id, result: checked.value });
    else {
      const message = `the result of ${name} is not what ${this.#contract.name} promises: ${checked?.reason}`;
      this.#fail(id, 'invalid-result', message);
      this.#object({ code: 'invalid-result', message });
    }
  }

  #takeEvent(name: string, data: unknown): void {
    const schema = Object.hasOwn(this.#contract.events, name) ? this.#contract.events[name] : undefined;
    const checked = schema && validate(schema, data);
    if (!checked) this.#object({ code: 'unknown-event', message: `${this.#contract.name} has no event ${name}` });
    else if (checked.ok) this.#outputs.push({ kind: 'event', name, data: checked.value });
    else this.#object({ code: 'invalid-event', message: `${name}: ${checked.reason}` });
  }

  /** Says what is wrong with a line; before the hellos it ends the link. */
  #object(complaint: Complaint): void {
    if (this.#state === 'greeting') this.#close(complaint);
    else {
      this.#counters.add(complaint.code);
      this.#send({ type: 'fault', ...complaint });
      this.#outputs.push({ kind: 'fault', by: 'them', complaint });
    }
  }

  #close(complaint: Complaint): void {
    this.#counters.add(complaint.code);
    this.#send({ type: 'fault', ...complaint });
    this.lost();
    this.#outputs.push({ kind: 'close', complaint });
  }

  #fail(id: number, code: string, message: string): void {
    this.#outputs.push({ kind: 'failed', id, complaint: { code, message } });
  }

  /** Queues a message; returns why it cannot be a line. */
  #send(message: Message): string | undefined {
    let text: string;
    try {
      text = JSON.stringify(message);
    } catch {
      return 'the message cannot be written as JSON';
    }
    const bytes = encoder.encode(`${text}\n`);
    if (bytes.length - 1 > maximumLineBytes) return `the message has ${bytes.length} bytes, over the limit of ${maximumLineBytes}`;
    this.#outputs.push({ kind: 'send', bytes });
    return undefined;
  }
}
