import { describe, expect, it } from 'vitest';

import type { Message } from '../src/bindings/Message';
import { best, fit } from '../src/components/palette';
import { visible } from '../src/components/FixedList.svelte';
import { hue, initials } from '../src/components/Avatar.svelte';
import { CallError } from '../src/contract';
import { brief, bytes, day, duration, fileName, percent, price, relative } from '../src/format';
import { setLanguage } from '../src/i18n/index.svelte';
import { mediaAddress } from '../src/media';
import { pretty, widgetsOf } from '../src/places/catalog/document';
import { outFor } from '../src/places/images/batch.svelte';
import { precision } from '../src/places/market/candles';
import { laidOut } from '../src/places/market/picture';
import { csvOf } from '../src/places/market/values';
import { bitmapEnding, pastedPaths } from '../src/places/rooms/paste';
import { firstUnread, rowsOf, upsert } from '../src/places/rooms/rows';
import { spell } from '../src/state/market.svelte';
import { wordsOf } from '../src/state/notices.svelte';
import { backendOf, factOf, rangeOf, titleOf, valueOf } from '../src/words';

const noon = new Date(2026, 10, 20, 12).getTime();

function message(id: string, author: string, at: number, more: Partial<Message> = {}): Message {
  return {
    id,
    order: id,
    author,
    name: author,
    role: 'student',
    at,
    text: id,
    edited: false,
    deleted: false,
    closed: false,
    deleting_until: null,
    reply_to: null,
    attachments: [],
    read_by: [],
    reactions: [],
    result: null,
    mine: author === 'me',
    late: false,
    provisional: false,
    delivered: 0,
    ...more,
  };
}

/** Rows in short: d a day, n the new line, upper case a message with a head, lower case one without. */
function shape(messages: Message[], firstNew?: string): string {
  return rowsOf(messages, firstNew)
    .map((row) => (row.kind !== 'message' ? row.kind.charAt(0) : row.first ? row.key.toUpperCase() : row.key))
    .join('');
}

describe('words for what the core says in English', () => {
  it.each([
    ['images', 'web: Photos of the yard', 'Для сети: Photos of the yard'],
    ['images', 'web: a, b, c and 1204 more', 'Для сети: a, b, c и ещё 1\u202f204'],
    ['images', 'web: salt and 3 more', 'Для сети: salt and 3 more'],
    ['images', 'my own: Photos', 'my own: Photos'],
    ['images', 'Photos', 'Photos'],
    ['catalog', 'Rich Content: standard, showcase', 'Rich-контент: Всё поровну'],
    ['catalog', 'Rich Content: Север, Юг, size, showcase', 'Rich-контент: Север, Юг, Размер'],
    ['catalog', 'Rich Content: other, showcase', 'Rich Content: other, showcase'],
    ['indicators', 'Indicators: A, B, C and 5 more', 'Индикаторы: A, B, C и ещё 5'],
    ['indicators', 'web: A', 'web: A'],
  ])('has titles: %s, %s', (kind, title, words) => {
    setLanguage('ru');
    expect(titleOf(kind, title)).toBe(words);
  });

  it.each([
    ['cpu', 'процесор'],
    ['gpu: NVIDIA RTX 4060', 'відеокарта: NVIDIA RTX 4060'],
    ['cpu, gpu: cpu of Intel, Inc', 'процесор, відеокарта: cpu of Intel, Inc'],
    ['other', 'other'],
  ])('has backends: %s', (backend, words) => {
    setLanguage('uk');
    expect(backendOf(backend)).toBe(words);
    expect(factOf('backend', backend)).toBe(words);
  });

  it.each([
    ['2 to 600 s', 'от 2 до 600'],
    ['1 to 36500 days', 'от 1 до 36\u202f500'],
    ['on or off', '«on» (включено) или «off» (выключено)'],
  ])('has ranges: %s', (allowed, words) => {
    setLanguage('ru');
    expect(rangeOf(allowed)).toBe(words);
  });

  it.each([
    ['0.10', '0,10'],
    ['45 GiB', '45 ГиБ'],
    ['20480', '20\u202f480'],
    ['BTCUSD', 'BTCUSD'],
    ['12 months', '12 months'],
  ])('has values: %s', (value, words) => {
    setLanguage('ru');
    expect(valueOf(value)).toBe(words);
    expect(factOf('seconds', value)).toBe(words);
  });
});

