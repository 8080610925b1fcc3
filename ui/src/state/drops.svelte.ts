/** Files dropped on the window: the place on screen says what becomes of them. */
import { untrack } from 'svelte';

import { shell } from '$shell';

import type { Stop } from '../contract';

export interface Target {
  /** What will happen, in words. */
  label: string;
  take: (paths: string[]) => void;
}

export const over = $state<{ window: boolean }>({ window: false });
let targets = $state.raw<Target[]>([]);

/** The target that takes files now: the one that came last. */
export function dropTarget(): Target | undefined {
  return targets.at(-1);
}

/** Takes dropped files until stopped. */
export function takeDrops(target: Target): Stop {
  // An effect that takes drops does not depend on who else does.
  targets = [...untrack(() => targets), target];
  return () => {
    targets = untrack(() => targets).filter((known) => known !== target);
  };
}

export function startDrops(): Promise<Stop> {
  return shell.onDrop(({ phase, paths }) => {
    over.window = phase === 'enter' || phase === 'over';
    if (phase === 'drop' && paths.length > 0) dropTarget()?.take(paths);
  });
}
