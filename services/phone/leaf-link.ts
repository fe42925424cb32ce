import type { ArgsOf, CommandName, Contract, EventName, EventOf } from '#firmware/contract/contract.ts';
import { messageOf } from '#firmware/core/errors.ts';
import type { Reply } from '#firmware/phone/outbox.ts';
import { type ConnectOptions, type ContractLink, connectContract, type Listeners } from '#firmware/platform/unix-socket.ts';

/** What the phone does with what comes from a leaf. */
export interface LeafPorts<C extends Contract> {
  connected(): void;
  lost(): void;
  replied(id: number, reply: Reply): void;
  event(event: { [N in EventName<C>]: { readonly name: N; readonly fields: EventOf<C, N> } }[EventName<C>]): void;
}

/** The phone's end of hal or media: commands by the phone's own ids, replies as inputs. */
export class LeafLink<C extends Contract> {
  readonly #link: ContractLink<C>;
  readonly #ports: LeafPorts<C>;

  constructor(path: string, contract: C, ports: LeafPorts<C>, options: Omit<ConnectOptions, 'onUp' | 'onDown' | 'once'>) {
    this.#ports = ports;
    const listen = (name: EventName<C>) => (fields: EventOf<C, EventName<C>>) => ports.event({ name, fields } as never);
    const listeners = Object.fromEntries(Object.keys(contract.events).map((name) => [name, listen(name as EventName<C>)]));
    this.#link = connectContract(path, contract, listeners as Listeners<C>, {
      ...options,
      onUp: () => ports.connected(),
      onDown: () => ports.lost(),
    });
  }

  /** Sends it; the phone hears how it ended. What was under way when the link broke has no end of its own: `lost` is said for all. */
  send<N extends CommandName<C>>(id: number, name: N, args: ArgsOf<C, N>): void {
    void this.#link.command(name, args).then(
      (result) => this.#ports.replied(id, { ok: true, result }),
      (thrown) => {
        if (this.#link.up) this.#ports.replied(id, { ok: false, reason: messageOf(thrown) });
      },
    );
  }

  /** For a command that is somebody else's, who waits for its outcome. */
  pass<N extends CommandName<C>>(name: N, args: ArgsOf<C, N>) {
    return this.#link.command(name, args);
  }

  stop(): Promise<void> {
    return this.#link.stop();
  }

  describe(): object {
    return this.#link.describe();
  }
}
