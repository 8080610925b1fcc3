import type { Stop } from '../contract';
import { complain } from './notices.svelte';

/** Stops what a promise will have started, even when it starts too late. */
export function later(started: Promise<Stop>): Stop {
  started.catch(complain);
  return () => void started.then((stop) => stop()).catch(() => undefined);
}
