/** How hard a passphrase is to guess. A rough word for the one who chooses it, never a gate. */
export type Strength = 'weak' | 'fair' | 'good';

/** Bits that a guesser who knows words and habits needs for one run of like characters. */
function bitsOf(run: string): number {
  const letters = [...run.toLocaleLowerCase()];
  if (/^\d+$/.test(run)) return /^(19|20)\d\d$/.test(run) ? 7 : fresh(letters) * 3.3;
  // A word costs about as much as a choice of ten thousand, whatever its length.
  if (/^\p{L}+$/u.test(run)) return Math.min(fresh(letters) * 4.7, 13);
  return fresh(letters) * 4;
}

/** Characters that neither repeat the one before nor follow it: `aaaa` and `1234` are one. */
function fresh(characters: string[]): number {
  return characters.filter((character, at) => {
    const step = (character.codePointAt(0) ?? 0) - (characters[at - 1]?.codePointAt(0) ?? -9);
    return Math.abs(step) > 1;
  }).length;
}

/** Judges a passphrase; `known` are words anyone would try first, such as the name. */
export function strength(passphrase: string, known: readonly string[] = []): Strength {
  const expected = new Set(known.flatMap((words) => words.toLocaleLowerCase().split(/\s+/)));
  const seen = new Set<string>();
  let bits = 0;
  for (const run of passphrase.match(/\p{L}+|\d+|[^\p{L}\d\s]+/gu) ?? []) {
    const key = run.toLocaleLowerCase();
    bits += seen.has(key) || expected.has(key) ? 1 : bitsOf(run);
    seen.add(key);
  }
  return bits < 30 ? 'weak' : bits < 50 ? 'fair' : 'good';
}
