/** Folders and files dropped while another batch was shown; the new batch takes them. */
export const dropped = $state<{ paths: string[] }>({ paths: [] });

/** Where results of some inputs would go: beside the first, under a name of its own. */
export function outFor(input: string): string {
  return input === '' ? '' : `${input.replace(/[\\/]+$/, '')}-artel`;
}
