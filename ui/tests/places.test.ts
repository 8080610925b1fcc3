import { describe, expect, it, vi } from 'vitest';

import { fake, shell } from '$fake';

import { CallError, type Name } from '../src/contract';
import { setLanguage } from '../src/i18n/index.svelte';
import { Candles } from '../src/places/market/candles';
import { Pages } from '../src/state/pages.svelte';
import { Query } from '../src/state/query.svelte';
import { prefs, setPane, startPrefs } from '../src/state/prefs.svelte';
import { axis, crosshair, drawn, margins, shot, view, views } from './doubles/charts';
import { accessible, all, find, has, key, press, settle, show, type, until } from './page';

async function visit(place: string): Promise<void> {
  await show();
  await press(`rail-${place}`);
  await settle();
}

/** Calls of one command, each with its usual answer. */
function heard<K extends Name>(name: K): unknown[] {
  const calls: unknown[] = [];
  const usual = fake.usual(name);
  fake.answer(name, (args) => {
    calls.push(args);
    return usual(args);
  });
  return calls;
}

/** jsdom's blobs do not read themselves. */
function textOf(blob: Blob): Promise<string> {
  return new Promise((done, fail) => {
    const reader = new FileReader();
    reader.onload = () => done(String(reader.result));
    reader.onerror = fail;
    reader.readAsText(blob);
  });
}

describe.each([
  ['market', 'market.list', 'Import prices'],
  ['images', 'jobs.list', 'New batch'],
  ['catalog', 'catalog.stats', 'Import products'],
  ['machine', 'net.peers', 'Network'],
] as const)('%s', (place, command, always) => {
  it('is full and accessible', async () => {
    await visit(place);
    expect(find(`place-${place}`).textContent).toContain(always);
    await accessible();
  });

  it('fails with words and a way on', async () => {
    fake.answer(command, () => {
      throw new CallError('damaged', 'Page 12 of the database does not read.');
    });
    await visit(place);
    const box = find(`place-${place}`).querySelector('[data-testid="error"]');
    expect(box?.textContent).toContain('Page 12 of the database does not read.');
    expect(box?.querySelector('[data-testid="retry"]')).not.toBeNull();
  });

  it('shows a skeleton only when it is slow', async () => {
    fake.answer(command, () => new Promise<never>(() => undefined));
    await visit(place);
    expect(has('skeleton')).toBe(false);
    await until(() => expect(has('skeleton')).toBe(true));
    await accessible();
  });
});

describe('empty places', () => {
  it.each([
    ['market', 'market-empty', 'No prices yet', 'drop-market'],
    ['images', 'new-batch', 'New batch', 'drop-images'],
    ['catalog', 'catalog-empty', 'No products yet', 'drop-catalog'],
  ])('%s says what it is and takes files at once', async (place, id, words, zone) => {
    Object.assign(fake.world(), { jobs: [], symbols: [], products: 0 });
    await visit(place);
    expect(find(id).textContent).toContain(words);
    expect(has(zone)).toBe(true);
    await accessible();
  });
});

