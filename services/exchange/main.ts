import { exchangeContract } from '#firmware/contract/exchange.ts';
import { runDaemon, socketPathOf } from '#firmware/platform/daemon.ts';
import { contractCheck } from '#firmware/platform/self-checks.ts';
import { serveContract } from '#firmware/platform/unix-socket.ts';
import { ExchangeService } from './exchange-service.ts';

/** Status goes out at most this often, ms. */
const statusIntervalMs = 1_000;

/** Registrar and proxy for a place without a PBX. */
await runDaemon('exchange', async (daemon) => {
  const { runtimeDirectory, clock, logger } = daemon;
  const service = await ExchangeService.start(daemon);
  const socketPath = socketPathOf(runtimeDirectory, 'exchange');
  const served = await serveContract(socketPath, exchangeContract, service.commands, {
    role: 'exchange',
    clock,
    logger,
  });
  daemon.onStop('exchange socket', () => served.stop());
  daemon.addHealthCheck('socket', contractCheck(socketPath, exchangeContract, daemon));
  let timer: NodeJS.Timeout | undefined;
  service.onChange(() => {
    timer ??= setTimeout(() => {
      timer = undefined;
      served.emit('status', service.status());
    }, statusIntervalMs);
  });
  daemon.onStop('status', () => clearTimeout(timer));
});
