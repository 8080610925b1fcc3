/** Where the window stands: is a profile open, which place is shown, what lies over it. */
import { shell } from '$shell';

import type { ProfileDetail } from '../bindings/ProfileDetail';
import { complain, forgetNotices } from './notices.svelte';
import { saveAll } from './unsaved';

export const places = ['rooms', 'market', 'images', 'catalog', 'machine'] as const;
export type Place = (typeof places)[number];

/** A dialog about a profile: it may begin while one is open and end when none is. */
export type Asked =
  | { what: 'passphrase' }
  /** Shows this recovery code, or makes a new one. */
  | { what: 'recovery'; code?: string }
  | { what: 'recover'; profile: string }
  | { what: 'restore'; backup?: string }
  | { what: 'delete'; profile: string }
  | { what: 'lock'; unsaved: string[] };

export const app = $state<{
  phase: 'starting' | 'closed' | 'open';
  profile: ProfileDetail | undefined;
  place: Place;
  palette: boolean;
  asked: Asked | undefined;
}>({ phase: 'starting', profile: undefined, place: 'rooms', palette: false, asked: undefined });

export function ask(what: Asked): void {
  app.asked = what;
}

export function go(place: Place): void {
  app.place = place;
}

/** Finds out whether a profile is open already. */
export async function start(): Promise<void> {
  try {
    const state = await shell.sessionState();
    if (state.open) {
      await opened();
      shell.call('node.start', { no_mdns: false, listen: [] }).catch(complain);
    } else app.phase = 'closed';
  } catch (reason) {
    app.phase = 'closed';
    complain(reason);
  }
}

/** Opens a profile, which starts its network; the rest works without one. */
export async function open(name: string, passphrase: string): Promise<void> {
  forgetNotices();
  await shell.openProfile(name, passphrase);
  await opened();
}

async function opened(): Promise<void> {
  app.profile = await shell.call('profile.show', {});
  app.place = 'rooms';
  app.phase = 'open';
}

/** Saves what is typed and locks the profile; asks first when something could not be saved. */
export async function lock(): Promise<void> {
  try {
    const unsaved = await saveAll();
    if (unsaved.length > 0) ask({ what: 'lock', unsaved });
    else await lockNow();
  } catch (reason) {
    complain(reason);
  }
}

/** Locks the profile; what is not saved is lost. */
export async function lockNow(): Promise<void> {
  await shell.lockProfile();
  closed();
}

export function closed(): void {
  app.phase = 'closed';
  app.profile = undefined;
  app.palette = false;
  const ofOpen: (Asked['what'] | undefined)[] = ['passphrase', 'recovery', 'lock'];
  if (ofOpen.includes(app.asked?.what)) app.asked = undefined;
}