describe('market', () => {
  it('leaves room above the prices for the legend, and above each pane for its axis', () => {
    const ink = { text: '', ground: '', line: '', up: '', down: '', lines: [] };
    const nothing = (): void => undefined;
    const chart = new Candles(document.createElement('div'), ink, 'en', nothing, nothing);
    const top = (kind: string): number | undefined =>
      [...margins].find(([series]) => series.kind === kind)?.[1].top;
    expect(top('candles')).toBe(0.08);
    chart.leave(52, 288);
    expect(top('candles')).toBeCloseTo(0.2);
    chart.setOverlays([{ columns: [{ name: 'RSI', time: [], values: [] }], overlap: false, backend: 'cpu' }]);
    expect(top('line')).toBeCloseTo(0.18);
    chart.leave(52, 288);
    expect(top('candles')).toBeCloseTo(0.26);
    chart.leave(520, 288);
    expect(top('candles')).toBe(0.35);
    chart.leave(52, 20);
    expect(top('candles')).toBe(0.08);
  });

  it('draws candles, volume, a line over the prices and a line in a pane of its own', async () => {
    await visit('market');
    await until(() => expect(drawn.length).toBe(4));
    expect(drawn.map(({ kind, pane }) => `${kind}${pane}`)).toEqual([
      'candles0',
      'histogram0',
      'line0',
      'line1',
    ]);
    expect(drawn[0]?.data.length).toBe(720);
    expect(drawn[2]?.data[0]).not.toHaveProperty('value');
  });

  it('says what is under the crosshair, and the newest bar without one', async () => {
    await visit('market');
    await until(() => expect(find('legend').textContent).toContain('RSI_14'));
    const newest = find('legend').textContent;
    const [first] = drawn[0]?.data ?? [];
    crosshair.move({ time: first?.time ?? 0 });
    await settle();
    expect(find('legend').textContent).not.toBe(newest);
    expect(find('legend').textContent).toContain('SMA_50 –');
    crosshair.move({});
    await settle();
    expect(find('legend').textContent).toBe(newest);
  });

  it('asks for older bars as the view comes near the oldest, with functions over the same window', async () => {
    const asked = heard('market.bars') as { limit: number }[];
    const over = heard('market.overlay') as { limit: number }[];
    await visit('market');
    await until(() => expect(find('legend').textContent).toContain('RSI_14'));
    view.seen({ from: 400, to: 700 });
    await settle();
    expect(asked.map(({ limit }) => limit)).toEqual([2000]);
    for (let turn = 0; turn < 6; turn += 1) {
      view.seen({ from: 3, to: 100 });
      await settle();
    }
    expect(asked.map(({ limit }) => limit)).toEqual([2000, 4000, 8000, 16_000, 20_000]);
    expect(over.every(({ limit }) => asked.some((bars) => bars.limit === limit))).toBe(true);
  });

  it('adds a function with its parameters and takes it off again', async () => {
    await visit('market');
    await press('add-indicator');
    await until(() => expect(all('function').length).toBe(15));
    await accessible();
    await type('indicator-search', 'macd');
    expect(all('function')[0]?.dataset['name']).toBe('MACD');
    await press('function');
    const [fast] = all('parameter');
    if (!(fast instanceof HTMLInputElement)) throw new Error('no parameter');
    fast.value = '1';
    fast.dispatchEvent(new Event('input', { bubbles: true }));
    await settle();
    expect(find('dialog-confirm')).toHaveProperty('disabled', true);
    fast.value = '8';
    fast.dispatchEvent(new Event('input', { bubbles: true }));
    await settle();
    await press('dialog-confirm');
    await until(() => expect(find('legend').textContent).toContain('MACD_8_26_9'));
    expect(find('chart').textContent).toContain('MACD 8, 26, 9');
    find('chart').querySelector<HTMLElement>('[aria-label="Remove MACD"]')?.click();
    await until(() => expect(find('legend').textContent).not.toContain('MACD'));
  });

  it('says which function cannot be drawn and draws the others', async () => {
    fake.answer('market.overlay', ({ function: name }) => {
      if (name.startsWith('RSI')) throw new CallError('bad_input', 'RSI needs 15 bars, there are 3.');
      return { columns: [{ name: 'SMA_50', time: [], values: [] }], overlap: true, backend: 'cpu' };
    });
    await visit('market');
    await until(() => expect(find('chart').textContent).toContain('RSI:14: RSI needs 15 bars, there are 3.'));
    expect(find('legend').textContent).toContain('SMA_50');
  });

  it('computes functions anew when prices were imported again', async () => {
    await visit('market');
    await until(() => expect(find('legend').textContent).toContain('RSI_14'));
    const over = heard('market.overlay');
    fake.tell({ type: 'market' });
    await until(() => expect(over.length).toBe(2));
    await press('add-indicator');
    await type('indicator-search', 'macd');
    await press('function');
    await press('dialog-confirm');
    // Only what is new is asked for while the prices are the same.
    await until(() => expect(find('legend').textContent).toContain('MACD'));
    expect(over.length).toBe(3);
  });

  it('shows nothing of the series before while another is loaded', async () => {
    await visit('market');
    await until(() => expect(find('legend').textContent).toContain('RSI_14'));
    const usual = fake.usual('market.bars');
    let answer: () => void = () => undefined;
    fake.answer('market.bars', async (args) => {
      await new Promise<void>((done) => (answer = done));
      return usual(args);
    });
    all('series')[1]?.click();
    await settle();
    expect(has('legend')).toBe(false);
    expect(drawn.map(({ kind, data }) => [kind, data.length])).toEqual([
      ['candles', 0],
      ['histogram', 0],
    ]);
    answer();
    await until(() => expect(find('legend').textContent).toContain('RSI_14'));
  });

  it('shows times where a day has several bars, and goes to the newest of another interval', async () => {
    const hour = 3_600_000;
    const bars = (interval: string, step: number, length: number) => {
      const of = (value: number): number[] => Array.from({ length }, () => value);
      const start = Date.UTC(2026, 0, 2, 9);
      // A weekend lies between the first two.
      const time = Array.from({ length }, (_, at) => start + (at === 0 ? -3 * 24 * hour : at * step));
      const [open, high, low, close, volume] = [of(1), of(2), of(1), of(2), of(1)];
      return { symbol: 'BTCUSD', interval, time, open, high, low, close, volume, more: false };
    };
    fake.answer('market.bars', () => bars('1d', 24 * hour, 30));
    await visit('market');
    await until(() => expect(find('legend').textContent).toContain('31 Jan 2026'));
    expect(find('legend').textContent).not.toContain('09:00');
    expect([axis['timeVisible'], views.length]).toEqual([false, 1]);
    fake.answer('market.bars', () => bars('1h', hour, 30));
    fake.tell({ type: 'market' });
    await until(() => expect(find('legend').textContent).toContain('3 Jan 2026, 14:00'));
    expect([axis['timeVisible'], views.length]).toEqual([true, 2]);
  });

  it('has a table behind the chart', async () => {
    await visit('market');
    await press('chart-table');
    const rows = [...find('chart').querySelectorAll('[role="row"]')];
    expect(rows.length).toBeGreaterThan(10);
    expect(rows.length).toBeLessThan(80);
    await accessible();
  });

  it('saves the chart as a picture that says what it is', async () => {
    const words: string[] = [];
    const pen = {
      measureText: (text: string) => ({ width: text.length * 7 }),
      fillText: (text: string) => words.push(text),
      fillRect: () => undefined,
      drawImage: (picture: unknown) => words.push(picture === shot ? 'the chart' : 'something else'),
    };
    vi.spyOn(HTMLCanvasElement.prototype, 'getContext').mockReturnValue(
      pen as unknown as ReturnType<HTMLCanvasElement['getContext']>,
    );
    vi.spyOn(HTMLCanvasElement.prototype, 'toBlob').mockImplementation(function (
      this: HTMLCanvasElement,
      done,
    ) {
      done(new Blob([`${this.width}`, `${this.height > shot.height}`], { type: 'image/png' }));
    });
    const asked = vi.spyOn(shell, 'saveAs');
    await visit('market');
    await until(() => expect(find('legend').textContent).toContain('RSI_14'));
    await press('chart-png');
    await until(() => expect(find('toast').textContent).toContain('BTCUSD-1d.png is saved'));
    expect(words[0]).toBe('BTCUSD · 1d');
    expect(words[1]).toMatch(/20\d\d – .*20\d\d/);
    expect(words.slice(2)).toEqual(['SMA_50', 'RSI_14', 'the chart']);
    const [kept] = fake.world().kept;
    expect([kept?.content.type, kept && (await textOf(kept.content))]).toEqual(['image/png', '600true']);
    expect(asked.mock.calls[0]?.slice(1, 3)).toEqual([
      'BTCUSD-1d.png',
      { name: 'PNG picture', extensions: ['png'] },
    ]);
  });

  it('saves what is drawn as a table', async () => {
    await visit('market');
    await until(() => expect(find('legend').textContent).toContain('RSI_14'));
    await press('chart-csv');
    await until(() => expect(fake.world().kept.length).toBe(1));
    const [kept] = fake.world().kept;
    if (!kept) throw new Error('nothing was kept');
    const lines = (await textOf(kept.content)).trimEnd().split('\n');
    expect(lines[0]).toBe('time,open,high,low,close,volume,SMA_50,RSI_14');
    expect(lines.length).toBe(721);
    expect(lines[1]).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z(,[\d.]+){5},,$/);
    expect(lines[720]?.split(',').length).toBe(8);
    expect(Number(lines[720]?.split(',')[6])).toBeGreaterThan(0);
    await accessible();
  });

  it('saves nothing when no place is chosen, and says why it cannot', async () => {
    const save = vi.spyOn(shell, 'saveAs').mockResolvedValueOnce(undefined);
    await visit('market');
    await until(() => expect(find('chart-csv')).toHaveProperty('disabled', false));
    await press('chart-csv');
    expect(has('toast')).toBe(false);
    save.mockRejectedValueOnce(new CallError('disk_full', 'The disk of /media/usb is full.'));
    await press('chart-csv');
    expect(find('toast').textContent).toContain('The disk of /media/usb is full.');
  });

  it('reports a bad row by line, and imports without it', async () => {
    fake.world().symbols = [];
    await visit('market');
    await type('drop-market-path', '/data/bad.csv');
    await key(find('drop-market-path'), 'Enter');
    await until(() =>
      expect(find('import-file').textContent).toContain('line 812: high 3.1 is below low 3.4'),
    );
    expect(find('import-file').dataset['good']).toBe('false');
    expect(find('problems').textContent).toContain('1 row was left out');
    await accessible();
    await press('import-skip');
    await until(() => expect(find('import-file').dataset['good']).toBe('true'));
    expect(find('series').dataset['symbol']).toBe('bad');
    expect(has('chart')).toBe(true);
  });

  it('imports what is dropped and goes to it', async () => {
    const asked = heard('market.import');
    await visit('market');
    fake.drop('drop', ['/data/Цены/A.csv']);
    await until(() => expect(find('chart').querySelector('h2')?.textContent).toBe('A'));
    expect(asked).toEqual([{ paths: ['/data/Цены/A.csv'], map: [], skip_bad_rows: false }]);
    const current = all('series').filter((one) => one.hasAttribute('aria-current'));
    expect(current.map((one) => one.dataset['symbol'])).toEqual(['A']);
  });

  it('imports in turn what is dropped during an import, and keeps the report until it is put away', async () => {
    const usual = fake.usual('market.import');
    const gates: (() => void)[] = [];
    fake.answer('market.import', async (args) => {
      await new Promise<void>((done) => gates.push(done));
      return usual(args);
    });
    await visit('market');
    fake.drop('drop', ['/data/A.csv']);
    await settle();
    fake.drop('drop', ['/data/B.csv']);
    await press('rail-rooms');
    expect(gates.length).toBe(1);
    gates[0]?.();
    await until(() => expect(gates.length).toBe(2));
    gates[1]?.();
    await press('rail-market');
    await until(() => expect(all('import-file').length).toBe(2));
    expect(find('import-report').textContent).toContain('A.csv');
    expect(find('import-report').textContent).toContain('B.csv');
    await press('report-close');
    await press('rail-rooms');
    await press('rail-market');
    expect(has('import-report')).toBe(false);
  });

  it('offers the files that it reads', async () => {
    const picks = vi.spyOn(shell, 'pickFiles');
    await visit('market');
    find('market-import').focus();
    await press('market-import');
    expect(document.activeElement).toBe(find('drop-market-path'));
    const buttons = [...find('drop-market').querySelectorAll('button')];
    buttons.find((button) => button.textContent?.includes('Files'))?.click();
    await settle();
    expect(picks.mock.calls[0]?.[1].map(({ extensions }) => extensions)).toEqual([['csv', 'tsv', 'txt']]);
  });

  it('computes to a file and shares the run', async () => {
    const asked = heard('market.indicators');
    const shared = heard('share');
    await visit('market');
    await press('run-indicators');
    expect(find('dialog-confirm')).toHaveProperty('disabled', true);
    await type('run-out', '/out/все.csv');
    await accessible();
    await press('dialog-confirm');
    await until(() => expect(find('run-done').textContent).toContain('BTCUSD'));
    expect(asked).toEqual([{ symbols: ['BTCUSD'], only: [], out: '/out/все.csv' }]);
    await press('run-share');
    find('share-dialog').querySelector<HTMLElement>('[data-testid="dialog-confirm"]')?.click();
    await until(() => expect(shared).toEqual([{ result: 'run:7', room: 'r1' }]));
  });
});

