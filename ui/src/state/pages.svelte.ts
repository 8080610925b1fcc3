import { CallError } from '../contract';

/** One page of a long list and how long the whole list is. */
export interface PageOf<T> {
  rows: T[];
  total: number;
}

/** How many pages are kept; the ones not looked at longest are dropped. */
const kept = 40;

/** A list too long to hold: pages are asked for as they come into sight, and old ones forgotten. */
export class Pages<T> {
  total = $state(0);
  error = $state.raw<CallError>();
  loaded = $state(false);
  #pages = $state.raw<ReadonlyMap<number, T[]>>(new Map());
  readonly #size: number;
  readonly #load: (offset: number, limit: number) => Promise<PageOf<T>>;
  readonly #asked = new Set<number>();
  #sight: [number, number] = [0, 1];
  #turn = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(size: number, load: (offset: number, limit: number) => Promise<PageOf<T>>) {
    this.#size = size;
    this.#load = load;
  }

  /** A row, once it is here. */
  row(at: number): T | undefined {
    return this.#pages.get(Math.floor(at / this.#size))?.[at % this.#size];
  }

  /** Asks for the pages of these rows that are not here. */
  need(from: number, to: number): void {
    this.#sight = [from, Math.max(from + 1, to)];
    for (const page of this.#inSight()) {
      if (!this.#pages.has(page)) void this.#fetch(page);
    }
  }

  /** Forgets everything and starts at the beginning. */
  restart(): void {
    this.#turn += 1;
    this.#asked.clear();
    this.#pages = new Map();
    this.total = 0;
    this.loaded = false;
    this.error = undefined;
    this.#sight = [0, 1];
    void this.#fetch(0);
  }

  /** Asks again, soon, for what is in sight; the rest is forgotten. */
  refresh(): void {
    if (this.#timer !== undefined) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      const seen = new Set(this.#inSight());
      this.#pages = new Map([...this.#pages].filter(([page]) => seen.has(page)));
      for (const page of seen) void this.#fetch(page);
    }, 300);
  }

  #inSight(): number[] {
    const first = Math.floor(this.#sight[0] / this.#size);
    const last = Math.floor((this.#sight[1] - 1) / this.#size);
    return Array.from({ length: last - first + 1 }, (_, at) => first + at);
  }

  async #fetch(page: number): Promise<void> {
    if (this.#asked.has(page)) return;
    this.#asked.add(page);
    const turn = this.#turn;
    try {
      const { rows, total } = await this.#load(page * this.#size, this.#size);
      if (turn !== this.#turn) return;
      const pages = new Map(this.#pages);
      pages.delete(page);
      pages.set(page, rows);
      for (const old of pages.keys()) {
        if (pages.size <= kept) break;
        pages.delete(old);
      }
      this.#pages = pages;
      this.total = total;
      this.loaded = true;
      this.error = undefined;
    } catch (reason) {
      if (turn === this.#turn) this.error = CallError.from(reason);
    } finally {
      if (turn === this.#turn) this.#asked.delete(page);
    }
  }
}
