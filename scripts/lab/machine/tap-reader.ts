/** What the test run has come to so far, and the lines of it that a person wants to read. */
export interface Outcome {
  readonly passed: number;
  readonly failed: number;
  readonly said: readonly string[];
}

/** What a test that prints TAP comes to: assertions by its own totals, the text of what failed, and comments at the top. */
export class TapReader {
  readonly #said: string[] = [];
  #totals: { passed: number; failed: number } | undefined;
  #telling = false;

  read(line: string): void {
    const totals = /^# \{ total: \d+, pass: (\d+)(?:, fail: (\d+))?/.exec(line);
    if (totals) this.#totals = { passed: Number(totals[1]), failed: Number(totals[2] ?? 0) };
    if (/^\s*not ok/.test(line)) this.#telling = true;
    else if (/^\s*(?:ok|# Subtest)/.test(line)) this.#telling = false;
    const isComment = /^ *# (?!Subtest|time=|\{|test count|failed )/.test(line);
    if (isComment || this.#telling || !/^\s*(?:ok|#|\d+\.\.|TAP|\{|\}|$)/.test(line)) this.#said.push(line);
  }

  outcome(status: number): Outcome {
    const { passed, failed } = this.#totals ?? { passed: 0, failed: 0 };
    const broken = (status !== 0 && failed === 0) || passed === 0;
    return { passed, failed: broken ? failed + 1 : failed, said: broken ? [...this.#said, `it ended with status ${status}`] : this.#said };
  }
}
