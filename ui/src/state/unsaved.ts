/** What is typed and saves itself a moment later; it is saved before the profile is locked. */
import type { Stop } from '../contract';

/** Something that saves itself. */
export interface Saver {
  save: () => Promise<unknown>;
  /** What it is called, while it holds what is not saved. */
  left: () => string | undefined;
}

const savers = new Set<Saver>();

/** Saves by this whenever everything has to be saved, until stopped. */
export function savesBy(saver: Saver): Stop {
  savers.add(saver);
  return () => savers.delete(saver);
}

/** Saves everything; what could not be saved, by name. */
export async function saveAll(): Promise<string[]> {
  await Promise.allSettled([...savers].map(({ save }) => save()));
  return [...savers].map(({ left }) => left()).filter((name) => name !== undefined);
}
