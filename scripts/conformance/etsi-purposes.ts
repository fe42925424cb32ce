/** Purposes of ETSI TS 102 027-2 that cite the same sections, and the tests that show what those sections ask; or why none does. */
export interface PurposeGroup {
  /** `SIP_CC_OE_CE_TI 1-7`: function and numbers, as many as there are. */
  readonly purposes: string;
  /** What the purposes cite of RFC 3261. */
  readonly sections: string;
  /** Titles of tests, in full. */
  readonly tests?: readonly string[];
  /** What of it no test shows. */
  readonly open?: string;
  /** Why it is nothing for this device, or void in the document. */
  readonly absent?: string;
}

const timerA = '§17.1.1.2 timer A doubles until timer B gives up';
const provisionalEnds = '§17.1.1.2 a provisional response ends the retransmissions and the patience';
const timerE = '§17.1.2.2 timer E doubles up to T2 until timer F gives up';
const timerESlow = '§17.1.2.2 after a provisional response timer E goes on at T2, and timer F still gives up';
const timerK = '§17.1.2.2 a final response is told once; timer K swallows the rest';
const reliableTimers = 'Table 4: over a reliable transport timers D, I, J and K are zero';
const reliableOnce = '§17.1.1.2 over a reliable transport the INVITE goes out once, and timer B gives up all the same';
const timerD = '§17.1.1.2 a refusal is acknowledged each time it comes until timer D, and told once';
const ackAgain = 'RFC 3261 §13.2.2.4 a repeated 2xx gets its ACK again, also when the transaction is long over';
const secondFork = 'RFC 3261 §13.2.2.4 a second 2xx from another branch of a fork: ACK and BYE, the call untouched';
const wholeCall = 'RFC 3261 §13 a call rings, is accepted, confirmed and ended by the caller';
const redirection = 'RFC 3261 §8.1.3.4 a redirection is told with its Contacts, the best first; Retry-After and Warning travel';
const requestForm = '§8.1.1 a request has what every request must have, in this order';
const branches = '§8.1.1.7 branches begin with the cookie and differ';
const ackOfRefusal = '§17.1.1.3 the ACK of a refusal goes the way of the INVITE';
const timerG = '§17.2.1 timer G repeats a refusal up to every T2 until timer H gives up';
const timerH = '§17.2.1 over a reliable transport a refusal goes out once, and timer H waits for the ACK';
const timerI = '§17.2.1 the ACK ends the repeating; timer I swallows further ones';
const noAck = 'RFC 3261 §13.3.1.4 a 2xx whose ACK never comes is repeated for 64·T1, then ended with BYE';
const timerJ = '§17.2.2 a response is repeated for each retransmission until timer J';
const repeatedInvite = '§17.2.3 a repeated INVITE gets the same answer and makes no second call';
const keys = '§17.2.3 branch, sent-by and method make a server transaction';
const clientKeys = '§17.1.3 branch and the method of CSeq make a client transaction';
const responses = '§8.2.6 a response copies Via, From, To, Call-ID and CSeq, and Record-Route where a dialog begins';
const inDialog = 'RFC 3261 §12.2.2 requests in a dialog: lower CSeq 500, unknown method 405, OPTIONS 200, NOTIFY 481, Require 420';
const looseRoutes = 'RFC 3261 §12.2.1.1 loose routes: target in the request-URI, all routes in order';
const strictRoutes = 'RFC 3261 §12.2.1.1 a strict first route takes the request-URI, the target goes last';
const cancelRinging = 'RFC 3261 §9.1 a CANCEL while it rings ends in 487 on both sides';
const cancelWaits = 'RFC 3261 §9.1 a CANCEL waits for the first provisional response';
const cancelForm = '§9.1 a CANCEL is like its INVITE, without tag, credentials and body';
const cancelFinds = '§9.2 a CANCEL finds its INVITE';
const cancelLate = '§9.2 a CANCEL that comes after the final response gets 200 with the same tag and changes nothing';
const reInvite = 'RFC 3261 §14 a re-INVITE offers, is answered and acknowledged, from either side';
const secondReInvite = 'RFC 3261 §14.2 a second re-INVITE while one is unanswered gets 500 with Retry-After';
const proxyAnswered = 'RFC 3261 §22 a proxy of the account is answered in calls, a peer that asks for a password is not';
const ownVectors = 'every message of our own gets the verdict it must';
const uriParts = '§19.1.1 the parts of a SIP URI are read with their escapes undone';
const compactForms = '§7.3 compact, folded and spaced headers say the same as plain ones';
const optionsTell = '§11.2 OPTIONS tells what we can do';
const merged = '§8.2.2.2 the same request by two paths: the second is merged, 482';
const registered = 'RFC 3261 §10.2 a challenge is answered with the strongest algorithm and the account is registered';
const refreshed = 'RFC 3261 §10.2.4 a binding is refreshed before it expires, for as long as time lasts, with the known nonce';
const wrongPassword = 'RFC 3261 §22.2 wrong credentials are not sent again; a stale nonce gets one more try';
const viaStamp = '§18.2.1 the source of a request is noted in its Via, whatever its sender wrote there';
const torture = 'RFC 4475 and RFC 5118: every message gets one of the verdicts it may';
const unknownRequire = '§8.2.2.3 an unsupported Require: 420 with Unsupported';
const unknownStatus = 'RFC 3261 §8.1.3.2 a provisional response and a refusal that nobody knows do as the known ones of their class';
const dialogForm = 'RFC 3261 §13 a call rings, is accepted, confirmed and ended by the caller';

