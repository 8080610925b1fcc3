import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

import { describe, expect, it } from 'vitest';

import {
  count,
  languages,
  maybe,
  say,
  setLanguage,
  systemLanguage,
  t,
  type Key,
} from '../src/i18n/index.svelte';
import { en } from '../src/i18n/en';
import { ru } from '../src/i18n/ru';
import { uk } from '../src/i18n/uk';
import type { Plural } from '../src/i18n/types';

const tables: Record<string, Record<string, string | Plural>> = { en, ru, uk };
const placeholders = (text: string): string[] =>
  [...text.matchAll(/\{(\w+)\}/g)].map((found) => found[1] ?? '').sort();

describe.each(languages)('%s', (lang) => {
  const table = tables[lang] ?? {};

  it('has every sentence, none empty, none more', () => {
    expect(Object.keys(table).sort()).toEqual(Object.keys(en).sort());
    for (const [key, message] of Object.entries(table)) {
      for (const form of typeof message === 'string' ? [message] : Object.values(message)) {
        expect(form.trim(), `${lang} ${key}`).not.toBe('');
      }
    }
  });

  it('has the forms its grammar asks for', () => {
    const needed = new Intl.PluralRules(lang).resolvedOptions().pluralCategories.sort();
    for (const [key, message] of Object.entries(table)) {
      if (typeof message !== 'string') expect(Object.keys(message).sort(), key).toEqual(needed);
    }
  });

  it('keeps the placeholders of English in every form', () => {
    for (const [key, message] of Object.entries(table)) {
      const original = en[key as Key];
      const wanted = placeholders(typeof original === 'string' ? original : original.other);
      for (const form of typeof message === 'string' ? [message] : Object.values(message)) {
        expect(placeholders(form), `${lang} ${key}`).toEqual(wanted);
      }
    }
  });

  it('leaves no English behind', () => {
    if (lang === 'en') return;
    const same = Object.keys(en).filter((key) => {
      const message = table[key];
      return (
        typeof message === 'string' &&
        message === en[key as Key] &&
        /[a-z]{4,}/i.test(message.replace(/\{\w+\}/g, ''))
      );
    });
    // Names, keys of a keyboard, formats and addresses are the same everywhere.
    expect(same).toEqual([
      'app.name',
      'frame.shortcut',
      'palette.key',
      'product.json',
      'enrich.address',
      'about.charts.link',
    ]);
  });
});