describe('history', () => {
  const minute = 60_000;

  it.each([
    [
      'one author within five minutes is one group',
      [message('a', 'x', noon), message('b', 'x', noon + 5 * minute)],
      'dAb',
    ],
    ['later begins anew', [message('a', 'x', noon), message('b', 'x', noon + 5 * minute + 1)], 'dAB'],
    ['another author begins anew', [message('a', 'x', noon), message('b', 'y', noon + 1)], 'dAB'],
    ['a reply begins anew', [message('a', 'x', noon), message('b', 'x', noon + 1, { reply_to: 'a' })], 'dAB'],
    [
      'a clock that is behind does not reorder',
      [message('a', 'x', noon), message('b', 'x', noon - minute)],
      'dAb',
    ],
    [
      'midnight separates',
      [
        message('a', 'x', new Date(2026, 10, 20, 23, 59).getTime()),
        message('b', 'x', new Date(2026, 10, 21, 0, 1).getTime()),
      ],
      'dAdB',
    ],
    ['nothing', [], ''],
  ])('%s', (_name, messages, wanted) => {
    expect(shape(messages)).toBe(wanted);
  });

  it('draws the new line before the first new message', () => {
    const all = [message('a', 'x', noon), message('b', 'x', noon + 1), message('c', 'x', noon + 2)];
    expect(shape(all, 'b')).toBe('dAnBc');
  });

  it('knows where a group ends', () => {
    const rows = rowsOf([message('a', 'x', noon), message('b', 'x', noon + 1), message('c', 'y', noon + 2)]);
    expect(rows.map((row) => (row.kind === 'message' ? row.last : row.kind))).toEqual([
      'day',
      false,
      true,
      true,
    ]);
  });

  it('has keys of its own for every row', () => {
    const rows = rowsOf([message('a', 'x', noon), message('b', 'x', noon + 90_000_000)], 'b');
    expect(new Set(rows.map(({ key }) => key)).size).toBe(rows.length);
  });

  it('finds the first unread message among those of others', () => {
    const all = [message('a', 'x', 1), message('b', 'me', 2), message('c', 'x', 3), message('d', 'x', 4)];
    expect(firstUnread(all, 2)).toBe('c');
    expect(firstUnread(all, 3)).toBe('a');
    expect(firstUnread(all, 99)).toBe('a');
    expect(firstUnread(all, 0)).toBeUndefined();
  });

  it('puts a changed message where it was and a new one at the end', () => {
    const all = [message('a', 'x', 1), message('b', 'x', 2)];
    const put = (one: Message, more = true): string =>
      upsert(all, one, more)
        .map(({ text }) => text)
        .join('');
    expect(put(message('a', 'x', 1, { text: 'A' }))).toBe('Ab');
    expect(put(message('c', 'x', 0))).toBe('abc');
    expect(put(message('aa', 'x', 9))).toBe('aaab');
    expect(put(message('Z', 'x', 9))).toBe('ab');
    expect(put(message('Z', 'x', 9), false)).toBe('Zab');
    expect(upsert([], message('c', 'x', 0), true).map(({ id }) => id)).toEqual(['c']);
  });
});

describe('numbers and times', () => {
  it.each([
    [0, '0 bytes'],
    [1, '1 byte'],
    [999, '999 bytes'],
    [2400, '2.4 kB'],
    [999_400, '999 kB'],
    [999_600, '1 MB'],
    [48_000_000, '48 MB'],
    [3e15, '3\u202f000 TB'],
  ])('%d bytes', (size, words) => expect(bytes(size)).toBe(words));

  it.each([
    [0.04, '0 s'],
    [8.25, '8.3 s'],
    [59.7, '1 min 00 s'],
    [191, '3 min 11 s'],
    [7260, '2 h 01 min'],
  ])('%d seconds', (seconds, words) => expect(duration(seconds)).toBe(words));

  it('gives a price the digits its size needs', () => {
    expect([54_106.755, 1.09345, 0.00012345, 0].map(price)).toEqual([
      '54\u202f106.76',
      '1.0935',
      '0.00012345',
      '0.00',
    ]);
    expect([precision([12]), precision([1.1]), precision([0.001]), precision([])]).toEqual([2, 4, 8, 4]);
  });

  it('signs a change', () => {
    expect([0.0125, -0.0125, 0].map(percent)).toEqual(['+1.25%', '\u22121.25%', '0.00%']);
    setLanguage('uk');
    expect(percent(-0.5)).toBe('\u221250,00\u00a0%');
  });

  it('names days', () => {
    expect(day(noon, noon)).toBe('Today');
    expect(day(noon - 86_400_000, noon)).toBe('Yesterday');
    expect(day(noon - 3 * 86_400_000, noon)).toBe('Tuesday 17 November');
    expect(brief(noon, noon)).toBe('12:00');
    expect(brief(noon - 86_400_000, noon)).toBe('19 Nov');
    setLanguage('ru');
    expect(day(noon - 3 * 86_400_000, noon)).toBe('вторник, 17 ноября');
    expect(relative(noon - 3 * 3_600_000, noon)).toMatch(/^3 ч/);
  });
});

