import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Test } from 'tap';
import { exchangeContract } from '#firmware/contract/exchange.ts';
import { silentLogger } from '#firmware/core/logger.ts';
import { socketPathOf } from '#firmware/platform/daemon.ts';
import { nodeClock } from '#firmware/platform/node-clock.ts';
import { nodeEntropy } from '#firmware/platform/node-entropy.ts';
import { openStore } from '#firmware/platform/sqlite-store.ts';
import { type ContractLink, connectContract } from '#firmware/platform/unix-socket.ts';
import { exchangeDatabaseName, exchangeMigrations } from '#services/exchange/migrations.ts';
import { freePorts } from '../../scripts/free-ports.ts';
import { ForeignProgram } from './foreign-program.ts';

const program = join(import.meta.dirname, '../../dist/services/exchange/main.js');

/** Settings as they are in the database before the exchange starts; ports of its own on loopback among them. Gives its SIP port. */
export async function prepareExchange(directory: string, settings: Readonly<Record<string, string>> = {}): Promise<number> {
  const port = await freePorts(1);
  const rtp = await freePorts(20);
  const places = { port, address: '127.0.0.1', rtpPortFrom: rtp, rtpPortTo: rtp + 19, ...settings };
  const store = await openStore(join(directory, exchangeDatabaseName), exchangeMigrations);
  for (const [key, value] of Object.entries(places)) {
    await store.run('INSERT OR REPLACE INTO settings (key, value) VALUES (?, ?)', [`exchange.${key}`, String(value)]);
  }
  await store.close();
  return port;
}

/** The built exchange in a process of its own, with users whose passwords are NAME-password. */
export async function startExchangeProcess(
  t: Test,
  users: readonly string[],
  settings: Readonly<Record<string, string>> = {},
): Promise<{ readonly port: number; readonly folder: string; readonly link: ContractLink<typeof exchangeContract> }> {
  const folder = mkdtempSync(join(tmpdir(), 'exchange-'));
  const port = await prepareExchange(folder, settings);
  const running = new ForeignProgram(process.execPath, [program, '--runtime-dir', folder, '--state-dir', folder]);
  const options = { role: 'test', clock: nodeClock, entropy: nodeEntropy, logger: silentLogger };
  const link = connectContract(socketPathOf(folder, 'exchange'), exchangeContract, {}, options);
  t.teardown(async () => {
    await link.stop();
    await running.stop();
    rmSync(folder, { recursive: true, force: true });
  });
  await running.saw(/daemon-started/);
  await link.whenUp();
  for (const user of users) await link.command('setUser', { user, password: `${user}-password` });
  return { port, folder, link };
}
