/**
 * The lab machine of scripts/lab/machine/image under qemu: an emulated arm64 processor of 512 MB, driven over a serial port on which its first
 * process reads scripts. With `deterministic` its clock counts instructions, so that neither this machine's load nor its speed is seen inside.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';

export interface MachineOptions {
  /** Where the image is: vmlinuz, initrd.gz, disk.qcow2. */
  readonly image: string;
  readonly deterministic: boolean;
  /** A tar file that the guest finds as /dev/vdb. */
  readonly archive?: string;
  /** A raw disk that the guest finds as /dev/vdc, written through to this file. */
  readonly disk?: string;
}

/** It takes 3 s, a minute on a machine with other work. */
const bootAtMostMs = 600_000;

/** What is written to the image's own disk is forgotten at the end; `start` waits until it has booted. */
export class LabMachine {
  readonly #process: ChildProcess;
  readonly #port: Socket;
  readonly #directory: string;
  #unread = '';
  #waiting: (() => void) | undefined;
  #failed: string | undefined;

  private constructor(process: ChildProcess, port: Socket, directory: string) {
    this.#process = process;
    this.#port = port;
    this.#directory = directory;
    port.setEncoding('utf8').on('data', (text: string) => {
      this.#unread += text;
      this.#waiting?.();
    });
    process.once('exit', (code, signal) => {
      this.#failed = `qemu ended (${signal ?? code}): ${tail(join(directory, 'qemu.log'))}${tail(join(directory, 'console.log'))}`;
      this.#waiting?.();
    });
  }

  static async start(options: MachineOptions): Promise<LabMachine> {
    const directory = await mkdtemp(join(tmpdir(), 'hookswitch-machine.'));
    const child = spawn('qemu-system-aarch64', qemuArguments(options, directory), { stdio: 'ignore' });
    const machine = new LabMachine(child, await connected(join(directory, 'agent')), directory);
    const patience = setTimeout(() => child.kill('SIGKILL'), bootAtMostMs);
    for (let line = ''; !line.startsWith('@ready '); ) line = await machine.#line();
    clearTimeout(patience);
    return machine;
  }

  /** Runs a shell script as root; gives its exit status. Each line of its output goes to `print` when it comes. */
  async run(script: string, print: (line: string) => void): Promise<number> {
    this.#port.write(`${Buffer.from(script).toString('base64')}\n`);
    for (;;) {
      const line = await this.#line();
      const status = /^@status (\d+)$/.exec(line)?.[1];
      if (status !== undefined) return Number(status);
      print(line);
    }
  }

  /** The power goes: what the guest has not written to its disks is lost. */
  async cutPower(): Promise<void> {
    const ended = this.#process.exitCode === null && this.#process.signalCode === null ? once(this.#process, 'exit') : undefined;
    this.#process.kill('SIGKILL');
    await ended;
    this.#port.destroy();
    await rm(this.#directory, { recursive: true, force: true });
  }

  async #line(): Promise<string> {
    for (;;) {
      const end = this.#unread.indexOf('\n');
      if (end >= 0) {
        const line = this.#unread.slice(0, end).replace(/\r$/, '');
        this.#unread = this.#unread.slice(end + 1);
        return line;
      }
      if (this.#failed !== undefined) throw new Error(this.#failed);
      await new Promise<void>((resolve) => {
        this.#waiting = resolve;
      });
    }
  }
}

function qemuArguments({ image, deterministic, archive, disk }: MachineOptions, directory: string): string[] {
  const drive = (id: string, rest: string) => ['-drive', `id=${id},if=none,${rest}`, '-device', `virtio-blk-pci,drive=${id}`];
  return [
    ...[
      '-M',
      'virt',
      '-cpu',
      'cortex-a53',
      '-smp',
      '1',
      '-m',
      '512',
      '-accel',
      'tcg,thread=single',
      '-nodefaults',
      '-display',
      'none',
      '-no-reboot',
    ],
    ...(deterministic ? ['-icount', 'shift=1,sleep=off'] : []),
    ...['-kernel', join(image, 'vmlinuz'), '-initrd', join(image, 'initrd.gz')],
    ...['-append', 'console=ttyAMA0 quiet mitigations=off nokaslr audit=0 net.ifnames=0'],
    ...drive('system', `file=${join(image, 'disk.qcow2')},format=qcow2,snapshot=on,cache=unsafe`),
    ...(archive === undefined ? [] : drive('archive', `file=${archive},format=raw,readonly=on`)),
    ...(disk === undefined ? [] : drive('disk', `file=${disk},format=raw,cache=writethrough`)),
    ...['-serial', `file:${join(directory, 'console.log')}`, '-D', join(directory, 'qemu.log')],
    ...['-device', 'virtio-serial-pci', '-chardev', `socket,id=agent,path=${join(directory, 'agent')},server=on,wait=off`],
    ...['-device', 'virtserialport,chardev=agent,name=lab', '-device', 'virtio-rng-pci'],
  ];
}

/** The port of qemu appears a moment after it starts. */
async function connected(path: string): Promise<Socket> {
  for (let tries = 0; ; tries++) {
    const socket = connect(path);
    try {
      await once(socket, 'connect');
      return socket;
    } catch (error) {
      if (tries === 100) throw new Error(`qemu does not start: ${String(error)}`);
      await wait(100);
    }
  }
}

function tail(path: string): string {
  try {
    return readFileSync(path, 'latin1').slice(-2000);
  } catch {
    return '';
  }
}
