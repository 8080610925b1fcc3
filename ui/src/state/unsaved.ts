/** What is typed and saves itself a moment later; it is saved before the profile is locked. */
import type { Stop } from '../contract';

const savers = new Set<() => Promise<unknown>>();

/** Saves by this whenever everything has to be saved, until stopped. */
export function savesBy(save: () => Promise<unknown>): Stop {
  savers.add(save);
  return () => savers.delete(save);
}

/** Saves everything. What cannot be saved says so itself. */
export async function saveAll(): Promise<void> {
  await Promise.allSettled([...savers].map((save) => save()));
}
