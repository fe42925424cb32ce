import type { SipUri } from './message/uri.ts';
import type { Transport } from './transport/flow.ts';

/** The name of a line, such as `main`. */
export type AccountId = string;

export type AccountTransport = Transport;

export type AccountKeepAlive = 'auto' | 'stun' | 'crlf' | 'off';

/** What the user agent needs to know to act for one address of record. */
export interface Account {
  readonly id: AccountId;
  /** The address of record: `sip:alice@example.org`. */
  readonly aor: SipUri;
  readonly displayName?: string | undefined;
  /** Without one the account never registers (direct calls between addresses). Requests of the account go there or to `outboundProxy`. */
  readonly registrar?: SipUri | undefined;
  readonly outboundProxy?: SipUri | undefined;
  /** Tried in order when the server above does not answer: outbound proxies when there is one, else registrars. */
  readonly alternatives?: readonly SipUri[] | undefined;
  /** Used where a URI does not name its transport; without it DNS says which the server prefers (RFC 3263), else it is UDP. */
  readonly transport?: AccountTransport | undefined;
  readonly credentials?: Credentials | undefined;
  /** True: dialogs know us by the GRUU that the registrar gives (RFC 5627). Its proxies must know what to do with one. */
  readonly gruu?: boolean | undefined;
  /** The user of our Contact, such as a process that died had; random unless told. */
  readonly contactUser?: string | undefined;
  /** True: asks the registrar to tell what becomes of the registration (RFC 3680). */
  readonly watchRegistration?: boolean | undefined;
  /**
   * RFC 5626: registrations at once, each by another of the servers above; 1 unless told. All of them are for the same address of record, and
   * calls find us by any of them.
   */
  readonly flows?: number | undefined;
  /** How NATs on the way to a server reached by UDP are kept open; `auto`, also without it: by STUN where there is one. */
  readonly keepAlive?: AccountKeepAlive | undefined;
  /**
   * Who may have us call somebody by a REFER outside any call, such as a click on a page of the exchange: the servers of the account, or those
   * of them that know its password; nobody unless told.
   */
  readonly acceptRefer?: 'server' | 'authenticated' | undefined;
  /** How long a registration is asked to live, in seconds. */
  readonly expires: number;
}

/** A user name and a password for digest authentication; never in logs. */
export interface Credentials {
  readonly username: string;
  readonly password: string;
}
