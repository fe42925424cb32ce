/** The steps that scenarios of SIPp are made of; `sipp.ts` runs them. */

interface SippRequest {
  /** 1 unless given. */
  readonly sequence?: number;
  /** Header lines beyond those every request has. */
  readonly lines?: readonly string[];
  readonly body?: string;
  /** Of the body: application/sdp unless given. */
  readonly type?: string;
  /** The dialog of a call that SIPp made, or of one that it took (which has to `learnDialog`); none unless given. */
  readonly dialog?: 'made' | 'taken';
  /** Request-URI, and To, of a request outside dialogs: the phone's user `[service]` unless given. */
  readonly target?: string;
  /** `[branch]` unless given; `[branch-2]` is that of two steps ago. */
  readonly branch?: string;
  /** Instead of SIPp's own: `Name <sip:…>`. */
  readonly from?: string;
  /** False: sent once, whatever becomes of it. */
  readonly repeated?: boolean;
}

const own = '<sip:sipp@[local_ip]:[local_port]>';
const ownTag = '[pid]sipp[call_number]';

/** Ways of asking for hold are made of it. */
export function description({ address = '[media_ip]', direction = 'sendrecv', version = 1 } = {}): string {
  return `v=0
o=sipp 1 ${version} IN IP4 [media_ip]
s=-
c=IN IP4 ${address}
t=0 0
m=audio [media_port] RTP/AVP 0 101
a=rtpmap:0 PCMU/8000
a=rtpmap:101 telephone-event/8000
a=${direction}`;
}

export function scenario(...steps: readonly string[]): string {
  return `<?xml version="1.0" encoding="UTF-8"?>\n<!DOCTYPE scenario SYSTEM "sipp.dtd">\n<scenario name="hookswitch">\n${steps.join('\n')}\n</scenario>\n`;
}

/** SIPp sends a request. */
export function request(method: string, options: SippRequest = {}): string {
  const { sequence = 1, lines = [], body = '', dialog, branch = '[branch]', from = own, repeated = method !== 'ACK' } = options;
  const target = options.target ?? 'sip:[service]@[remote_ip]:[remote_port]';
  const taken = dialog === 'taken';
  return send(
    [
      `${method} ${dialog ? '[next_url]' : target} SIP/2.0`,
      `Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=${branch}`,
      `From: ${taken ? '[$called]' : from};tag=${ownTag}`,
      `To: ${taken ? '[$caller]' : `<${target}>`}${dialog === 'made' ? '[peer_tag_param]' : ''}`,
      'Call-ID: [call_id]',
      `CSeq: ${sequence} ${method}`,
      'Contact: <sip:sipp@[local_ip]:[local_port];transport=[transport]>',
      'Max-Forwards: 70',
      ...lines,
    ],
    body,
    { type: options.type, repeated },
  );
}

/** SIPp answers the request it received last: `180 Ringing`. `tag`: a To tag for the first responses of a dialog; `fork` makes it another one. */
export function response(
  line: string,
  { tag = false, fork = '', lines = [], body = '', repeated = false, type, answers }: ResponseOptions = {},
): string {
  return send(
    [
      `SIP/2.0 ${line}`,
      '[last_Via:]',
      '[last_From:]',
      `[last_To:]${tag ? `;tag=${ownTag}${fork}` : ''}`,
      '[last_Call-ID:]',
      answers === undefined ? '[last_CSeq:]' : `CSeq: [last_cseq_number] ${answers}`,
      ...(tag && !lines.some((line) => line.startsWith('Contact:'))
        ? ['Contact: <sip:sipp@[local_ip]:[local_port];transport=[transport]>']
        : []),
      ...lines,
    ],
    body,
    { type, repeated },
  );
}

interface ResponseOptions {
  /** Method of the request it answers when a CANCEL of that came last. */
  readonly answers?: string;
  readonly tag?: boolean;
  readonly fork?: string;
  readonly lines?: readonly string[];
  readonly body?: string;
  readonly type?: string | undefined;
  readonly repeated?: boolean;
}

/** SIPp waits for one of these requests or responses: `INVITE`, `200`; those with a question mark may stay away. */
export function wait(...what: readonly string[]): string {
  return what
    .map((one) => {
      const name = one.replace('?', '');
      const kind = /^\d/.test(name) ? 'response' : 'request';
      const routes = ['INVITE', '180', '183', '200', 'SUBSCRIBE'].includes(name) ? ' rrs="true"' : '';
      return `<recv ${kind}="${name}"${one.endsWith('?') ? ' optional="true"' : ''}${routes}/>`;
    })
    .join('\n');
}

/** SIPp waits for the first request of a dialog and remembers both ends of it. */
export function learnDialog(method: string): string {
  const learn = (header: string, name: string): string => `<ereg regexp=".*" search_in="hdr" header="${header}:" assign_to="${name}"/>`;
  return `<recv request="${method}" rrs="true"><action>${learn('From', 'caller')}${learn('To', 'called')}</action></recv>\n<Reference variables="caller,called"/>`;
}

export function pause(milliseconds: number): string {
  return `<pause milliseconds="${milliseconds}"/>`;
}

function send(
  lines: readonly string[],
  body: string,
  { type = 'application/sdp', repeated }: { type?: string | undefined; repeated: boolean },
): string {
  const typed = body === '' || lines.some((line) => line.startsWith('Content-Type:')) ? [] : [`Content-Type: ${type}`];
  const head = [...lines, ...typed, 'Content-Length: [len]'].join('\n');
  return `<send${repeated ? ' retrans="500"' : ''}><![CDATA[\n${head}\n\n${body}\n]]></send>`;
}
