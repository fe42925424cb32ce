import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ForeignProgram } from './foreign-program.ts';

/** Debian's coturn on a port of its own, for the user `phone` with the password `secret`. */
export async function startTurn(folder: string, address: string, port: number, within: readonly string[] = []): Promise<ForeignProgram> {
  await mkdir(folder, { recursive: true });
  const settings = ['lt-cred-mech', 'user=phone:secret', 'realm=test.invalid', 'no-tls', 'no-dtls', 'no-cli', 'allow-loopback-peers'];
  const files = ['log-file=stdout', 'simple-log', 'verbose', `pidfile=${folder}/pid`, `userdb=${folder}/users`];
  const lines = [`listening-ip=${address}`, `relay-ip=${address}`, `listening-port=${port}`, 'relay-threads=1', ...settings, ...files];
  await writeFile(join(folder, 'turn.conf'), `${lines.join('\n')}\n`);
  const [command = 'turnserver', ...words] = [...within, 'turnserver'];
  const program = new ForeignProgram(command, [...words, '-c', join(folder, 'turn.conf')]);
  await program.saw(/UDP listener opened on|relay.*initialization done|Total auth threads/);
  return program;
}
