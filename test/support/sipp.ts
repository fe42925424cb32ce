import { existsSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ForeignProgram } from './foreign-program.ts';

const messageFile = 'messages.log';
const errorFile = 'errors.log';

export interface SippOptions {
  readonly folder: string;
  /** Its own SIP port. */
  readonly port: number;
  /** Its address, 127.0.0.1 unless given. */
  readonly address?: string;
  /** `host:port` it sends to; a UAS needs none. */
  readonly target?: string;
  /** Put before its command, to run it elsewhere. */
  readonly within?: readonly string[];
  /** UDP port at which it sends sound back to where it comes from. */
  readonly echoPort?: number;
  /** User part it calls, `[service]` in scenarios. */
  readonly service?: string;
  readonly scenario: string;
  /** Transport: UDP or one TCP connection. */
  readonly transport?: 'u1' | 't1';
  /** Give up after this long, s. */
  readonly timeoutSeconds?: number;
}

/** Debian's SIPp running one scenario once. */
export class Sipp {
  readonly #program: ForeignProgram;
  readonly #folder: string;

  private constructor(program: ForeignProgram, folder: string) {
    this.#program = program;
    this.#folder = folder;
  }

  static async start(options: SippOptions): Promise<Sipp> {
    await mkdir(options.folder, { recursive: true });
    const file = join(options.folder, 'scenario.xml');
    await writeFile(file, options.scenario);
    const args = ['-sf', file, '-i', options.address ?? '127.0.0.1', '-p', String(options.port), '-t', options.transport ?? 'u1'];
    args.push('-m', '1', '-nostdin', '-timeout', `${options.timeoutSeconds ?? 30}s`, '-timeout_error');
    args.push(
      '-trace_msg',
      '-message_file',
      join(options.folder, messageFile),
      '-trace_err',
      '-error_file',
      join(options.folder, errorFile),
    );
    if (options.service !== undefined) args.push('-s', options.service);
    if (options.target !== undefined) args.push(options.target);
    if (options.echoPort !== undefined) args.push('-rtp_echo', '-mp', String(options.echoPort), '-mi', options.address ?? '127.0.0.1');
    const [command = 'sipp', ...words] = [...(options.within ?? []), 'sipp'];
    const program = new ForeignProgram(command, [...words, ...args], { cwd: options.folder, env: { ...process.env, TERM: 'dumb' } });
    return new Sipp(program, options.folder);
  }

  /** Waits for the end of the scenario; rejects with what went wrong unless every step happened. */
  async succeeded(): Promise<void> {
    const code = await this.#program.exited;
    if (code === 0) return;
    throw new Error(`sipp ended with ${code}:\n${await this.#read(errorFile)}\n${this.#program.output.slice(-4000)}`);
  }

  /** Every message it sent and received, as text. */
  async messages(): Promise<string> {
    return await this.#read(messageFile);
  }

  async stop(): Promise<void> {
    await this.#program.stop();
  }

  async #read(name: string): Promise<string> {
    const path = join(this.#folder, name);
    return existsSync(path) ? await readFile(path, 'utf8') : '';
  }
}

const sdp = `v=0
o=sipp 1 1 IN IP[media_ip_type] [media_ip]
s=-
c=IN IP[media_ip_type] [media_ip]
t=0 0
m=audio [media_port] RTP/AVP 0 101
a=rtpmap:0 PCMU/8000
a=rtpmap:101 telephone-event/8000
a=fmtp:101 0-15`;

const responseHeaders = `[last_Via:]
[last_From:]
[last_To:];tag=[pid]sipp[call_number]
[last_Call-ID:]
[last_CSeq:]
Contact: <sip:[local_ip]:[local_port];transport=[transport]>`;

function scenario(steps: string): string {
  return `<?xml version="1.0" encoding="UTF-8"?>\n<!DOCTYPE scenario SYSTEM "sipp.dtd">\n<scenario name="hookswitch">\n${steps}\n</scenario>\n`;
}

/** A callee that accepts, answers `infos` INFO requests with 200 and waits for the caller's BYE. */
export function calleeScenario(infos: number): string {
  const info = `<recv request="INFO"/>\n<send><![CDATA[\nSIP/2.0 200 OK\n[last_Via:]\n[last_From:]\n[last_To:]\n[last_Call-ID:]\n[last_CSeq:]\nContent-Length: 0\n\n]]></send>`;
  return scenario(`
<recv request="INVITE" rrs="true"/>
<send><![CDATA[
SIP/2.0 180 Ringing
${responseHeaders}
Content-Length: 0

]]></send>
<send retrans="500"><![CDATA[
SIP/2.0 200 OK
${responseHeaders}
Content-Type: application/sdp
Content-Length: [len]

${sdp}
]]></send>
<recv request="ACK"/>
${Array.from({ length: infos }, () => info).join('\n')}
<recv request="BYE"/>
<send><![CDATA[
SIP/2.0 200 OK
[last_Via:]
[last_From:]
[last_To:]
[last_Call-ID:]
[last_CSeq:]
Content-Length: 0

]]></send>`);
}

