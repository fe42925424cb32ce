import { type ExchangeStatus, exchangeContract } from '#firmware/contract/exchange.ts';
import type { ContractLink } from '#firmware/platform/unix-socket.ts';
import { withContract } from './contract-call.ts';
import type { Output } from './phone-commands.ts';
import type { Place } from './place.ts';
import { table } from './status-view.ts';

export function exchangeStatus(place: Place, options: { json: boolean }): Promise<Output> {
  return withExchange(place, async (exchange) => {
    const status = await exchange.command('status', {});
    return options.json ? [JSON.stringify(status, null, 2)] : exchangeLines(status);
  });
}

/** Adds a user or gives him another password. */
export function setUser(place: Place, user: string, password: string): Promise<Output> {
  return withExchange(place, async (exchange) => {
    await exchange.command('setUser', { user, password });
    return [`user ${user} may register`];
  });
}

export function removeUser(place: Place, user: string): Promise<Output> {
  return withExchange(place, async (exchange) => {
    await exchange.command('removeUser', { user });
    return [`user ${user} is removed`];
  });
}

export function listUsers(place: Place, options: { json: boolean }): Promise<Output> {
  return withExchange(place, async (exchange) => {
    const { users } = await exchange.command('status', {});
    if (options.json) return [JSON.stringify(users, null, 2)];
    return users.length > 0 ? userLines(users) : ['no users yet: hookswitch exchange user add NAME'];
  });
}

/** Answers calls to a user with 302; `null` ends that. */
export function forwardUser(place: Place, user: string, target: string | null): Promise<Output> {
  return withExchange(place, async (exchange) => {
    await exchange.command('setForward', { user, target });
    return [target === null ? `calls to ${user} reach him` : `calls to ${user} go to ${target}`];
  });
}

function exchangeLines(status: ExchangeStatus): string[] {
  return [
    `exchange, realm ${status.realm}`,
    ...status.listening.map(({ transport, address, port }) => `listens on ${transport} ${address}:${port}`),
    ...userLines(status.users),
    `${status.transactions} calls under way`,
    ...status.extensionCalls.map(
      ({ extension, from, state, seconds, digits }) =>
        `${extension} from ${from}: ${state}, ${Math.floor(seconds)} s${digits ? `, digits ${digits}` : ''}`,
    ),
  ];
}

function userLines(users: ExchangeStatus['users']): string[] {
  return table(
    users.map(({ user, forward, bindings }) => [
      user,
      bindings.length > 0 ? bindings.map(({ contact }) => contact).join(', ') : 'not registered',
      forward ? `forwards to ${forward}` : '',
    ]),
  );
}

function withExchange(place: Place, use: (exchange: ContractLink<typeof exchangeContract>) => Promise<Output>): Promise<Output> {
  return withContract(place, exchangeContract, use);
}