describe('small things', () => {
  it('finds what was typed: starts before word starts before inside before scattered', () => {
    expect(['General', 'My general', 'xgeneral', 'g-e-n', 'zoo'].map((text) => fit('gen', text))).toEqual([
      4, 3, 2, 1, 0,
    ]);
    expect(best('rsi', ['STOCHRSI', 'RSI', 'SMA'], (name) => name, 9)).toEqual(['RSI', 'STOCHRSI']);
    expect(best('', ['b', 'a'], (name) => name, 1)).toEqual(['b']);
  });

  it('draws only the rows in sight', () => {
    expect(visible(0, 600, 36, 1_000_000)).toEqual([0, 23]);
    expect(visible(36_000, 600, 36, 1_000_000)).toEqual([994, 1023]);
    expect(visible(36_000, 600, 36, 3)).toEqual([3, 3]);
    expect(visible(0, 600, 36, 0)).toEqual([0, 0]);
  });

  it('makes initials of names in any script', () => {
    expect(['Мария Иванова', 'zoe', 'Анна де ла Круз', '  ', '👩‍🚀 Astro'].map(initials)).toEqual([
      'МИ',
      'Z',
      'АД',
      '',
      '👩A',
    ]);
    expect(hue('ab')).toBe(hue('ab'));
  });

  it('reads the end of any path', () => {
    expect(['/a/б в/c.jpg', 'C:\\Мои документы\\x.csv', '/a/b/', 'x'].map(fileName)).toEqual([
      'c.jpg',
      'x.csv',
      'b',
      'x',
    ]);
    expect(outFor('/home/Мария/Снимки 2026/')).toBe('/home/Мария/Снимки 2026-artel');
    expect(outFor('')).toBe('');
  });

  it('takes pasted files and nothing else', () => {
    const data = (list: string) => ({ getData: () => list });
    expect(pastedPaths(data('# c\r\nfile:///home/%D0%9C/a%20b.png\r\nhttps://x.test/y'))).toEqual([
      '/home/М/a b.png',
    ]);
    expect(pastedPaths(data('file:///C:/x/y.png'))).toEqual(['C:/x/y.png']);
    expect(pastedPaths(data('file:///%E0%A4%A'))).toEqual([]);
    expect(pastedPaths(null)).toEqual([]);
  });

  it('addresses media as each web view knows it', () => {
    expect(mediaAddress('item/12/0', 'Linux')).toBe('media://localhost/item/12/0');
    expect(mediaAddress('attachment/a b?', 'Windows NT')).toBe('http://media.localhost/attachment/a%20b%3F');
  });

  it('spells a function for the wire', () => {
    expect(spell({ name: 'MACD', values: [12, 26, 9] })).toBe('MACD:12:26:9');
    expect(spell({ name: 'OBV', values: [] })).toBe('OBV');
  });
});

describe('a document', () => {
  it('is read widget by widget', () => {
    const widgets = widgetsOf(
      JSON.stringify({
        content: [
          {
            widgetName: 'raShowcase',
            type: 'roll',
            blocks: [{ img: { src: 'https://x/h.jpg', srcMobile: '', alt: 'Head' } }],
          },
          {
            widgetName: 'raShowcase',
            type: 'tileM',
            blocks: [
              { img: { src: 'a' }, title: { content: ['One', 'Two'] }, text: { items: [{ text: 't' }] } },
            ],
          },
        ],
        version: 0.3,
      }),
    );
    expect(
      widgets?.map(({ type, blocks }) => [type, blocks.map(({ title, text }) => [title, text])]),
    ).toEqual([
      ['roll', [['Head', '']]],
      ['tileM', [['One\nTwo', 't']]],
    ]);
  });

  it.each(['', 'null', '[]', '{"content":{}}', '{"content":'])('that is none is refused: %j', (json) => {
    expect(widgetsOf(json)).toBeUndefined();
  });

  it('with odd parts loses only them', () => {
    expect(
      widgetsOf('{"content":[null,{"blocks":[5,{"title":"x"}]}]}')?.map(({ blocks }) => blocks.length),
    ).toEqual([0, 2]);
    expect(pretty('{"a":1}')).toBe('{\n  "a": 1\n}');
    expect(pretty('{broken')).toBe('{broken');
  });
});

