/** Parameters that stay in the text they came in: one is found there by name, and all are read only for whoever goes through all. */
export abstract class UnreadParams implements ReadonlyMap<string, string> {
  abstract get(name: string): string | undefined;
  abstract has(name: string): boolean;
  /** Reads them all. */
  protected abstract all(): ReadonlyMap<string, string>;

  get size(): number {
    return this.all().size;
  }

  forEach(visit: (value: string, name: string, map: ReadonlyMap<string, string>) => void): void {
    for (const [name, value] of this.all()) visit(value, name, this);
  }

  entries(): MapIterator<[string, string]> {
    return this.all().entries();
  }

  keys(): MapIterator<string> {
    return this.all().keys();
  }

  values(): MapIterator<string> {
    return this.all().values();
  }

  [Symbol.iterator](): MapIterator<[string, string]> {
    return this.all().entries();
  }
}
