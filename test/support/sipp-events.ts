/** SIPp as the far end of event packages. */

/** Long enough for the phone to show it. */
const pause = '<pause milliseconds="700"/>';
const head = 'urn:ietf:params:xml:ns:dialog-info';

function document(version: number, scope: 'full' | 'partial', dialog: string): string {
  return `<?xml version="1.0"?>\n<dialog-info xmlns="${head}" version="${version}" state="${scope}" entity="sip:bob@127.0.0.1">\n${dialog}</dialog-info>`;
}

function dialog(state: string): string {
  return `<dialog id="d1" call-id="c1" local-tag="l1" remote-tag="r1" direction="recipient"><state>${state}</state></dialog>\n`;
}

function notify(sequence: number, body: string, state = 'active;expires=600'): string {
  return `<send retrans="500"><![CDATA[
NOTIFY [next_url] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
From: [$to];tag=[pid]bob[call_number]
To: [$from]
Call-ID: [call_id]
CSeq: ${sequence} NOTIFY
Contact: <sip:bob@[local_ip]:[local_port];transport=[transport]>
Max-Forwards: 70
Event: dialog
Subscription-State: ${state}
${body === '' ? '' : 'Content-Type: application/dialog-info+xml\n'}Content-Length: [len]

${body}
]]></send>
<recv response="200"/>`;
}

function granted(toTag: string, expires: number): string {
  return `<send><![CDATA[
SIP/2.0 200 OK
[last_Via:]
[last_From:]
[last_To:]${toTag}
[last_Call-ID:]
[last_CSeq:]
Contact: <sip:bob@[local_ip]:[local_port];transport=[transport]>
Expires: ${expires}
Content-Length: 0

]]></send>`;
}

const learn = ['From', 'To']
  .map((name) => `<ereg regexp=".*" search_in="hdr" header="${name}:" assign_to="${name.toLowerCase()}"/>`)
  .join('\n  ');

/** A line that is watched: it rests, rings, talks and rests, says nonsense once, and is let go. */
export const notifierScenario = `<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE scenario SYSTEM "sipp.dtd">
<scenario name="notifier">
<recv request="SUBSCRIBE" rrs="true">
  <action>
  ${learn}
  </action>
</recv>
${granted(';tag=[pid]bob[call_number]', 600)}
${notify(1, document(0, 'full', ''))}
${pause}
${notify(2, document(1, 'partial', dialog('early')))}
${pause}
${notify(3, document(2, 'partial', dialog('confirmed')))}
${pause}
${notify(4, '<dialog-info')}
${pause}
${notify(5, document(3, 'partial', dialog('terminated')))}
<recv request="SUBSCRIBE"/>
${granted('', 0)}
${notify(6, '', 'terminated;reason=timeout')}
</scenario>
`;
