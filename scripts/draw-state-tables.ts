import { pathToFileURL } from 'node:url';
import type { StateTable } from '#firmware/core/state-table.ts';
import { branchTable } from '#firmware/exchange/branch-table.ts';
import { alertTable } from '#firmware/phone/alert.ts';
import { callTable } from '#firmware/phone/call-table.ts';
import { doorTable } from '#firmware/phone/door.ts';
import { handsetTable } from '#firmware/phone/handset-table.ts';
import { negotiationTable } from '#firmware/phone/negotiation.ts';
import { awaitedAckTable } from '#firmware/sip/dialog/awaited-ack-table.ts';
import { incomingInviteTable } from '#firmware/sip/dialog/incoming-invite-table.ts';
import { inviteSessionTable } from '#firmware/sip/dialog/invite-session-table.ts';
import { notifierTable } from '#firmware/sip/dialog/notifier-table.ts';
import { offerExchangeTable } from '#firmware/sip/dialog/offer-exchange-table.ts';
import { outgoingInviteTable } from '#firmware/sip/dialog/outgoing-invite-table.ts';
import { reliableProvisionalTable } from '#firmware/sip/dialog/reliable-provisional-table.ts';
import { sentReferTable } from '#firmware/sip/dialog/sent-refer-table.ts';
import { sessionTimerTable } from '#firmware/sip/dialog/session-timer-table.ts';
import { subscriptionLegTable } from '#firmware/sip/dialog/subscription-leg-table.ts';
import { subscriptionTable } from '#firmware/sip/dialog/subscription-table.ts';
import { publicationTable } from '#firmware/sip/publication-table.ts';
import { registrationTable } from '#firmware/sip/registration-table.ts';
import { inviteClientTable } from '#firmware/sip/transaction/invite-client.ts';
import { inviteServerTable } from '#firmware/sip/transaction/invite-server.ts';
import { nonInviteClientTable } from '#firmware/sip/transaction/non-invite-client.ts';
import { nonInviteServerTable } from '#firmware/sip/transaction/non-invite-server.ts';

type AnyTable = StateTable<string, string, string, string>;

const heading = `# State machines

Drawn from the tables by \`node --import tsx scripts/draw-state-tables.ts\`; do not edit. An arrow bears the input and, after the slash, what is
done. A state lists the timers that run in it: entering it starts them, leaving it stops them.
`;

/** The tables of SIP, with the sections they follow; each ends in `terminated`. @internal */
export const drawnTables: ReadonlyMap<string, AnyTable> = new Map<string, AnyTable>([
  ['INVITE client transaction (RFC 3261 §17.1.1, RFC 6026 §7.2)', inviteClientTable],
  ['Non-INVITE client transaction (RFC 3261 §17.1.2)', nonInviteClientTable],
  ['INVITE server transaction (RFC 3261 §17.2.1, RFC 6026 §7.1)', inviteServerTable],
  ['Non-INVITE server transaction (RFC 3261 §17.2.2)', nonInviteServerTable],
  ['Registration (RFC 3261 §10.2)', registrationTable],
  ['Outgoing INVITE (RFC 3261 §13.2, §9.1)', outgoingInviteTable],
  ['Incoming INVITE (RFC 3261 §13.3, §9.2)', incomingInviteTable],
  ['Accepted call (RFC 3261 §13, §15)', inviteSessionTable],
  ['Offers within a call (RFC 3261 §14, RFC 3311)', offerExchangeTable],
  ['2xx that waits for its ACK (RFC 3261 §13.3.1.4)', awaitedAckTable],
  ['Reliable provisional response (RFC 3262 §3)', reliableProvisionalTable],
  ['Session timer (RFC 4028 §10)', sessionTimerTable],
  ['Subscription (RFC 6665 §4.1)', subscriptionTable],
  ['One dialog of a subscription (RFC 6665 §4.1.2)', subscriptionLegTable],
  ['Publication (RFC 3903 §4)', publicationTable],
  ['Subscription of a peer (RFC 6665 §4.2)', notifierTable],
  ['REFER of ours (RFC 3515 §2.4.4)', sentReferTable],
]);

/** The tables of the phone; all but a call come back to rest. An incoming call begins in `offered`. @internal */
export const phoneTables: ReadonlyMap<string, AnyTable> = new Map<string, AnyTable>([
  ['Call', callTable],
  ['Offers of a call as the phone wishes them', negotiationTable],
  ['Handset', handsetTable],
  ['Door', doorTable],
  ['Alert', alertTable],
]);

const exchangeTables: ReadonlyMap<string, AnyTable> = new Map<string, AnyTable>([
  ['Branch of a forked request (RFC 3261 §16.6 to §16.10)', branchTable],
]);

/** docs/state-machines.md. @internal */
export function stateMachinesPage(): string {
  const sections = [...drawnTables, ...phoneTables, ...exchangeTables].map(
    ([title, table]) => `## ${title}\n\n\`\`\`mermaid\n${drawTable(table)}\`\`\`\n`,
  );
  return [heading, ...sections].join('\n');
}

/** A Mermaid state diagram; the first state is the one a machine begins in. */
function drawTable(table: AnyTable): string {
  const lines = ['stateDiagram-v2', `  [*] --> ${Object.keys(table)[0]}`];
  for (const [state, { timers, on }] of Object.entries(table)) {
    if (timers.length > 0) lines.push(`  ${state}: ${state} (timers ${timers.join(', ')})`);
    for (const [input, transition] of Object.entries(on)) {
      if (!transition) continue;
      const actions = transition.do.length > 0 ? ` / ${transition.do.join(', ')}` : '';
      lines.push(`  ${state} --> ${transition.to}: ${input}${actions}`);
    }
    if (Object.keys(on).length === 0) lines.push(`  ${state} --> [*]`);
  }
  return `${lines.join('\n')}\n`;
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) process.stdout.write(stateMachinesPage());
