import { afterEach, beforeEach, vi } from 'vitest';

import { fake } from '$fake';

import { setLanguage } from '../src/i18n/index.svelte';
import { app } from '../src/state/app.svelte';
import { prefs } from '../src/state/prefs.svelte';

// A window wide enough for people beside the room.
window.innerWidth = 1280;

// What jsdom does not have.
HTMLCanvasElement.prototype.getContext = (() => null) as typeof HTMLCanvasElement.prototype.getContext;
HTMLDialogElement.prototype.showModal = function (this: HTMLDialogElement): void {
  this.open = true;
};
HTMLDialogElement.prototype.close = function (this: HTMLDialogElement): void {
  this.open = false;
};
window.matchMedia = (query: string): MediaQueryList =>
  ({
    matches: false,
    media: query,
    addEventListener: () => undefined,
    removeEventListener: () => undefined,
  }) as unknown as MediaQueryList;
globalThis.ResizeObserver = class {
  observe(): void {}
  unobserve(): void {}
  disconnect(): void {}
};
Element.prototype.animate = function (): Animation {
  const animation = {
    cancel: () => undefined,
    finished: Promise.resolve(),
    onfinish: null as null | (() => void),
  };
  queueMicrotask(() => animation.onfinish?.());
  return animation as unknown as Animation;
};

beforeEach(() => {
  fake.reset();
  setLanguage('en');
  localStorage.clear();
  Object.assign(app, {
    phase: 'starting',
    profile: undefined,
    place: 'rooms',
    palette: false,
    asked: undefined,
  });
  prefs.jobsOpen = false;
});

afterEach(() => {
  vi.useRealTimers();
});
