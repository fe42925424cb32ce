import type { GenericSchema, InferOutput } from 'valibot';

/**
 * A process boundary: the commands one side may send, the replies it gets, and the events that come unasked. Both sides import the same
 * object, and every message is checked against it on arrival. `version` rises whenever an old peer would misunderstand a message.
 */
export interface Contract {
  readonly name: string;
  readonly version: number;
  readonly commands: Readonly<Record<string, { readonly args: GenericSchema; readonly result: GenericSchema }>>;
  readonly events: Readonly<Record<string, GenericSchema>>;
}

export type CommandName<C extends Contract> = Extract<keyof C['commands'], string>;
export type EventName<C extends Contract> = Extract<keyof C['events'], string>;

/** What the sender of command `N` passes. */
export type ArgsOf<C extends Contract, N extends CommandName<C>> = InferOutput<C['commands'][N]['args']>;
/** What the sender of command `N` gets back. */
export type ResultOf<C extends Contract, N extends CommandName<C>> = InferOutput<C['commands'][N]['result']>;
/** What event `N` carries. */
export type EventOf<C extends Contract, N extends EventName<C>> = InferOutput<C['events'][N]>;

/** Keeps the literal types of a contract while checking its shape. */
export function defineContract<const C extends Contract>(contract: C): C {
  return contract;
}
