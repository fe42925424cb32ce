import { existsSync, readdirSync } from 'node:fs';
import { cp, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ForeignProgram } from './foreign-program.ts';

export const kamailioRealm = 'test.invalid';

/** Every user's password at the test's Kamailio. */
export function kamailioPassword(user: string): string {
  return `secret-${user}`;
}

/** The module websocket upgrades what asks for it on the TCP and TLS ports. */
const webSocketRoute = `event_route[xhttp:request] {
  if ($hdr(Upgrade) =~ "websocket" && ws_handle_handshake()) exit;
  xhttp_reply("404", "Not Found", "", "");
}
`;

/** Who publishes or subscribes proves who they are. */
const presenceRoute = `if (is_method("PUBLISH|SUBSCRIBE")) {
    if (!pv_proxy_authenticate("${kamailioRealm}", "secret-$fU", "0")) { auth_challenge("${kamailioRealm}", "1"); exit; }
    if (!t_newtran()) { sl_reply_error(); exit; }
    if (is_method("PUBLISH")) handle_publish(); else handle_subscribe();
    t_release();
    exit;
  }`;

function presenceLines(port: number, tables: string): string {
  return `modparam("presence|presence_xml", "db_url", "text://${tables}")
modparam("presence", "server_address", "sip:127.0.0.1:${port}")
modparam("presence", "min_expires", 60)
modparam("presence", "send_fast_notify", 1)
modparam("presence_xml", "force_active", 1)`;
}

export interface KamailioExtras {
  /** A presence server (RFC 3856, 3903) that also keeps dialogs and registrations; text tables in the folder. */
  readonly presence?: boolean;
  /** WebSockets (RFC 7118) on the ports of TCP and TLS. */
  readonly webSockets?: boolean;
  /** Put before its command, to run it elsewhere. */
  readonly within?: readonly string[];
  /** Answers STUN at its SIP port. */
  readonly stun?: boolean;
  /** A registrar that knows flows (RFC 5626), and wants them kept alive so often, s. */
  readonly flowTimer?: number;
  /** Users with a fixed place, as SIP URIs. */
  readonly routes?: Readonly<Record<string, string>>;
  /** Instead of 127.0.0.1. */
  readonly address?: string;
  /** TLS on a port of its own; paths of PEM files. */
  readonly tls?: { readonly port: number; readonly certificate: string; readonly key: string };
}

/** Debian's Kamailio as registrar and stateful proxy on one loopback port, UDP and TCP, digest for REGISTER and INVITE. */
export async function startKamailio(folder: string, port: number, extras: KamailioExtras = {}): Promise<ForeignProgram> {
  await mkdir(folder, { recursive: true });
  const file = join(folder, 'kamailio.cfg');
  const tables = join(folder, 'tables');
  if (extras.presence) await cp('/usr/share/kamailio/dbtext/kamailio', tables, { recursive: true });
  await writeFile(file, configuration(port, extras, tables));
  const [command = 'kamailio', ...words] = [...(extras.within ?? []), 'kamailio'];
  const program = new ForeignProgram(command, [...words, '-f', file, '-DD', '-E', '-Y', folder, '-w', folder, '-m', '32', '-M', '8']);
  await program.saw(extras.tls ? /^\s*tls: / : /^\s*tcp: /);
  return program;
}

function moduleFolder(): string {
  const folders = readdirSync('/usr/lib').map((name) => `/usr/lib/${name}/kamailio/modules/`);
  const found = folders.find((folder) => existsSync(folder));
  if (!found) throw new Error('no Kamailio modules below /usr/lib: scripts/test installs the package kamailio');
  return found;
}

function tlsLines({ port, certificate, key }: NonNullable<KamailioExtras['tls']>): string {
  return `enable_tls=yes
listen=tls:127.0.0.1:${port}
loadmodule "tls.so"
modparam("tls", "tls_method", "TLSv1.2+")
modparam("tls", "certificate", "${certificate}")
modparam("tls", "private_key", "${key}")`;
}

function configuration(
  port: number,
  { address = '127.0.0.1', tls, webSockets = false, stun = false, routes = {}, flowTimer, presence = false }: KamailioExtras,
  tables: string,
): string {
  const modules = ['tm', 'sl', 'rr', 'pv', 'maxfwd', 'usrloc', 'registrar', 'textops', 'siputils', 'auth'];
  if (webSockets) modules.push('xhttp', 'websocket');
  if (stun) modules.push('stun');
  if (presence) modules.push('db_text', 'presence', 'presence_xml', 'presence_dialoginfo');
  if (flowTimer !== undefined) modules.push('outbound');
  return `#!KAMAILIO
debug=1
log_stderror=yes
children=2
tcp_children=1
auto_aliases=no
listen=udp:${address}:${port}
listen=tcp:${address}:${port}
alias="${kamailioRealm}"
mpath="${moduleFolder()}"
${tls ? tlsLines(tls) : ''}
${webSockets ? 'tcp_accept_no_cl=yes' : ''}
${modules.map((name) => `loadmodule "${name}.so"`).join('\n')}
modparam("usrloc", "db_mode", 0)
modparam("registrar", "min_expires", 5)
${
  flowTimer === undefined
    ? ''
    : `modparam("registrar", "outbound_mode", 1)
modparam("registrar", "flow_timer", ${flowTimer})`
}
${presence ? presenceLines(port, tables) : ''}
modparam("auth", "nonce_count", 1)
modparam("auth", "qop", "auth")
request_route {
  if (!mf_process_maxfwd_header("10")) { sl_send_reply("483", "Too Many Hops"); exit; }
  if (is_method("CANCEL")) { if (t_check_trans()) t_relay(); exit; }
  ${presence ? 'if (has_totag() && is_method("SUBSCRIBE") && uri == myself) { handle_subscribe(); exit; }' : ''}
  if (has_totag()) {
    if (loose_route()) { t_relay(); exit; }
    if (is_method("ACK")) { if (t_check_trans()) t_relay(); exit; }
    sl_send_reply("404", "Not here"); exit;
  }
  t_check_trans();
  if (is_method("REGISTER")) {
    if (!pv_www_authenticate("${kamailioRealm}", "secret-$fU", "0")) { auth_challenge("${kamailioRealm}", "1"); exit; }
    save("location"); exit;
  }
  ${presence ? presenceRoute : ''}
  if (is_method("OPTIONS") && $rU == $null) { sl_send_reply("200", "OK"); exit; }
  if (is_method("INVITE")) {
    if (!pv_proxy_authenticate("${kamailioRealm}", "secret-$fU", "0")) { auth_challenge("${kamailioRealm}", "1"); exit; }
    consume_credentials();
    record_route();
  }
${Object.entries(routes)
  .map(([user, uri]) => `  if ($rU == "${user}") { $ru = "${uri}"; t_relay(); exit; }`)
  .join('\n')}
  if (!lookup("location")) { t_newtran(); t_reply("404", "Not Found"); exit; }
  t_relay();
}
${webSockets ? webSocketRoute : ''}`;
}
