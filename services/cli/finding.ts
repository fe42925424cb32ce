/** One thing that is wrong, or worth knowing when `trouble` is false. */
export interface Finding {
  /** For programs, such as `daemon-down`. */
  readonly kind: string;
  readonly trouble: boolean;
  readonly what: string;
  readonly mend: string;
}

export function trouble(kind: string, what: string, mend: string): Finding {
  return { kind, trouble: true, what, mend };
}

export function hint(kind: string, what: string, mend: string): Finding {
  return { kind, trouble: false, what, mend };
}
