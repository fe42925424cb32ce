import type { PhoneStatus } from '#firmware/contract/phone.ts';
import type { XmlElement } from '#firmware/core/xml-element.ts';
import { type DialogNews, dialogNewsOf, type SeenDialog } from '#firmware/sip/event/dialog-document.ts';
import { type Presence, presenceOf } from '#firmware/sip/event/presence-document.ts';

type WatchedStatus = PhoneStatus['watched'][number];

/** What one notifier has told of the calls of a line. */
interface Branch {
  version: number;
  readonly dialogs: Map<string, SeenDialog>;
}

const dialogsAtMost = 32;

/** Somebody else's line or person, as far as we are told. */
export class WatchedLine {
  /** Our line that watches. */
  readonly line: string;
  /** As the settings have it: what a person would dial. */
  readonly name: string;
  readonly kind: 'calls' | 'presence';
  readonly #branches = new Map<string, Branch>();
  #presence: Presence | undefined;
  #reason = '';

  constructor(line: string, name: string, kind: 'calls' | 'presence') {
    this.line = line;
    this.name = name;
    this.kind = kind;
  }

  /** A document that came; false if it is none of its kind. */
  take(branch: string, document: XmlElement): boolean {
    if (this.kind === 'presence') {
      const presence = presenceOf(document);
      this.#presence = presence ?? this.#presence;
      return presence !== undefined;
    }
    const news = dialogNewsOf(document);
    if (news) this.#takeCalls(branch, news);
    return news !== undefined;
  }

  /** The notifier is there but tells nothing yet. */
  takeNothing(branch: string): void {
    if (this.kind === 'calls' && !this.#branches.has(branch)) this.#branches.set(branch, { version: -1, dialogs: new Map() });
  }

  /** What that notifier told counts no longer. */
  lose(branch: string): void {
    this.#branches.delete(branch);
    this.#presence = undefined;
  }

  /** Why nothing is known; empty while it is. */
  explain(reason: string): void {
    this.#reason = reason;
  }

  get state(): WatchedStatus['state'] {
    if (this.kind === 'presence') return this.#presence ?? 'unknown';
    if (this.#branches.size === 0) return 'unknown';
    if (this.ringing) return 'ringing';
    return this.#dialogs.length > 0 ? 'busy' : 'idle';
  }

  /** The call that rings there. */
  get ringing(): SeenDialog | undefined {
    return this.#dialogs.find(({ state, direction }) => state === 'early' && direction !== 'initiator');
  }

  /** The call that is talked in there. */
  get conversation(): SeenDialog | undefined {
    return this.#dialogs.find(({ state }) => state === 'confirmed');
  }

  status(): WatchedStatus {
    const { line, name, kind, state } = this;
    const [dialog] = this.ringing ? [this.ringing] : this.#dialogs;
    const remote = dialog?.remote ? dialog.remote.displayName || dialog.remote.uri : null;
    return { line, name, kind, state, remote, reason: state === 'unknown' && this.#reason !== '' ? this.#reason : null };
  }

  get #dialogs(): readonly SeenDialog[] {
    return [...this.#branches.values()].flatMap(({ dialogs }) => [...dialogs.values()]);
  }

  /** RFC 4235 §3.8: a document that is older than the last is passed over. */
  #takeCalls(name: string, { version, full, dialogs, gone }: DialogNews): void {
    const branch = this.#branches.get(name) ?? { version: -1, dialogs: new Map<string, SeenDialog>() };
    if (version <= branch.version && version !== 0) return;
    branch.version = version;
    if (full) branch.dialogs.clear();
    for (const id of gone) branch.dialogs.delete(id);
    for (const dialog of dialogs) if (branch.dialogs.size < dialogsAtMost) branch.dialogs.set(dialog.id, dialog);
    this.#branches.set(name, branch);
  }
}
