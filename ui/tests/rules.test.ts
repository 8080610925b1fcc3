import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

import { parse } from 'svelte/compiler';
import { build } from 'vite';
import { describe, expect, it } from 'vitest';

import { languages } from '../src/i18n/index.svelte';
import { places } from '../src/state/app.svelte';

const root = join(import.meta.dirname, '..', 'src');
const files = readdirSync(root, { recursive: true, encoding: 'utf8' })
  .filter((name) => /\.(ts|svelte)$/.test(name) && !name.startsWith('bindings'))
  .map((name) => name.replaceAll('\\', '/'));
const read = (name: string): string => readFileSync(join(root, name), 'utf8');

interface Node {
  type: string;
  name?: string;
  data?: string;
  value?: unknown;
  start: number;
}

function walk(node: unknown, visit: (node: Node) => void): void {
  if (Array.isArray(node)) node.forEach((one) => walk(one, visit));
  else if (typeof node === 'object' && node !== null) {
    if ('type' in node && typeof node.type === 'string') visit(node as Node);
    Object.values(node).forEach((one) => walk(one, visit));
  }
}

/** Words written straight into a component's markup: texts, and attributes that people read or hear. */
function wordsIn(source: string): string[] {
  const spoken = ['title', 'aria-label', 'placeholder', 'alt', 'label', 'text'];
  const found: string[] = [];
  const letters = /\p{L}{2,}/u;
  const sentence = /\p{L}{2,} \p{L}{2,}/u;
  walk(parse(source, { modern: true }).fragment, (node) => {
    if (node.type === 'StyleDirective' || (node.type === 'Attribute' && !spoken.includes(node.name ?? ''))) {
      walk(node.value, (inner) => {
        if (inner.type === 'Text') inner.data = '';
      });
    }
    if (node.type === 'Literal' && typeof node.value === 'string' && sentence.test(node.value)) {
      found.push(node.value);
    }
    if (node.type === 'Text' && letters.test(node.data ?? '')) found.push((node.data ?? '').trim());
  });
  return found;
}