describe('images', () => {
  it('starts a batch from a typed path, with a place for results of its own', async () => {
    fake.world().jobs = [];
    const asked = heard('images.run');
    await visit('images');
    expect(find('images-start')).toHaveProperty('disabled', true);
    await type('drop-images-path', '/home/Мария/Снимки 2026');
    await key(find('drop-images-path'), 'Enter');
    expect(find('images-out')).toHaveProperty('value', '/home/Мария/Снимки 2026-artel');
    await press('images-start');
    await until(() => expect(has('batch-view')).toBe(true));
    expect(asked).toEqual([
      {
        inputs: ['/home/Мария/Снимки 2026'],
        recipe: 'web',
        out: '/home/Мария/Снимки 2026-artel',
        backend: 'auto',
      },
    ]);
    expect(find('toast').textContent).toContain('2 files are no pictures');
  });

  it('keeps what was chosen while another place is shown, until the profile is locked', async () => {
    await visit('images');
    fake.drop('drop', ['/p']);
    await settle();
    await type('images-out', '/results');
    await press('rail-rooms');
    await press('rail-images');
    expect(find('images-input').textContent).toContain('/p');
    expect(find('images-out')).toHaveProperty('value', '/results');
    await press('lock');
    await type('first-run-passphrase', 'x');
    await press('first-run-open');
    await press('rail-images');
    await press('images-new');
    expect(has('images-input')).toBe(false);
    expect(find('images-out')).toHaveProperty('value', '');
  });

  it('keeps what was chosen when the start is refused', async () => {
    fake.world().jobs = [];
    fake.answer('images.run', () => {
      throw new CallError(
        'bad_input',
        'The folder for results lies inside the pictures.',
        'Choose another folder.',
      );
    });
    await visit('images');
    fake.drop('drop', ['/p']);
    await settle();
    await press('images-start');
    expect(find('error').textContent).toContain('Choose another folder.');
    expect(find('images-input').textContent).toContain('/p');
  });

  it('draws only the thumbnails in sight, and follows the batch', async () => {
    await visit('images');
    await until(() => expect(all('thumbnail').length).toBeGreaterThan(10));
    expect(all('thumbnail').length).toBeLessThan(101);
    expect(find('thumbnail').querySelector('img')).not.toBeNull();
    const failed = all('thumbnail').find((item) => item.dataset['state'] === 'failed');
    expect(failed?.title).toContain('is not a picture');
    await accessible();
  });

  it('lists what failed with its reason', async () => {
    await visit('images');
    await press('tab-failed');
    await until(() => expect(find('failed-item').textContent).toContain('IMG_2037.jpg is not a picture'));
    expect(find('failed-item').textContent).toContain('tried 2 times');
    await accessible();
  });

  it('says when the pictures of a batch cannot be listed, and not that nothing failed', async () => {
    await visit('images');
    fake.answer('jobs.items', () => {
      throw new CallError('damaged', 'Page 12 of the database does not read.');
    });
    await press('tab-failed');
    await until(() => expect(find('batch-view').textContent).toContain('Page 12 of the database'));
    expect(has('empty')).toBe(false);
    await accessible();
    fake.restore('jobs.items');
    await press('retry');
    await until(() => expect(has('failed-item')).toBe(true));
    expect(has('error')).toBe(false);
    await key(find('tab-failed'), 'ArrowLeft');
    expect(document.activeElement).toBe(find('tab-all'));
    expect(has('thumbnail')).toBe(true);
    fake.answer('jobs.items', () => new Promise<never>(() => undefined));
    await press('tab-failed');
    expect(has('empty')).toBe(false);
    fake.answer('jobs.items', () => ({ items: [], total: 0 }));
    await press('tab-all');
    await press('tab-failed');
    await until(() => expect(find('empty').textContent).toContain('Nothing failed'));
  });

  it('takes a folder dropped beside a running batch into a new one', async () => {
    await visit('images');
    fake.drop('drop', ['/new folder']);
    await until(() => expect(find('images-input').textContent).toContain('/new folder'));
  });
});

