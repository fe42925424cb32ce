/** The daemon of keys, hook switch, lamps, relays and inputs: serves the hal contract on a board that its controller describes. */
import { join } from 'node:path';
import { halContract } from '#firmware/contract/hal.ts';
import { messageOf } from '#firmware/core/errors.ts';
import type { Logger } from '#firmware/core/logger.ts';
import { runDaemon, socketPathOf } from '#firmware/platform/daemon.ts';
import { contractCheck } from '#firmware/platform/self-checks.ts';
import { type ServedContract, serveContract } from '#firmware/platform/unix-socket.ts';
import { Board } from '#hal/board.ts';
import { openDeviceCalls } from '#hal/device-calls.ts';
import { KernelEvdev } from '#hal/evdev/evdev-driver.ts';
import { CharacterDeviceLines } from '#hal/gpio/character-device.ts';
import { GpioLines } from '#hal/gpio/gpio-lines.ts';
import { kernelTree } from '#hal/gpio/kernel-number.ts';
import { OnoffLines } from '#hal/gpio/onoff-driver.ts';
import { OutputJournal } from '#hal/gpio/output-journal.ts';
import { NodeHidDriver } from '#hal/hid/node-hid-driver.ts';
import { NodeAlarm } from '#hal/node-alarm.ts';
import { HalService } from './hal-service.ts';

/** What a predecessor that was killed has left. */
async function makeSafe(outputs: OutputJournal, characterDevice: CharacterDeviceLines, logger: Logger): Promise<void> {
  const lines = outputs.makeSafe();
  const { left } = outputs;
  try {
    if (left.length > 0) lines.push(...(await characterDevice.makeSafe(left)));
  } catch (thrown) {
    logger.error('outputs-not-made-safe', { lines: left, reason: messageOf(thrown) });
  }
  for (const entry of left) outputs.closed(entry);
  if (lines.length > 0) logger.warn('outputs-made-safe', { lines });
}

await runDaemon('hal', async (daemon) => {
  const { clock, logger } = daemon;
  let served: ServedContract<typeof halContract> | undefined;
  // systemd gives a directory that nobody else can write.
  const outputs = new OutputJournal(join(process.env.RUNTIME_DIRECTORY ?? daemon.runtimeDirectory, 'outputs'));
  const characterDevice = new CharacterDeviceLines(openDeviceCalls, clock, outputs);
  await makeSafe(outputs, characterDevice, logger);
  const gpio = new GpioLines({ characterDevice, sysfs: new OnoffLines(kernelTree, outputs), sysfsFolder: kernelTree.gpio });
  const drivers = { gpio, hid: new NodeHidDriver(), evdev: new KernelEvdev(openDeviceCalls, '/sys/class/input') };
  const board = new Board(drivers, clock, new NodeAlarm(clock), {
    hook: (position, at) => served?.emit('hook', { position, at }),
    key: (key, pressed, at) => served?.emit('key', { key, pressed, at }),
    input: (name, active, at) => served?.emit('input', { name, active, at }),
    board: (state) => served?.emit('board', state),
  });
  const service = new HalService(board, logger);
  // A crash ends here too: sysfs keeps an output as it is when its process dies.
  process.on('exit', () => board.makeSafe());
  daemon.onStop('close the board', () => board.close());
  const socketPath = socketPathOf(daemon.runtimeDirectory, 'hal');
  served = await serveContract(socketPath, halContract, service.commands(), {
    role: 'hal',
    clock,
    logger,
    onPeerLost: (caller) => service.lost(caller),
  });
  daemon.onStop('close the socket', () => served?.stop());
  daemon.addHealthCheck('socket', contractCheck(socketPath, halContract, daemon));
});