/** In the order of the document; registrars, proxies and redirect servers are other devices. */
export const purposeGroups: readonly PurposeGroup[] = [
  { purposes: 'SIP_CC_OE_CE_TI 1-7', sections: '17.1.1.1, annex A', tests: [timerA, provisionalEnds, timerD] },
  { purposes: 'SIP_CC_OE_CE_TI 8-10', sections: '17.1.1.1, annex A', tests: [reliableOnce, reliableTimers] },
  { purposes: 'SIP_CC_OE_CE_TI 11-12', sections: '13.2.2.4, annex A', tests: [ackAgain, secondFork] },
  { purposes: 'SIP_CC_OE_CE_V 1-6', sections: '8.1.1 to 8.1.1.6', tests: [requestForm] },
  { purposes: 'SIP_CC_OE_CE_V 7', sections: '8.1.1.7', tests: [branches] },
  { purposes: 'SIP_CC_OE_CE_V 8', sections: '13.2.1', open: 'INVITE is sent without Expires' },
  { purposes: 'SIP_CC_OE_CE_V 9-12', sections: '8.1.3.2, 13.2.2.1', tests: [wholeCall, provisionalEnds, unknownStatus] },
  { purposes: 'SIP_CC_OE_CE_V 13-14', sections: '12.2.1.1, 13.2.2.4', tests: [wholeCall, ackAgain] },
  { purposes: 'SIP_CC_OE_CE_V 15', sections: '8.1.3.3', tests: ['§8.1.3.3 a response with several Vias is not ours and is discarded'] },
  { purposes: 'SIP_CC_OE_CE_V 16-23', sections: '12.2.1.1, 13.2.2.4', tests: [wholeCall, looseRoutes, strictRoutes, ackAgain] },
  { purposes: 'SIP_CC_OE_CE_V 24-28', sections: '13.2.2.2, 17.1.1.2, 17.1.1.3', tests: [ackOfRefusal, redirection] },
  {
    purposes: 'SIP_CC_OE_CE_V 29-31',
    sections: '8.1.3.4',
    tests: [redirection],
    open: 'the phone decides, the user agent does not recurse',
  },
  { purposes: 'SIP_CC_OE_CE_V 32-42', sections: '13.2.2.3, 17.1.1.2, 17.1.1.3', tests: [timerD, ackOfRefusal, unknownStatus] },
  {
    purposes: 'SIP_CC_OE_CE_V 43',
    sections: '21.3.3, 12.2.1',
    tests: [redirection],
    open: 'the phone decides, the user agent does not recurse',
  },
  { purposes: 'SIP_CC_OE_CE_V 44-49', sections: '13.2.1, 20.14, 20.15, 7.4', tests: [requestForm, wholeCall] },
  { purposes: 'SIP_CC_OE_CE_V 50-53', sections: '8.1.3.5, 22.2', tests: [proxyAnswered, wrongPassword] },
  { purposes: 'SIP_CC_OE_CR_I 1', sections: '9, 16.10', tests: [cancelForm] },
  { purposes: 'SIP_CC_OE_CR_TI 1-3', sections: '17.1.2.2, 17.1.3, annex A', tests: [timerE, timerESlow] },
  { purposes: 'SIP_CC_OE_CR_TI 4', sections: '17.1.3, annex A', tests: [reliableTimers] },
  { purposes: 'SIP_CC_OE_CR_TI 5-6', sections: '17.1.3, annex A', tests: [timerK, clientKeys] },
  { purposes: 'SIP_CC_OE_CR_TI 7', sections: '17.1.3, annex A', tests: [reliableTimers] },
  { purposes: 'SIP_CC_OE_CR_TI 8', sections: '17.1.3, 9.1', tests: ['§9.1 a cancelled INVITE is given up when no final response comes'] },
  { purposes: 'SIP_CC_OE_CR_V 1-9', sections: '12.2.1.1, 15, 15.1.1', tests: [wholeCall, looseRoutes, strictRoutes] },
  { purposes: 'SIP_CC_OE_CR_V 10-15', sections: '15, 9.1', tests: [cancelRinging, cancelWaits, cancelForm] },
  { purposes: 'SIP_CC_OE_SM_V 1-2', sections: '14.2', tests: [reInvite, secondReInvite] },
  { purposes: 'SIP_CC_TE_CE_I 1-2', sections: '17.2.3, 8.2.2.3', tests: [unknownRequire, keys] },
  { purposes: 'SIP_CC_TE_CE_TI 1-8', sections: '17.2.1, annex A', tests: [timerG, timerH, timerI] },
  { purposes: 'SIP_CC_TE_CE_TI 9-12', sections: '13.3.1.4, annex A', tests: [noAck] },
  { purposes: 'SIP_CC_TE_CE_V 1', sections: '8, 8.2, 13.3.1.1', tests: [wholeCall] },
  { purposes: 'SIP_CC_TE_CE_V 2-3', sections: '8.2.2.1', tests: ['§8.2.2.1 a scheme of its own: 416', 'an unknown user: 404'] },
  {
    purposes: 'SIP_CC_TE_CE_V 4',
    sections: '8, 8.2.6.1',
    tests: ['RFC 3261 §17.2.1 a callee that takes its time sends 100 within 200 ms'],
  },
  { purposes: 'SIP_CC_TE_CE_V 5', sections: '13.3.1', tests: ['Expires of an INVITE ends the ringing'] },
  {
    purposes: 'SIP_CC_TE_CE_V 6-8',
    sections: '13.2.1, 13.3.1',
    tests: [wholeCall, 'RFC 3264 §5 an INVITE without an offer: ours in the 200, their answer in the ACK'],
  },
  { purposes: 'SIP_CC_TE_CE_V 9', sections: '13.2.1, 13.3.1, 20.11', tests: ['RFC 3261 §20.11 handling is required unless it is said'] },
  {
    purposes: 'SIP_CC_TE_CE_V 10-12',
    sections: '8.2.3, 21.4.13, 20.11',
    tests: [
      '§8.2.3 an unknown Content-Type: 415 with Accept',
      '§8.2.3 an unknown Content-Encoding: 415 with Accept-Encoding',
      'RFC 3261 §20.11 handling is required unless it is said',
    ],
  },
  { purposes: 'SIP_CC_TE_CE_V 13', sections: '13.3.1.3, 21.4.13', tests: ['an INVITE with an unusable offer'] },
  { purposes: 'SIP_CC_TE_CE_V 14-16', sections: '8.2.6.2, 12.2.2, 13.3.1', tests: [responses] },
  { purposes: 'SIP_CC_TE_CE_V 17-20', sections: '12.1.1', tests: [responses, dialogForm] },
  { purposes: 'SIP_CC_TE_CE_V 21', sections: '13.3.1.4', tests: [noAck] },
  { purposes: 'SIP_CC_TE_CE_V 22-27', sections: '17.2.1, 17.2.3', tests: [repeatedInvite, timerG, keys] },
  { purposes: 'SIP_CC_TE_CE_V 28-30', sections: '8.2.2.2, 17.2.1, 17.2.3', tests: [merged] },
  { purposes: 'SIP_CC_TE_CE_V 31', sections: '8.2.2.3', tests: [unknownRequire] },
  { purposes: 'SIP_CC_TE_CE_V 32-33', sections: '17.2.3.1, 13.3.1.4', tests: [noAck, keys] },
  { purposes: 'SIP_CC_TE_CE_V 34-36', sections: '22.2', absent: 'a phone asks nobody for a password' },
  { purposes: 'SIP_CC_TE_CR_I 1', sections: '12.2.2', tests: [inDialog] },
  { purposes: 'SIP_CC_TE_CR_I 2-3', sections: '8.2.2.3', tests: [inDialog] },
  { purposes: 'SIP_CC_TE_CR_I 4', sections: '9.2, 15.1.2', tests: ['§9.2 CANCEL of nothing: 481'] },
  { purposes: 'SIP_CC_TE_CR_I 5', sections: '15.1.2', tests: ['§15.1.2 BYE outside a dialog: 481'] },
  { purposes: 'SIP_CC_TE_CR_TI 1', sections: '17.2.2, annex A', tests: [timerJ] },
  {
    purposes: 'SIP_CC_TE_CR_V 1-6',
    sections: '15, 15.1.2, 8.2.2, 8.2.6.2',
    tests: [wholeCall, 'RFC 3261 §15.1 a BYE in an early dialog: 200, and 487 to the INVITE'],
  },
  { purposes: 'SIP_CC_TE_CR_V 7-8', sections: '15.1.2', tests: ['§15.1.2 BYE outside a dialog: 481', 'BYE without a tag: 481'] },
  { purposes: 'SIP_CC_TE_CR_V 9', sections: '12.2.2', tests: [inDialog] },
  { purposes: 'SIP_CC_TE_CR_V 10-14', sections: '12.2.1.1', tests: [looseRoutes, strictRoutes] },
  { purposes: 'SIP_CC_TE_CR_V 15-17', sections: '9.2', tests: [cancelRinging, cancelFinds, cancelLate] },
  { purposes: 'SIP_CC_TE_CR_V 18-19', sections: '9.2, 17.2.3', tests: [cancelFinds, '§9.2 CANCEL of nothing: 481'] },
  { purposes: 'SIP_CC_TE_CR_V 20-21', sections: '17.2.3, 17.2.2, 15.1.2', tests: [timerJ, keys] },
  { purposes: 'SIP_CC_TE_CR_V 22', sections: '', absent: 'void' },
  { purposes: 'SIP_CC_TE_SM_I 1', sections: '14.2', tests: [secondReInvite] },
  { purposes: 'SIP_CC_TE_SM_V 1-3', sections: '14', tests: [reInvite, 'RFC 3261 §14.1 a refused re-INVITE leaves the call as it was'] },
  { purposes: 'SIP_MG_OE_I 1-7', sections: '19.1.1', tests: [torture, ownVectors, 'what is no URI is refused'] },
  { purposes: 'SIP_MG_OE_I 8', sections: '7.3.2, table 2', tests: [ownVectors] },
  { purposes: 'SIP_MG_OE_I 9-10', sections: '18.3', tests: [ownVectors] },
  { purposes: 'SIP_MG_OE_V 1-2, 8-10', sections: '19.1.1', tests: [uriParts] },
  { purposes: 'SIP_MG_OE_V 3-4', sections: '7.2', tests: [ownVectors] },
  { purposes: 'SIP_MG_OE_V 5-7, 12-14', sections: '7.3.1, 7.3.3', tests: [compactForms] },
  { purposes: 'SIP_MG_OE_V 11', sections: '8.2.2', tests: [ownVectors] },
  {
    purposes: 'SIP_MG_OE_V 15',
    sections: '18.1.1',
    tests: ['§18.1.1 a request above 1300 octets goes by TCP, its Via too; a short one by UDP'],
  },
  { purposes: 'SIP_MG_RT_I 1-5', sections: '19.1.1, table 2', tests: [ownVectors, torture] },
  { purposes: 'SIP_MG_RT_V 1-8', sections: '19.1.1, 7.2, 7.3.1, 25.1, 7.3.3, 7.5', tests: [uriParts, ownVectors, compactForms] },
  { purposes: 'SIP_MG_TE_I 1-8', sections: '7.1, 19.1.1, 21.4.1, 7.3.2, 18.3', tests: [ownVectors, torture] },
  { purposes: 'SIP_MG_TE_V 1-5', sections: '19.1.1', tests: [uriParts] },
  {
    purposes: 'SIP_MG_TE_V 6-7',
    sections: '8.2.1, 8.2.2',
    tests: ['§21.5.2 a method that nobody knows: 501, with Allow', '§8.2.1 REGISTER to a phone: 405'],
  },
  { purposes: 'SIP_MG_TE_V 8-13, 15', sections: '7.3.1, 7.3.3, 7.5', tests: [compactForms, ownVectors] },
  { purposes: 'SIP_MG_TE_V 14', sections: '18.1.1', tests: [viaStamp] },
  { purposes: 'SIP_QC_OE_TI 1-7', sections: '17.1.2.2, 17.1.3', absent: 'the phone sends no OPTIONS' },
  { purposes: 'SIP_QC_OE_V 1-5, 7-15', sections: '11, 8.1.1, 22.2', absent: 'the phone sends no OPTIONS' },
  { purposes: 'SIP_QC_TE_V 1-7', sections: '11.2, 8.2, 8.2.6.2', tests: [optionsTell, responses] },
  { purposes: 'SIP_QC_TE_V 8-10', sections: '11, 22.2', absent: 'a phone asks nobody for a password' },
  { purposes: 'SIP_RG_RT_TI 1-3, 5-6', sections: '17.1.2.2, 17.1.3', tests: [timerE, timerESlow, timerK] },
  { purposes: 'SIP_RG_RT_TI 4, 7', sections: '17.1.3', tests: [reliableTimers] },
  { purposes: 'SIP_RG_RT_V 1-2, 8-11', sections: '10.2, 10.3', tests: [registered, refreshed] },
  { purposes: 'SIP_RG_RT_V 3', sections: '10.2.6', tests: ['an outbound proxy gets the REGISTER, with a route to itself'] },
  {
    purposes: 'SIP_RG_RT_V 4-5',
    sections: '10.2.6',
    absent: 'the registrar is a setting: neither from the address of record nor by multicast',
  },
  { purposes: 'SIP_RG_RT_V 6', sections: '', absent: 'void' },
  { purposes: 'SIP_RG_RT_V 7, 18-20', sections: '8.1.3.5, 22.2', tests: [registered, wrongPassword] },
  { purposes: 'SIP_RG_RT_V 12', sections: '10.2.4', tests: [refreshed] },
  { purposes: 'SIP_RG_RT_V 13', sections: '10.2.2', tests: ['RFC 3261 §10.2.2 stop takes the binding away and says when that is done'] },
  { purposes: 'SIP_RG_RT_V 14-15', sections: '10.2.1, 10.2.1.1', tests: [refreshed] },
  { purposes: 'SIP_RG_RT_V 16-17', sections: '10.2.1.2, 10.2.5', absent: 'one Contact without preference; the clock is not set by SIP' },
];

/** The identifiers of a group: `SIP_RG_RT_V_007` for `SIP_RG_RT_V 7`. */
export function idsOf({ purposes }: PurposeGroup): string[] {
  const space = purposes.indexOf(' ');
  return purposes
    .slice(space + 1)
    .split(', ')
    .flatMap((range) => {
      const [first = 0, last = first] = range.split('-').map(Number);
      return Array.from(
        { length: last - first + 1 },
        (_, offset) => `${purposes.slice(0, space)}_${String(first + offset).padStart(3, '0')}`,
      );
    });
}