describe('catalog', () => {
  it('draws a window of the table and says what is switched off', async () => {
    await visit('catalog');
    await until(() => expect(all('product').length).toBeGreaterThan(10));
    expect(all('product').length).toBeLessThan(60);
    expect(find('catalog-stats').textContent).toContain('8\u202f120');
    expect(find('switched-off').textContent).toContain('stock, shoe last');
  });

  it('counts what is out of date, when anything is', async () => {
    await visit('catalog');
    await until(() => expect(find('catalog-outdated').textContent?.replace(/\s+/g, '')).toBe('Outofdate214'));
    expect(find('catalog-outdated').title).toContain('Similar products have changed since');
    const stats = await shell.call('catalog.stats', {});
    fake.answer('catalog.stats', () => ({ ...stats, outdated: 0 }));
    fake.tell({ type: 'catalog' });
    await until(() => expect(has('catalog-outdated')).toBe(false));
  });

  it('searches', async () => {
    await visit('catalog');
    await type('product-search', '10007');
    await until(() => expect(all('product').map((row) => row.dataset['code'])).toEqual(['NS-10007-43']));
    await type('product-search', 'nothing like this');
    await until(() => expect(find('empty').textContent).toContain('No product fits'));
  });

  it('is walked by arrows, and the product beside goes along', async () => {
    await visit('catalog');
    await until(() => expect(all('product').length).toBeGreaterThan(10));
    all('product')[0]?.focus();
    await key(all('product')[0] ?? window, 'ArrowDown');
    expect(document.activeElement).toBe(all('product')[1]);
    expect(has('product-panel')).toBe(false);
    all('product')[1]?.click();
    await settle();
    await key(all('product')[1] ?? window, 'ArrowDown');
    expect(document.activeElement).toBe(all('product')[2]);
    expect(all('product')[2]?.getAttribute('aria-pressed')).toBe('true');
    await key(all('product')[2] ?? window, 'ArrowUp');
    expect(all('product')[1]?.getAttribute('aria-pressed')).toBe('true');
    await key(all('product')[0] ?? window, 'ArrowUp');
    expect(document.activeElement).toBe(all('product')[1]);
  });

  it('keeps search, choice and report while another place is shown, until the profile is locked', async () => {
    await visit('catalog');
    fake.drop('drop', ['/data/shoes.csv']);
    await until(() => expect(has('import-report')).toBe(true));
    await type('product-search', '10007');
    await until(() => expect(all('product').length).toBe(1));
    await press('product');
    await press('rail-rooms');
    await press('rail-catalog');
    await until(() => expect(all('product').length).toBe(1));
    expect(find('product-search')).toHaveProperty('value', '10007');
    expect([has('product-panel'), has('import-report')]).toEqual([true, true]);
    await press('lock');
    await type('first-run-passphrase', 'x');
    await press('first-run-open');
    await press('rail-catalog');
    await until(() => expect(has('product-search')).toBe(true));
    expect(find('product-search')).toHaveProperty('value', '');
    expect([has('product-panel'), has('import-report')]).toEqual([false, false]);
  });

  it('shows recommendations with their terms, the document and its preview', async () => {
    await visit('catalog');
    await until(() => expect(has('product')).toBe(true));
    await press('product');
    await until(() => expect(all('recommendation').length).toBe(4));
    expect(all('recommendation')[2]?.textContent?.replace(/\s+/g, ' ')).toContain('size −50');
    await accessible();
    await press('tab-preview');
    expect(find('document-preview').querySelectorAll('figure').length).toBe(4);
    expect(find('document-preview').querySelector('img')).toBeNull();
    await press('tab-json');
    expect(find('document-json').textContent).toContain('"version": 0.3');
    await key(window, 'Escape');
    expect(has('product-panel')).toBe(false);
  });

  it('reports an import: columns, what is off, rows left out', async () => {
    await visit('catalog');
    await press('catalog-import');
    await type('drop-catalog-path', '/data/Обувь.xlsx');
    await key(find('drop-catalog-path'), 'Enter');
    await until(() => expect(find('import-file').textContent).toContain('Обувь.xlsx'));
    expect(find('columns').textContent).toContain('Артикул*');
    expect(find('import-report').textContent).toContain('stock, shoe last');
    expect(find('problems').textContent).toContain('line 44');
    await accessible();
  });

  it('builds, exports and checks', async () => {
    fake.world().jobs = [];
    const enriched = heard('catalog.enrich');
    const exported = heard('catalog.export');
    await visit('catalog');
    await press('catalog-enrich');
    await type('enrich-preset', 'seasonal');
    await accessible();
    await press('dialog-confirm');
    await until(() =>
      expect(enriched).toEqual([
        { brand: null, preset: 'seasonal', all: false, header_image: null, footer_image: null },
      ]),
    );
    expect(find('catalog-enrich')).toHaveProperty('disabled', true);
    await press('catalog-export');
    await type('export-out', '/out/rich.jsonl');
    await press('dialog-confirm');
    await until(() => expect(exported).toEqual([{ out: '/out/rich.jsonl', brand: null, all: false }]));
    await press('catalog-validate');
    await until(() =>
      expect(find('validate-dialog').textContent).toContain('3\u202f105 of 3\u202f105 documents are valid'),
    );
    await accessible();
  });
});

