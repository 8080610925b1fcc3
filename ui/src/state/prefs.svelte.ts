/**
 * What this window remembers on this machine: language, theme, sizes of panes. Nothing of what
 * people write: that stays in the encrypted profile.
 */
import { language, languages, setLanguage, systemLanguage, type Language } from '../i18n/index.svelte';

export const themes = ['system', 'light', 'dark'] as const;
export type Theme = (typeof themes)[number];

/** Bounds of the list pane in pixels. */
export const paneBounds = { least: 240, most: 320 } as const;

export const prefs = $state<{ theme: Theme; dark: boolean; pane: number; jobsOpen: boolean }>({
  theme: 'system',
  dark: false,
  pane: 272,
  jobsOpen: false,
});

function stored(key: string): string | null {
  try {
    return localStorage.getItem(`artel.${key}`);
  } catch {
    return null;
  }
}

function store(key: string, value: string): void {
  try {
    localStorage.setItem(`artel.${key}`, value);
  } catch {
    // A window without storage still works; it only forgets.
  }
}

function paint(): void {
  const system = matchMedia('(prefers-color-scheme: dark)').matches;
  prefs.dark = prefs.theme === 'dark' || (prefs.theme === 'system' && system);
  document.documentElement.dataset['theme'] = prefs.dark ? 'dark' : 'light';
}

/** Reads what is remembered and follows the system from here on. */
export function startPrefs(): void {
  const lang = languages.find((known) => known === stored('language'));
  setLanguage(lang ?? systemLanguage(navigator.languages));
  prefs.theme = themes.find((known) => known === stored('theme')) ?? 'system';
  setPane(Number(stored('pane') ?? prefs.pane));
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', paint);
  paint();
}

export function setTheme(theme: Theme): void {
  prefs.theme = theme;
  store('theme', theme);
  paint();
}

export function chooseLanguage(next: Language): void {
  if (next === language()) return;
  setLanguage(next);
  store('language', next);
}

export function setPane(width: number): void {
  if (!Number.isFinite(width)) return;
  prefs.pane = Math.min(paneBounds.most, Math.max(paneBounds.least, Math.round(width)));
  store('pane', String(prefs.pane));
}