describe('the source', () => {
  it('reaches the desktop shell in one module only', () => {
    expect(files.filter((name) => read(name).includes('@tauri-apps/'))).toEqual(['shell.ts']);
  });

  it('has no markup from strings and no code from strings', () => {
    const forbidden = /\{@html|\.innerHTML|\beval\(|new Function\(|insertAdjacentHTML|document\.write/;
    expect(files.filter((name) => forbidden.test(read(name)))).toEqual([]);
  });

  it('reaches the clipboard in one module only', () => {
    expect(files.filter((name) => read(name).includes('navigator.clipboard'))).toEqual([
      'state/clipboard.ts',
    ]);
  });

  it('has one menu', () => {
    const shown = files.filter((name) => name.endsWith('.svelte'));
    expect(shown.filter((name) => read(name).includes('role="menuitem"'))).toEqual([
      'components/Menu.svelte',
    ]);
  });

  it('keeps drafts and other words of people out of the storage of the window', () => {
    expect(files.filter((name) => /localStorage|sessionStorage|indexedDB/.test(read(name)))).toEqual(
      ['shell.fake.ts', 'state/prefs.svelte.ts'].sort(),
    );
  });

  it.each(files.filter((name) => name.endsWith('.svelte')))('%s has no words of its own', (name) => {
    expect(wordsIn(read(name))).toEqual([]);
  });

  it('is looked at by a check that sees words', () => {
    const source = '<p class="row">Hello</p><i title="Shown" data-testid="no">{x ? "Two words" : "id"}</i>';
    expect(wordsIn(source)).toEqual(['Hello', 'Shown', 'Two words']);
  });
});

/** Rules of a component's style that lay out a grid, by selector, with the sizes of its columns. */
function gridsIn(source: string): [selector: string, columns: string][] {
  const rules = [...source.slice(source.indexOf('<style>')).matchAll(/([^{}]+)\{([^{}]*)\}/g)];
  return rules
    .map(([, selector = '', body = '']) => [selector.split('*/').at(-1)?.trim() ?? '', body] as const)
    .filter(([, body]) => /display: (inline-)?grid/.test(body))
    .map(([selector, body]) => [selector, /grid-template-columns: ([^;]+);/.exec(body)?.[1] ?? 'auto']);
}

describe('what a message holds', () => {
  it.each(gridsIn(read('places/rooms/MessageRow.svelte')))('%s can be narrower than a card', (_, columns) => {
    expect(columns).toContain('minmax(0, 1fr)');
  });
});

describe('the style', () => {
  it.each([
    ['of a link is that of the theme', 'app.css', 'a', 'color: var(--accent-text)'],
    [
      'of a button is its own, whatever is around it',
      'components/Button.svelte',
      '.plain',
      'color: var(--text)',
    ],
    ['of a mark in the rail is seen', 'components/Rail.svelte', '.dot', 'background: var(--accent-text)'],
    ['of hidden tools takes no touch', 'places/rooms/MessageRow.svelte', '.tools', 'pointer-events: none'],
  ])('%s', (_, name, selector, wanted) => {
    const body = read(name).split(`\n  ${selector} {`)[1] ?? read(name).split(`\n${selector} {`)[1] ?? '';
    expect(body.split('}')[0]).toContain(wanted);
  });
});

describe('the bundle', () => {
  it('has the desktop shell and nothing made up', { timeout: 60_000 }, async () => {
    const made = await build({
      root: join(root, '..'),
      configFile: join(root, '..', 'vite.config.ts'),
      mode: 'production',
      logLevel: 'silent',
      build: { write: false },
    });
    const outputs = (Array.isArray(made) ? made : [made]).flatMap((one) =>
      'output' in one ? one.output : [],
    );
    const code = outputs.map((one) => ('code' in one ? one.code : String(one.source))).join('\n');
    expect(code).toContain('open_profile');
    expect(code).not.toContain('K7QDM');
    expect(code).not.toContain('Oleh Kovalenko');
    expect(code).not.toMatch(/<script(?![^>]*\ssrc=)/);
    expect(code).not.toMatch(/\beval\(|new Function\(/);
  });
});

/** The colours of a theme by name. */
function colours(theme: 'light' | 'dark'): Record<string, string> {
  const css = read('app.css');
  const block = (selector: string): string => css.slice(css.indexOf(`${selector} {`)).split('}')[0] ?? '';
  const pairs = (text: string): [string, string][] =>
    [...text.matchAll(/--([\w-]+): (#[0-9a-f]{6});/g)].map((found) => [found[1] ?? '', found[2] ?? '']);
  return Object.fromEntries([
    ...pairs(block(':root')),
    ...(theme === 'dark' ? pairs(block(":root[data-theme='dark']")) : []),
  ]);
}

/** Contrast of two colours by WCAG 2. */
function contrast(a: string, b: string): number {
  const light = (hex: string): number => {
    const [r = 0, g = 0, blue = 0] = [1, 3, 5].map((at) => {
      const part = parseInt(hex.slice(at, at + 2), 16) / 255;
      return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * blue;
  };
  const [brighter = 0, darker = 0] = [light(a), light(b)].sort((x, y) => y - x);
  return (brighter + 0.05) / (darker + 0.05);
}

describe.each(['light', 'dark'] as const)('the %s theme', (theme) => {
  const of = colours(theme);
  const pairs = [
    ...['ground', 'surface', 'raised', 'hover', 'chosen', 'mine'].flatMap((under) => [
      ['text', under],
      ['text-2', under],
    ]),
    ...['ground', 'surface', 'chosen'].map((under) => ['accent-text', under]),
    ['up', 'chosen'],
    ['down', 'chosen'],
    ['on-accent', 'accent'],
    ['on-accent', 'accent-hover'],
    ...['good', 'note', 'warning', 'bad'].flatMap((tone) => [
      [tone, `${tone}-tint`],
      [tone, 'surface'],
      ['text', `${tone}-tint`],
      ['text-2', `${tone}-tint`],
    ]),
    ...['up', 'down', 'line-1', 'line-2', 'line-3', 'line-4', 'line-5', 'line-6'].map((tone) => [
      tone,
      'surface',
    ]),
  ] as [string, string][];

  it.each(pairs)('%s on %s can be read', (over, under) => {
    expect(contrast(of[over] ?? '', of[under] ?? '')).toBeGreaterThanOrEqual(4.5);
  });

  /** What the chart writes on a label of a colour: black where that is lighter than this by its own weights. */
  const onLabel = (hex: string): string => {
    const [r = 0, g = 0, b = 0] = [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));
    return 0.199 * r + 0.687 * g + 0.114 * b > 160 ? '#000000' : '#ffffff';
  };
  const labels = ['up', 'down', ...[1, 2, 3, 4, 5, 6].map((at) => `line-${at}`)];

  it.each(labels)('labels of the chart in %s can be read', (name) => {
    const colour = of[name] ?? '';
    expect(contrast(onLabel(colour), colour)).toBeGreaterThanOrEqual(4.5);
  });

  it('has borders of fields that can be seen', () => {
    expect(contrast(of['line-strong'] ?? '', of['surface'] ?? '')).toBeGreaterThanOrEqual(3);
  });
});

/** Every test id that the page can have: those written out, and those made of a beginning and a known ending. */
function idsOfPage(): Set<string> {
  const ids = new Set<string>();
  const all = (source: string, pattern: RegExp): string[] =>
    [...source.matchAll(pattern)].map((found) => found[1] ?? '');
  for (const name of files.filter((file) => file.endsWith('.svelte'))) {
    const source = read(name);
    const lists = all(source, /\[([^[\]]*)\] as const/g).join();
    const choices = [...all(lists, /'([\w-]+)'/g), ...places, ...languages];
    const keys = all(source, /key: '([\w-]+)'/g);
    all(source, /testid = '([\w-]+)'/g).forEach((id) => ids.add(id));
    walk(parse(source, { modern: true }).fragment, (node) => {
      const written = new Map<string, string>();
      for (const attribute of (node as { attributes?: Node[] }).attributes ?? []) {
        if (!['data-testid', 'testid', 'ids'].includes(attribute.name ?? '')) continue;
        walk(attribute.value, ({ type, data, value }) => {
          const literal = type === 'Text' ? data : type === 'Literal' ? value : undefined;
          if (typeof literal === 'string') written.set(attribute.name ?? '', literal);
          if (typeof literal === 'string' && !literal.endsWith('-')) ids.add(literal);
        });
        const { start, end } = attribute as Node & { end: number };
        const [begin] = all(source.slice(start, end), /["`]([\w-]+-)\$?\{\w+(?:\.\w+)?\}["`]/g);
        if (begin !== undefined) choices.forEach((choice) => ids.add(begin + choice));
      }
      const given = written.get('testid') ?? '';
      if (node.name === 'DropZone') ids.add(`${given}-path`);
      if (node.name === 'SecretField') ids.add(`${given}-show`);
      if (node.name === 'MessageTools') keys.forEach((key) => ids.add(key));
      if (node.name === 'Menu') {
        const begin = written.get('ids');
        if (begin !== undefined) ids.add(`${begin}-menu`);
        keys.forEach((key) => ids.add(`${begin ?? given}-${key}`));
      }
    });
  }
  return ids;
}

describe('the table of test ids', () => {
  const table = read('../README.md').slice(read('../README.md').indexOf('## Test ids'));
  const listed = [...table.matchAll(/`([a-z][a-z-]+)`/g)]
    .map((found) => found[1] ?? '')
    .filter((id) => !id.startsWith('data-'));
  const ids = idsOfPage();

  it.each(listed)('%s is in the page', (id) => expect([...ids]).toContain(id));

  it.each(['tab-nothing', 'rail-kitchen', 'profile-nothing', 'drop-nothing-path', 'invite-tab-', 'people-'])(
    '%s is not',
    (id) => expect([...ids]).not.toContain(id),
  );
});