describe('machine', () => {
  it('dials what was typed, and says why it cannot', async () => {
    await visit('machine');
    expect(all('own-address').length).toBe(2);
    expect(all('peer').length).toBe(6);
    await type('dial-address', 'here');
    await press('dial');
    expect(find('error').textContent).toContain('“here” is no address.');
    expect(find('error').textContent).toContain('/ip4/192.168.1.20/tcp/47600');
    await type('dial-address', '/ip4/10.0.0.2/tcp/1');
    await press('dial');
    await until(() => expect(find('toast').textContent).toContain('Connected to'));
  });

  it.each(['health', 'care', 'gpu', 'settings', 'about'])('%s is accessible', async (part) => {
    await visit('machine');
    await press(`machine-${part}`);
    await accessible();
  });

  it('says how things are and what to do', async () => {
    await visit('machine');
    await press('machine-health');
    expect(find('health-verdict').dataset['verdict']).toBe('warnings');
    expect(all('check').map((check) => check.dataset['grade'])).toEqual(['well', 'well', 'warning', 'well']);
    expect(all('check')[2]?.textContent).toContain('The last one is 9 days old');
    expect(all('check')[2]?.textContent).toContain('Make one in Backups');
    setLanguage('uk');
    await settle();
    expect(all('check')[1]?.textContent).toContain('Вільно 212 ГіБ на диску з /home');
    expect(all('check')[2]?.textContent).toContain('Останню зроблено 9 днів тому');
    const params = {};
    const unknown = {
      name: 'x',
      grade: 'warning',
      code: 'new_code',
      message: 'As told.',
      params,
      hint: 'Do it.',
    };
    fake.answer('care.health', () => ({ verdict: 'warnings', checks: [unknown] }));
    await press('rail-rooms');
    await press('rail-machine');
    await press('machine-health');
    await until(() => expect(find('check').textContent).toContain('As told.'));
    expect(find('check').textContent).toContain('Do it.');
  });

  it('writes ports as they are typed, and counts as one reads them', async () => {
    const params = { usual: '47600', port: '47601', by: 'nc' };
    const found = { name: 'port', grade: 'warning', code: 'net_port_other', message: '', hint: null, params };
    fake.answer('net.doctor', () => ({ verdict: 'warnings', checks: [found] }));
    await visit('machine');
    await press('net-check');
    await until(() => expect(find('check').textContent).toContain('Port 47600 is taken by nc'));
    expect(find('check').textContent).toContain('listens on 47601');
  });

  it('says in the language in use who has a port and why an address is not reached', async () => {
    const check = { name: 'port', grade: 'well', message: '', hint: null };
    const list = '/ip4/10.0.0.2/tcp/47600 (no_answer), /ip4/10.0.0.3/tcp/47600 (refused)';
    fake.answer('net.doctor', () => ({
      verdict: 'well',
      checks: [
        { ...check, code: 'net_port_taken', params: { usual: '47600', by: 'another' } },
        {
          ...check,
          name: 'remembered',
          code: 'net_remembered_some',
          params: { all: '2', reached: '0', list },
        },
      ],
    }));
    await visit('machine');
    await press('net-check');
    setLanguage('uk');
    await until(() => expect(all('check')[0]?.textContent).toContain('Порт 47600 зайнято: інша програма'));
    const said = '/ip4/10.0.0.2/tcp/47600 (немає відповіді), /ip4/10.0.0.3/tcp/47600 (там ніхто не слухає)';
    expect(all('check')[1]?.textContent).toContain(said);
  });

  it('backs up and reads the backup through', async () => {
    await visit('machine');
    await press('machine-care');
    expect(all('backup').length).toBe(3);
    await press('backup-now');
    await until(() => expect(all('backup').length).toBe(4));
    await press('backup-verify');
    await until(() => expect(find('backup-state').textContent).toContain('can be restored'));
    fake.answer('care.verify', ({ backup }) => ({
      backup: backup ?? '',
      good: false,
      tables: [],
      problem: 'Page 3 does not read.',
    }));
    await press('backup-verify');
    await until(() => expect(find('backup').textContent).toContain('Page 3 does not read.'));
  });

  it('changes language and theme, and the next window knows', async () => {
    await visit('machine');
    await press('machine-settings');
    await type('settings-theme', 'dark');
    expect(document.documentElement.dataset['theme']).toBe('dark');
    await type('settings-language', 'ru');
    expect(find('place-machine').textContent).toContain('Настройки');
    Object.assign(prefs, { theme: 'system', dark: false });
    startPrefs();
    expect(prefs.dark).toBe(true);
    expect(document.documentElement.lang).toBe('ru');
  });

  it('says what a setting may be', async () => {
    await visit('machine');
    await press('machine-settings');
    const [ping] = all('setting');
    const words = document.getElementById(ping?.getAttribute('aria-describedby') ?? '');
    expect(words?.textContent).toContain('2 to 600');
  });

  it('takes a refused setting back', async () => {
    fake.answer('settings.set', () => {
      throw new CallError('bad_arguments', 'workers is a number from 1 to 64');
    });
    await visit('machine');
    await press('machine-settings');
    const before = (find('setting') as HTMLInputElement).value;
    await type('setting', 'many');
    expect(find('toast').textContent).toContain('a number from 1 to 64');
    await until(() => expect(find('setting')).toHaveProperty('value', before));
  });

  it('names the makers of the charts', async () => {
    await visit('machine');
    await press('machine-about');
    expect(find('place-machine').textContent).toContain('TradingView Lightweight Charts');
    expect(find('place-machine').textContent).toContain('https://www.tradingview.com/');
    expect(find('version').textContent).toBe('Version 0.1.0');
  });
});

