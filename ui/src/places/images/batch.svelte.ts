/** What is shown of the batches, and the new one that is being put together: it waits while another place is shown. */
interface Begun {
  /** The batch that is shown. */
  chosen: number | undefined;
  /** Whether the new one is shown instead. */
  making: boolean;
  inputs: string[];
  /** The recipe that was chosen; else the first. */
  recipe: string | undefined;
  /** The folder for results, where another than the usual one is typed. */
  out: string | undefined;
  backend: 'auto' | 'cpu' | 'gpu';
}

const nothing = (): Begun => ({
  chosen: undefined,
  making: false,
  inputs: [],
  recipe: undefined,
  out: undefined,
  backend: 'auto',
});

export const batch = $state<Begun>(nothing());

/** Takes folders and files into the new batch. */
export function takeInto(paths: string[]): void {
  batch.inputs = [...new Set([...batch.inputs, ...paths])];
  batch.making = true;
}

/** The new batch was started under this number; the next one begins empty. */
export function started(job: number): void {
  Object.assign(batch, nothing(), { chosen: job });
}

/** Forgets all, when the profile is locked. */
export function forgetBatch(): void {
  Object.assign(batch, nothing());
}

/** Where results of some inputs would go: beside the first, under a name of its own. */
export function outFor(input: string): string {
  return input === '' ? '' : `${input.replace(/[\\/]+$/, '')}-artel`;
}
