/** What the tests of screens share: a mounted page, and ways to find, press and write. */
import { cleanup, render } from '@testing-library/svelte';
import axe from 'axe-core';
import { tick } from 'svelte';
import { afterEach, expect, vi } from 'vitest';

import App from '../src/App.svelte';

afterEach(cleanup);

/** The first element with a test id. */
export function find(id: string): HTMLElement {
  const element = document.querySelector<HTMLElement>(`[data-testid="${id}"]`);
  if (!element) throw new Error(`nothing here has the test id ${id}:\n${document.body.textContent}`);
  return element;
}

export function all(id: string): HTMLElement[] {
  return [...document.querySelectorAll<HTMLElement>(`[data-testid="${id}"]`)];
}

export function has(id: string): boolean {
  return all(id).length > 0;
}

/** Lets promises and effects come to rest. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 12; turn += 1) {
    await Promise.resolve();
    await tick();
  }
}

/** Waits until something is so. */
export function until(check: () => void | Promise<void>): Promise<void> {
  return vi.waitFor(check, { timeout: 2000, interval: 10 });
}

export async function press(id: string): Promise<void> {
  await until(() => void find(id));
  find(id).click();
  await settle();
}

export async function type(id: string, text: string): Promise<void> {
  const element = find(id);
  if (!(
    element instanceof HTMLInputElement ||
    element instanceof HTMLTextAreaElement ||
    element instanceof HTMLSelectElement
  )) {
    throw new Error(`${id} takes no text`);
  }
  element.value = text;
  element.dispatchEvent(new Event('input', { bubbles: true }));
  element.dispatchEvent(new Event('change', { bubbles: true }));
  await settle();
}

export async function key(target: EventTarget, key: string, more: KeyboardEventInit = {}): Promise<void> {
  target.dispatchEvent(new KeyboardEvent('keydown', { key, bubbles: true, cancelable: true, ...more }));
  await settle();
}

/** Shows the whole page. */
export async function show(): Promise<void> {
  render(App);
  await settle();
}

/** No rule of accessibility is broken. Colours are checked elsewhere: there is no layout here. */
export async function accessible(): Promise<void> {
  const { violations } = await axe.run(document.body, {
    rules: { 'color-contrast': { enabled: false }, region: { enabled: false } },
  });
  expect(violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join('\n')}`)).toEqual([]);
}