describe('a dialog that is closed while it is busy', () => {
  type Case = [place: string, command: Name, opens: string, typed: [string, string][], words: string];
  const cases: Case[] = [
    ['market', 'market.indicators', 'run-indicators', [['run-out', '/out/all.csv']], 'all.csv is saved'],
    ['catalog', 'catalog.export', 'catalog-export', [['export-out', '/o.jsonl']], 'rows are written'],
    ['catalog', 'catalog.enrich', 'catalog-enrich', [], 'Started: Rich Content: Everything in balance'],
    ['rooms', 'room.new', 'new-room', [['room-name-input', 'Lab']], '“Lab” is made'],
    ['rooms', 'space.new', 'new-space', [['space-name-input', 'Club']], '“Club” is made'],
  ];

  /** Confirms a dialog and closes it before the answer; gives back what lets the answer come. */
  async function leave([place, command, opens, typed]: Case, fails: boolean): Promise<() => Promise<void>> {
    let answer: () => void = () => undefined;
    const usual = fake.usual(command) as (args: never) => unknown;
    const late = async (args: never): Promise<unknown> => {
      await new Promise<void>((done) => (answer = done));
      if (fails) throw new CallError('disk_full', 'No space left.');
      return usual(args);
    };
    fake.world().jobs = [];
    fake.answer(command, late as never);
    await visit(place);
    await press(opens);
    for (const [id, text] of typed) await type(id, text);
    await press('dialog-confirm');
    await press('dialog-close');
    expect(has('dialog-close')).toBe(false);
    return async () => {
      answer();
      await settle();
    };
  }

  it.each(cases)('in %s: %s tells the outcome and moves nobody', async (...one) => {
    const answer = await leave(one, false);
    const title = find('title-space').textContent;
    await answer();
    await until(() => expect(all('toast').at(-1)?.textContent).toContain(one[4]));
    expect(find('title-space').textContent).toBe(title);
    if (one[0] === 'rooms') expect(find('composer').getAttribute('aria-label')).toBe('Write in General');
  });

  it.each(cases)('in %s: %s tells what went wrong', async (...one) => {
    const answer = await leave(one, true);
    await answer();
    expect(find('toast').textContent).toContain('No space left.');
  });
});

