import { complain } from './notices.svelte';

/**
 * Imports of files, one after another: what is handed over meanwhile waits for its turn. The report stays until it is
 * put away, also while another place is shown.
 */
export class Importing<File extends { path: string }> {
  busy = $state(false);
  /** What became of each file; nothing while there is no report. */
  files = $state.raw<File[]>();
  readonly #run: (paths: string[], skip: boolean) => Promise<File[]>;
  readonly #after: (files: File[]) => Promise<void>;
  #waiting: { paths: string[]; skip: boolean }[] = [];
  #turn = 0;

  constructor(
    run: (paths: string[], skip: boolean) => Promise<File[]>,
    after: (files: File[]) => Promise<void> = () => Promise.resolve(),
  ) {
    this.#run = run;
    this.#after = after;
  }

  /** Imports files, without their bad rows if asked to. */
  async take(paths: string[], skip = false): Promise<void> {
    this.#waiting.push({ paths, skip });
    if (this.busy) return;
    const turn = this.#turn;
    this.busy = true;
    let report: File[] | undefined;
    for (let next = this.#waiting.shift(); next; next = this.#waiting.shift()) {
      try {
        const files = await this.#run(next.paths, next.skip);
        if (turn !== this.#turn) return;
        const again = new Set(files.map(({ path }) => path));
        report = [...(report ?? []).filter(({ path }) => !again.has(path)), ...files];
        this.files = report;
        await this.#after(files);
      } catch (reason) {
        if (turn === this.#turn) complain(reason);
      }
      if (turn !== this.#turn) return;
    }
    this.busy = false;
  }

  /** Puts the report away. */
  close(): void {
    this.files = undefined;
  }

  /** Forgets all, when the profile is locked; an answer under way belongs to nobody. */
  forget(): void {
    this.#turn += 1;
    this.#waiting = [];
    this.busy = false;
    this.files = undefined;
  }
}
