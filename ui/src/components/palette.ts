/** How well a query fits a text: 0 not at all; whole starts beat word starts beat scattered letters. */
export function fit(query: string, text: string): number {
  const wanted = query.trim().toLocaleLowerCase();
  if (wanted === '') return 1;
  const here = text.toLocaleLowerCase();
  if (here.startsWith(wanted)) return 4;
  if (here.split(/[\s\-_/.]+/).some((word) => word.startsWith(wanted))) return 3;
  if (here.includes(wanted)) return 2;
  let at = 0;
  for (const letter of wanted) {
    at = here.indexOf(letter, at) + 1;
    if (at === 0) return 0;
  }
  return 1;
}

/** The best entries for a query, in their own order where they fit equally well. */
export function best<T>(
  query: string,
  entries: readonly T[],
  textOf: (entry: T) => string,
  most: number,
): T[] {
  return entries
    .map((entry) => ({ entry, score: fit(query, textOf(entry)) }))
    .filter(({ score }) => score > 0)
    .toSorted((a, b) => b.score - a.score)
    .slice(0, most)
    .map(({ entry }) => entry);
}
