/**
 * Words. Every sentence of the page lives in `en.ts`, `ru.ts` and `uk.ts`; a component asks for it
 * by a typed key. Numbers choose their grammatical form by `Intl.PluralRules`.
 */
import { en } from './en';
import { ru } from './ru';
import type { Names, Plural } from './types';
import { uk } from './uk';

export const languages = ['en', 'ru', 'uk'] as const;
export type Language = (typeof languages)[number];
export type Key = keyof typeof en;

type Params<M> = M extends string ? Names<M> : M extends { readonly other: infer O } ? Names<O> | 'n' : never;
type Values<M> = [Params<M>] extends [never] ? [] : [{ [P in Params<M>]: string | number }];

const tables: Record<Language, Record<Key, string | Plural>> = { en, ru, uk };

const current = $state<{ language: Language }>({ language: 'en' });

/** The language in use. Reading it in a component makes the component follow a change. */
export function language(): Language {
  return current.language;
}

export function setLanguage(next: Language): void {
  current.language = next;
  if (typeof document !== 'undefined') document.documentElement.lang = next;
}

/** The first language of the system that Artel speaks. */
export function systemLanguage(preferred: readonly string[]): Language {
  for (const tag of preferred) {
    const base = tag.toLowerCase().split('-')[0];
    const match = languages.find((known) => known === base);
    if (match) return match;
  }
  return 'en';
}

/** The sentence for a key in the language in use. */
export function t<K extends Key>(key: K, ...values: Values<(typeof en)[K]>): string {
  return say(current.language, key, (values[0] ?? {}) as Record<string, string | number>);
}

/** Like {@link t} for keys made at run time, such as codes from outside; nothing where none is known. */
export function maybe(key: string, values: Record<string, string | number> = {}): string | undefined {
  return Object.hasOwn(en, key) ? say(current.language, key as Key, values) : undefined;
}

/** The sentence for a key in a given language. */
export function say(lang: Language, key: Key, values: Record<string, string | number>): string {
  const message = tables[lang][key];
  const form = typeof message === 'string' ? message : pick(lang, message, Number(values['n']));
  return form.replace(/\{(\w+)\}/g, (whole, name: string) => {
    const value = values[name];
    if (value === undefined) return whole;
    return typeof value === 'number' ? count(value, lang) : value;
  });
}

function pick(lang: Language, plural: Plural, n: number): string {
  const form = rulesOf(lang).select(n);
  return (form === 'zero' || form === 'two' ? undefined : plural[form]) ?? plural.other;
}

const rules = new Map<Language, Intl.PluralRules>();
function rulesOf(lang: Language): Intl.PluralRules {
  let known = rules.get(lang);
  if (!known) rules.set(lang, (known = new Intl.PluralRules(lang)));
  return known;
}

const numbers = new Map<string, Intl.NumberFormat>();

/** A number with thin spaces between thousands and the language's own decimal sign. */
export function count(value: number, lang: Language = current.language, digits = 0, least = 0): string {
  const key = `${lang}:${digits}:${least}`;
  let format = numbers.get(key);
  if (!format) {
    format = new Intl.NumberFormat(lang, { maximumFractionDigits: digits, minimumFractionDigits: least });
    numbers.set(key, format);
  }
  return format
    .formatToParts(value)
    .map((part) => (part.type === 'group' ? '\u202f' : part.value))
    .join('');
}