describe('words for codes from outside', () => {
  const bindings = join(import.meta.dirname, '..', 'src', 'bindings');
  const said = (start: string): string[] =>
    Object.keys(en)
      .filter((key) => key.startsWith(start))
      .map((key) => key.slice(start.length))
      .sort();

  it('exist for every reason why a product has no document, and for no other', () => {
    const source = readFileSync(join(bindings, 'CatalogStatistics.ts'), 'utf8');
    const [, comment = ''] = /Products without one([^/]*)\*\/\s*without:/.exec(source) ?? [];
    const reasons = [...comment.matchAll(/`(\w+)`/g)].map(([, code = '']) => code).sort();
    expect(reasons.length).toBeGreaterThan(3);
    expect(said('reason.')).toEqual(reasons);
  });

  it('exist for every notice', () => {
    const root = join(import.meta.dirname, '..', '..');
    const sources = ['crates/app/src', 'src-tauri/src'].flatMap((folder) =>
      readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
        .filter((name) => name.endsWith('.rs') && !name.endsWith('tests.rs'))
        .map((name) => readFileSync(join(root, folder, name), 'utf8')),
    );
    const written = /Notice \{[^}]*?code: "(\w+)"|\btell\(&session, "(\w+)"/g;
    const codes = sources
      .flatMap((source) => [...source.matchAll(written)])
      .map(([, whole, short]) => whole ?? short ?? '');
    expect(codes).toEqual(expect.arrayContaining(['socket_off', 'network_off', 'network_stopped']));
    expect(said('notice.')).toEqual([...new Set(codes)].sort());
  });

  it('for what is to be done about a state of health stand beside words for that state', () => {
    const hints = said('health.').filter((code) => code.endsWith('.hint'));
    expect(hints.length).toBeGreaterThan(5);
    const codes = said('health.');
    expect(hints.filter((code) => !codes.includes(code.replace('.hint', '')))).toEqual([]);
  });

  it('say what is to be done wherever the core does', () => {
    const root = join(import.meta.dirname, '..', '..', 'crates', 'app', 'src');
    const sources = ['doctor/mod.rs', 'care/health.rs'].map((file) => {
      const [source = ''] = readFileSync(join(root, file), 'utf8').split('#[cfg(test)]');
      return source;
    });
    // One finding a part, up to the next or the end of its function.
    const parts = sources.flatMap((source) => source.split(/Finding::well\(|\n}\n/).slice(1));
    const advised = parts
      .filter((part) => part.includes('.but('))
      .map((part) => /"((?!clock")\w+_\w+)"/.exec(part)?.[1] ?? part);
    expect(advised).toEqual(expect.arrayContaining(['net_firewall_suspect', 'net_alone', 'disk_slow']));
    const hints = said('health.').filter((code) => code.endsWith('.hint'));
    expect(advised.filter((code) => !hints.includes(`${code}.hint`))).toEqual([]);
  });

  it('exist for every error', () => {
    const source = readFileSync(join(bindings, 'Code.ts'), 'utf8');
    const codes = [...source.matchAll(/"(\w+)"/g)].map(([, code = '']) => code).sort();
    expect(codes.length).toBeGreaterThan(20);
    expect(said('error.')).toEqual(codes);
  });
});

describe('forms', () => {
  const says = (lang: 'en' | 'ru' | 'uk', n: number): string => say(lang, 'catalog.found', { n });

  it.each([
    [1, '1 product', '1 товар', '1 товар'],
    [2, '2 products', '2 товара', '2 товари'],
    [5, '5 products', '5 товаров', '5 товарів'],
    [11, '11 products', '11 товаров', '11 товарів'],
    [21, '21 products', '21 товар', '21 товар'],
    [112, '112 products', '112 товаров', '112 товарів'],
  ])('%i', (n, inEnglish, inRussian, inUkrainian) => {
    expect(says('en', n)).toBe(inEnglish);
    expect(says('ru', n)).toBe(inRussian);
    expect(says('uk', n)).toBe(inUkrainian);
  });

  it('groups thousands with a thin space', () => {
    expect(says('en', 8120)).toBe('8\u202f120 products');
    expect(count(1_234_567.891, 'ru', 2)).toBe('1\u202f234\u202f567,89');
  });
});

describe('words about one thing', () => {
  it('agree with it', () => {
    const found = (lang: 'ru' | 'uk'): string[] =>
      (['mdns', 'remembered', 'typed', 'inbound'] as const).map((how) => say(lang, `found.${how}`, {}));
    expect(found('ru')).toEqual(['найден в этой сети', 'запомнен', 'введён', 'пришёл сам']);
    expect(found('uk')).toEqual(['знайдений у цій мережі', 'запам’ятований', 'введений', 'прийшов сам']);
    for (const n of [1, 2, 5, 21]) expect(say('uk', 'jobs.failedItems', { n })).toBe(`не вдалося: ${n}`);
    expect(say('ru', 'restore.text', {})).toContain('для других это вы');
  });
});

describe('choice', () => {
  it('takes the first language of the system that Artel speaks', () => {
    expect(systemLanguage(['de-DE', 'uk-UA', 'en'])).toBe('uk');
    expect(systemLanguage(['fr'])).toBe('en');
  });

  it('follows a change', () => {
    setLanguage('ru');
    expect(t('common.close')).toBe('Закрыть');
    expect(document.documentElement.lang).toBe('ru');
  });

  it('says nothing for a key it does not know', () => {
    expect(maybe('error.no_such_code')).toBeUndefined();
    expect(maybe('toString')).toBeUndefined();
  });
});