/** A caller that waits until it is accepted, sends these INFO bodies one after the other (each must get a 200), and a second later hangs up. */
export function callerScenario(infos: readonly { contentType: string; body: string }[]): string {
  const sends = infos.map(
    ({ contentType, body }, index) => `
<send retrans="500"><![CDATA[
INFO [next_url] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
From: <sip:sipp@[local_ip]:[local_port]>;tag=[pid]caller[call_number]
To: <sip:[service]@[remote_ip]:[remote_port]>[peer_tag_param]
Call-ID: [call_id]
CSeq: ${index + 2} INFO
Max-Forwards: 70
Content-Type: ${contentType}
Content-Length: [len]

${body}]]></send>
<recv response="200"/>`,
  );
  return scenario(`
<send retrans="500"><![CDATA[
INVITE sip:[service]@[remote_ip]:[remote_port] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
From: <sip:sipp@[local_ip]:[local_port]>;tag=[pid]caller[call_number]
To: <sip:[service]@[remote_ip]:[remote_port]>
Call-ID: [call_id]
CSeq: 1 INVITE
Contact: <sip:sipp@[local_ip]:[local_port];transport=[transport]>
Max-Forwards: 70
Content-Type: application/sdp
Content-Length: [len]

${sdp}
]]></send>
<recv response="100" optional="true"/>
<recv response="180" optional="true"/>
<recv response="183" optional="true"/>
<recv response="200" rrs="true"/>
<send><![CDATA[
ACK [next_url] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
From: <sip:sipp@[local_ip]:[local_port]>;tag=[pid]caller[call_number]
To: <sip:[service]@[remote_ip]:[remote_port]>[peer_tag_param]
Call-ID: [call_id]
CSeq: 1 ACK
Max-Forwards: 70
Content-Length: 0

]]></send>
${sends.join('\n')}
<pause milliseconds="1000"/>
<send retrans="500"><![CDATA[
BYE [next_url] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
From: <sip:sipp@[local_ip]:[local_port]>;tag=[pid]caller[call_number]
To: <sip:[service]@[remote_ip]:[remote_port]>[peer_tag_param]
Call-ID: [call_id]
CSeq: ${infos.length + 2} BYE
Max-Forwards: 70
Content-Length: 0

]]></send>
<recv response="200"/>`);
}

/** A watcher: subscribes to an event package, hears how things stand, and ends the subscription. */
export function watcherScenario(event: string, type: string): string {
  return scenario(`
<send retrans="500"><![CDATA[
SUBSCRIBE sip:[service]@[remote_ip]:[remote_port] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
From: <sip:lamp@127.0.0.1:[local_port]>;tag=[pid]lamp[call_number]
To: <sip:[service]@[remote_ip]:[remote_port]>
Call-ID: [call_id]
CSeq: 1 SUBSCRIBE
Contact: <sip:lamp@127.0.0.1:[local_port];transport=[transport]>
Max-Forwards: 70
Event: ${event}
Accept: ${type}
Expires: 600
Content-Length: 0

]]></send>
<recv response="200" rrs="true"/>
${notified('active')}
<send retrans="500"><![CDATA[
SUBSCRIBE [next_url] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
From: <sip:lamp@127.0.0.1:[local_port]>;tag=[pid]lamp[call_number]
To: <sip:[service]@[remote_ip]:[remote_port]>[peer_tag_param]
Call-ID: [call_id]
CSeq: 2 SUBSCRIBE
Contact: <sip:lamp@127.0.0.1:[local_port];transport=[transport]>
Max-Forwards: 70
Event: ${event}
Expires: 0
Content-Length: 0

]]></send>
<recv response="200"/>
${notified('terminated')}`);
}

function notified(state: string): string {
  return `<recv request="NOTIFY">
  <action><ereg regexp="${state}" search_in="hdr" header="Subscription-State:" check_it="true" assign_to="state_${state}"/></action>
</recv>
<Reference variables="state_${state}"/>
<send><![CDATA[
SIP/2.0 200 OK
[last_Via:]
[last_From:]
[last_To:]
[last_Call-ID:]
[last_CSeq:]
Content-Length: 0

]]></send>`;
}