describe('a question to the outside', () => {
  it('drops an answer that was overtaken', async () => {
    const gates: ((value: string) => void)[] = [];
    const query = new Query(() => new Promise<string>((done) => gates.push(done)));
    const first = query.reload();
    const second = query.reload();
    gates[1]?.('new');
    await second;
    gates[0]?.('old');
    await first;
    expect(query.data).toBe('new');
  });

  it('keeps what was here when asking again fails', async () => {
    let broken = false;
    const query = new Query(() => (broken ? Promise.reject(new Error('x')) : Promise.resolve('here')));
    await query.reload();
    broken = true;
    await query.reload();
    expect([query.data, query.error?.code]).toEqual(['here', 'internal']);
  });
});

describe('a long list', () => {
  it('asks for the pages in sight once, and forgets what is far away', async () => {
    const asked: number[] = [];
    const pages = new Pages<number>(100, (offset, limit) => {
      asked.push(offset);
      return Promise.resolve({
        rows: Array.from({ length: limit }, (_, at) => offset + at),
        total: 1_000_000,
      });
    });
    pages.restart();
    pages.need(0, 30);
    await settle();
    expect([asked, pages.row(42), pages.total]).toEqual([[0], 42, 1_000_000]);
    pages.need(195, 205);
    await settle();
    expect([asked, pages.row(204)]).toEqual([[0, 100, 200], 204]);
    for (let page = 3; page < 60; page += 1) {
      pages.need(page * 100, page * 100 + 10);
      await settle();
    }
    expect(pages.row(0)).toBeUndefined();
    expect(pages.row(5905)).toBe(5905);
  });
});

describe('the list pane', () => {
  it('keeps to its bounds and is remembered', async () => {
    setPane(900);
    expect(prefs.pane).toBe(320);
    setPane(Number.NaN);
    expect(prefs.pane).toBe(320);
    await show();
    const edge = document.querySelector<HTMLElement>('[role="separator"][tabindex="0"]');
    if (!edge) throw new Error('no edge');
    await key(edge, 'ArrowLeft');
    expect(prefs.pane).toBe(312);
    expect(localStorage.getItem('artel.pane')).toBe('312');
  });
});