describe('errors', () => {
  it('keep code, message, hint and parameters', () => {
    const error = CallError.from({
      code: 'bad_input',
      message: 'a.csv, line 3',
      hint: 'Fix it.',
      params: { line: 3 },
    });
    expect([error.code, error.message, error.hint, error.params]).toEqual([
      'bad_input',
      'a.csv, line 3',
      'Fix it.',
      { line: '3' },
    ]);
  });

  it.each([
    ['a string', 'plain', 'plain'],
    ['an error', new Error('boom'), 'boom'],
    ['something else', 42, '42'],
    ['half an error', { code: 5 }, '[object Object]'],
  ])('made of %s are faults of Artel', (_name, thrown, message) => {
    const error = CallError.from(thrown);
    expect([error.code, error.message]).toEqual(['internal', message]);
  });

  it('are named in the reader’s language, with what to do', () => {
    expect(wordsOf(new CallError('offline', 'm', 'Plug the cable in.')).hint).toBe('Plug the cable in.');
    // A way out over the command line is none in the window.
    const byWindow = 'Everything else works. Restart Artel to start the network again.';
    expect(wordsOf(new CallError('offline', 'm', 'Start with --port 0.')).hint).toBe(byWindow);
    expect(wordsOf(new CallError('not_found', 'm', 'See: artel jobs list')).hint).toBeUndefined();
    expect(wordsOf(new CallError('invite_expired', 'm')).hint).toBe('Ask for a new one.');
    setLanguage('ru');
    expect(wordsOf(new CallError('invite_expired', 'the invite ended an hour ago'))).toEqual({
      title: 'Срок кода истёк',
      detail: 'the invite ended an hour ago',
      hint: 'Попросите новый.',
    });
    expect(wordsOf(new CallError('from_the_future', 'hm', 'Do this.'))).toEqual({
      title: 'В Artel что-то пошло не так',
      detail: 'hm',
      hint: 'Do this.',
    });
  });
});

describe('a pasted file', () => {
  it.each([
    ['image.png', 'image/png', 'png'],
    ['image.jpeg', 'image/jpeg', 'jpeg'],
    ['', 'image/bmp', 'bmp'],
    ['image.png.zip', 'application/zip', undefined],
    ['Карпати.png', 'image/png', undefined],
    ['image.txt', 'text/plain', undefined],
  ])('%s of %s', (name, type, ending) => expect(bitmapEnding({ name, type })).toBe(ending));
});

describe('the chart as a file', () => {
  it('has a row a bar, in UTC, with the functions beside, empty where undefined', () => {
    const at = Date.UTC(2026, 0, 2, 9, 30);
    const bars = {
      symbol: 'A',
      interval: '1m',
      time: [at, at + 60_000],
      open: [1, 2],
      high: [3, 4],
      low: [0.5, 1e-7],
      close: [2, 3],
      volume: [10, 0],
      more: false,
    };
    const csv = csvOf(bars, [
      { columns: [{ name: 'X "1"', time: [at + 60_000], values: [5.25] }], overlap: true, backend: 'cpu' },
      { columns: [{ name: 'Y', time: [at], values: [null] }], overlap: false, backend: 'cpu' },
    ]);
    expect(csv).toBe(
      'time,open,high,low,close,volume,"X ""1""",Y\n' +
        '2026-01-02T09:30:00Z,1,3,0.5,2,10,,\n' +
        '2026-01-02T09:31:00Z,2,4,1e-7,3,0,5.25,\n',
    );
  });

  it('puts words in as many rows as they need', () => {
    expect(laidOut([100, 100, 100], 400).map(({ row }) => row)).toEqual([0, 0, 0]);
    expect(laidOut([100, 200, 100], 360).map(({ row }) => row)).toEqual([0, 0, 1]);
    expect(laidOut([900, 10], 300)).toEqual([
      { x: 12, row: 0 },
      { x: 12, row: 1 },
    ]);
    expect(laidOut([], 300)).toEqual([]);
  });
});
