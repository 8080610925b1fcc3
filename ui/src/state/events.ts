/** One stream of events from outside, handed to whoever asked for its kind. */
import { shell } from '$shell';

import type { Event, Stop } from '../contract';

type Kind = Event['type'];
type Of<K extends Kind> = Extract<Event, { type: K }>;

const handlers = new Map<Kind, Set<(event: never) => void>>();

/** Hears events of one kind until stopped. */
export function on<K extends Kind>(kind: K, handler: (event: Of<K>) => void): Stop {
  let set = handlers.get(kind);
  if (!set) handlers.set(kind, (set = new Set()));
  set.add(handler);
  return () => set.delete(handler);
}

/** Hands an event on. */
export function deliver(event: Event): void {
  for (const handler of [...(handlers.get(event.type) ?? [])]) handler(event as never);
}

/** Starts to listen. */
export function startEvents(): Promise<Stop> {
  return shell.listen(deliver);
}
