import { CallError } from '../contract';

/** How long nothing is shown before a skeleton appears, in milliseconds. */
export const patience = 200;

/**
 * Something asked for from outside, with the states a view draws: nothing yet, slow, failed, here.
 * What was here stays while it is asked for again; an answer that was overtaken is dropped.
 */
export class Query<T> {
  data = $state.raw<T>();
  error = $state.raw<CallError>();
  slow = $state(false);
  busy = $state(false);
  readonly #load: () => Promise<T>;
  #turn = 0;
  #again = false;

  constructor(load: () => Promise<T>) {
    this.#load = load;
  }

  /** Asks again. */
  async reload(): Promise<void> {
    const turn = ++this.#turn;
    this.busy = true;
    const timer = setTimeout(() => {
      if (turn === this.#turn && this.data === undefined) this.slow = true;
    }, patience);
    try {
      const data = await this.#load();
      if (turn === this.#turn) {
        this.data = data;
        this.error = undefined;
      }
    } catch (reason) {
      if (turn === this.#turn) this.error = CallError.from(reason);
    } finally {
      clearTimeout(timer);
      if (turn === this.#turn) {
        this.slow = false;
        this.busy = false;
      }
    }
  }

  /** Asks again soon; calls in between are one. */
  refresh(): void {
    if (this.#again) return;
    this.#again = true;
    setTimeout(() => {
      this.#again = false;
      void this.reload();
    }, 50);
  }

  /** Forgets everything, also an answer under way. */
  clear(): void {
    this.#turn += 1;
    this.data = undefined;
    this.error = undefined;
    this.slow = false;
    this.busy = false;
  }
}
