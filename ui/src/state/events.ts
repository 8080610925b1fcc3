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

/** Kinds of events that say only that something changed. */
const hints = ['spaces', 'peers', 'market', 'catalog'] as const;

/** Hands an event on. Where some were missed, everything may have changed; who hears more than hints hears of it too. */
export function deliver(event: Event): void {
  if (event.type === 'missed') for (const type of hints) deliver({ type });
  for (const handler of [...(handlers.get(event.type) ?? [])]) handler(event as never);
}

/** Starts to listen. */
export function startEvents(): Promise<Stop> {
  return shell.listen(deliver);
}
