/** Made-up people, prices, pictures and products. Nothing here is real, and none of it is shipped. */
import type { Bars } from '../bindings/Bars';
import type { DeviceInfo } from '../bindings/DeviceInfo';
import type { FunctionInfo } from '../bindings/FunctionInfo';
import type { InviteState } from '../bindings/InviteState';
import type { ItemInfo } from '../bindings/ItemInfo';
import type { JobInfo } from '../bindings/JobInfo';
import type { MemberInfo } from '../bindings/MemberInfo';
import type { Message } from '../bindings/Message';
import type { Person } from '../bindings/Person';
import type { PolicyInfo } from '../bindings/PolicyInfo';
import type { ProductRow } from '../bindings/ProductRow';
import type { ReportInfo } from '../bindings/ReportInfo';
import type { RoomInfo } from '../bindings/RoomInfo';
import type { SpaceInfo } from '../bindings/SpaceInfo';

/** Repeatable random numbers below 1. */
export function dice(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}

const names =
  'Maria Ivanova;Oleh Kovalenko;Анна Смирнова;Тарас Мельник;James Whitfield;Sofia Marchenko;Дмитрий Орлов;Олена Шевченко;Lukas Brandt;Вера Павлова;Ivan Petrenko;Emily Carter;Ніна Бондар;Артём Волков;Chloe Martin;Юлія Ткаченко;Pavel Novak;Ксения Белова;Noah Fischer;Марко Левченко;Alina Popova;Степан Гнатюк;Olivia Brown;Тимур Захаров;Daria Romanenko;Peter Lang;Світлана Кравець;Roman Sokolov;Hanna Weiss;Богдан Лисенко;Zoe Adams'.split(
    ';',
  );

export const key = (at: number): string => at.toString(16).padStart(2, '0').repeat(32);

export const members: MemberInfo[] = names.map((name, at) => ({
  member: key(at),
  name,
  role: at === 0 ? 'owner' : at === 4 ? 'teacher' : at === 30 ? 'observer' : 'student',
  state: 'member',
  online: at % 11 !== 7,
  me: at === 0,
  blocked: false,
  erased: false,
  copied: at === 3,
  conversation: at === 0 ? null : `d${at}`,
  devices: at === 0 ? [key(77), key(78)] : [key(100 + at)],
}));

/** Those who are not in the first space any more. */
const gone: MemberInfo[] = ['Віктор Дзюба', 'Jonas Meyer'].map((name, at) => ({
  member: key(90 + at),
  name,
  role: 'student',
  state: 'removed',
  online: false,
  me: false,
  blocked: at === 0,
  erased: false,
  copied: false,
  conversation: `d${90 + at}`,
  devices: [],
}));

export function everyone(): Map<string, MemberInfo[]> {
  return new Map([
    ['sp1', [...members, ...gone]],
    ['sp2', members.slice(0, 9).map((one) => ({ ...one, role: one.me ? 'student' : one.role }))],
  ]);
}

export function devices(): DeviceInfo[] {
  return [
    { device: key(77), this: true, online: true, spaces: ['9B · Computer science', 'Photo club'] },
    { device: key(78), this: false, online: false, spaces: ['9B · Computer science'] },
  ];
}

const hour = 3_600_000;

export function spaces(): SpaceInfo[] {
  return [
    {
      space: 'sp1',
      name: '9B · Computer science',
      role: 'owner',
      state: 'member',
      members: 31,
      online: 28,
      unread: 6,
      direct: true,
      held: false,
    },
    {
      space: 'sp2',
      name: 'Photo club',
      role: 'student',
      state: 'member',
      members: 9,
      online: 2,
      unread: 0,
      direct: true,
      held: false,
    },
  ];
}

export function rules(now: number): PolicyInfo[] {
  return [
    { key: 'history', value: '30', by: 'Maria Ivanova', at: now - 4 * 86_400_000 },
    { key: 'direct', value: 'on', by: null, at: null },
    { key: 'pages', value: 'students', by: null, at: null },
  ];
}

export function invites(now: number): InviteState[] {
  const invite = (id: string, more: Partial<InviteState>): InviteState => ({
    id,
    role: 'student',
    seats: 40,
    used: 0,
    expires_at: now + 20 * 3_600_000,
    approve: false,
    revoked: false,
    by: 'Maria Ivanova',
    ...more,
  });
  return [
    invite('i1', { used: 27, expires_at: now - 3 * 86_400_000 }),
    invite('i2', { role: 'teacher', seats: 1, used: 1, approve: true, expires_at: now + 5 * 3_600_000 }),
    invite('i3', { role: 'observer', seats: 3, revoked: true, by: 'James Whitfield' }),
    invite('i4', { used: 4, approve: true }),
  ];
}

export function rooms(now: number): RoomInfo[] {
  const room = (
    id: string,
    space: string,
    name: string,
    unread: number,
    last: string | null,
    ago: number,
    audience = 'all',
  ): RoomInfo => ({
    room: id,
    space,
    space_name: spaces().find((one) => one.space === space)?.name ?? '',
    name,
    audience,
    with: null,
    unread,
    last,
    last_at: last === null ? null : now - ago,
    withheld: false,
  });
  return [
    room('r1', 'sp1', 'General', 4, 'Anyone else done with part two?', 2 * 60_000),
    room('r2', 'sp1', 'Homework', 2, 'The table goes to Friday', 40 * 60_000),
    room('r3', 'sp1', 'Results', 0, '240 pictures, all done', 26 * hour, 'teachers'),
    room('r4', 'sp2', 'Night walk', 0, 'Bring a tripod', 50 * hour),
    room('r5', 'sp2', 'Prints', 0, null, 0, 'chosen'),
  ];
}

export function reports(now: number): ReportInfo[] {
  return [
    {
      id: 'p1',
      by: key(7),
      by_name: members[7]?.name ?? '',
      at: now - 3 * hour,
      text: 'This is not how we talk here',
      reported: {
        message: 'm1',
        author: key(12),
        name: members[12]?.name ?? '',
        room: 'General',
        at: now - 4 * hour,
        text: 'Хто це взагалі написав?',
        edit: null,
        files: [],
      },
    },
    { id: 'p2', by: key(9), by_name: members[9]?.name ?? '', at: now - hour, text: 'Look', reported: null },
  ];
}

/** Notes as the fake shell keeps them: every text they ever had, the newest last. */
export interface Page {
  students: boolean;
  texts: string[];
  by: string;
  at: number;
}

export function notes(now: number): Map<string, Page> {
  return new Map([
    [
      'r1',
      {
        students: true,
        texts: [
          'Part two, to be handed in on Friday\n\n1. Import BTCUSD.csv without bad rows.\n2. Draw MACD in a pane of its own.\n3. Write down where the lines cross:\n   14 March, 2 May, 19 June\n\nQuestions for the lesson\n— Чому перші 33 рядки порожні?\n— Как сохранить график?\n',
        ],
        by: 'Олена Шевченко',
        at: now - 12 * 60_000,
      },
    ],
    [
      'r4',
      {
        students: false,
        texts: ['Night walk, 28 November\n\nMeet at the bridge at 18:00.\n'],
        by: 'James Whitfield',
        at: now - 26 * hour,
      },
    ],
  ]);
}

const talk: [author: number, minutesAgo: number, text: string][] = [
  [
    4,
    1500,
    'Good morning! Today we compare the six outputs. The folder with the photos is in the shared drive of the lab.',
  ],
  [7, 1495, 'Доброго ранку! А маски теж там?'],
  [4, 1494, 'Yes, beside the pictures, same name with .mask.png'],
  [0, 1480, 'I started a batch of 240 on desk 12. I will share the contact sheet when it is done.'],
  [0, 1479, 'It survives a restart, so feel free to switch the machine off.'],
  [2, 1466, 'Отлично, а мы пока посчитаем индикаторы.'],
  [10, 1465, 'SMA and RSI match the table in the book to the last digit 👌'],
  [0, 1380, ''],
  [5, 1378, 'That was quick!'],
  [4, 60, 'Part two is up: take BTCUSD.csv and draw MACD in a pane of its own. Say which bars cross.'],
  [4, 59, 'Ask here if a file will not load. The message tells the line.'],
  [3, 44, 'У мене рядок 812: high нижчий за low'],
  [4, 42, 'Good find. Import it without bad rows and write down how many were left out.'],
  [0, 31, 'One row here too. The rest is fine.'],
  [6, 12, 'Пересечения: 14 марта, 2 мая и 19 июня.'],
  [11, 9, 'I have one more, 3 July. Sending my chart.'],
  [11, 8, ''],
  [14, 2, 'Anyone else done with part two?'],
];

const person = (at: number): Person => ({ member: key(at), name: members[at]?.name ?? '' });

/** The place of a message with this number. */
export const orderOf = (number: number): string => String(number).padStart(8, '0');

export function messages(now: number): Message[] {
  const list = talk.map(([author, ago, text], at): Message => {
    const who = members[author];
    return {
      id: `m${1000 + at}`,
      order: orderOf(1000 + at),
      author: key(author),
      name: who?.name ?? '',
      role: who?.role ?? 'student',
      at: now - ago * 60_000,
      text,
      edited: at === 13,
      deleted: false,
      closed: false,
      deleting_until: null,
      reply_to: null,
      attachments: [],
      reactions: at === 6 ? [{ emoji: '👍', members: [0, 4, 5].map(person), mine: true }] : [],
      result: null,
      mine: author === 0,
      late: false,
      provisional: false,
      delivered: author === 0 ? 27 : 0,
      read_by: author === 0 ? [3, 4, 6].map(person) : [],
    };
  });
  const change = (at: number, more: Partial<Message>): void => {
    const message = list[at];
    if (message) list[at] = { ...message, ...more };
  };
  const file = (id: string, name: string, size: number, type: string, have = size) => ({
    id,
    name,
    size,
    hash: 'ab'.repeat(32),
    media_type: type,
    have,
  });
  change(7, {
    result: {
      kind: 'images',
      title: 'web: desk 12',
      facts: [
        ['done', '238'],
        ['failed', '2'],
        ['seconds', '41.3'],
        ['backend', 'cpu'],
      ],
      preview: 'a1',
    },
    attachments: [
      file('a1', 'contact-sheet.jpg', 412_000, 'image/jpeg'),
      file('a2', 'results.csv', 28_400, 'text/csv', 12_000),
    ],
  });
  change(12, { reply_to: 'm1011' });
  change(16, {
    attachments: [
      file('a3', 'macd.png', 184_000, 'image/png'),
      file('a4', 'crossings.csv', 2_400, 'text/csv'),
    ],
  });
  return list;
}

/** Older messages, made on the way up. */
export function older(before: number, now: number, count: number): Message[] {
  const [pattern] = messages(now);
  if (!pattern) return [];
  return Array.from({ length: count }, (_, at) => {
    const number = before - count + at;
    const who = members[(number * 7) % members.length];
    return {
      ...pattern,
      id: `m${number}`,
      order: orderOf(number),
      author: who?.member ?? pattern.author,
      name: who?.name ?? pattern.name,
      role: who?.role ?? 'student',
      at: now - (1500 + (1000 - number) * 9) * 60_000,
      text: `Note ${number}: ${'the quick brown fox looks at a long row of numbers '.repeat(1 + (number % 3)).trim()}.`,
      mine: who?.me ?? false,
      delivered: who?.me ? 27 : 0,
    };
  });
}

export function job(more: Partial<JobInfo>, now: number): JobInfo {
  return {
    job: 1,
    kind: 'images',
    title: 'Pictures',
    state: 'done',
    total: 240,
    done: 240,
    failed: 0,
    skipped: 0,
    seconds: 41.3,
    per_second: 5.8,
    peak_memory_mb: 212,
    backend: 'cpu',
    remaining_s: null,
    created_at: now,
    out: '/home/maria/Pictures/out',
    error: null,
    ...more,
  };
}

export function jobs(now: number): JobInfo[] {
  return [
    job(
      {
        job: 14,
        title: 'web: Карпати 2026',
        state: 'running',
        total: 1840,
        done: 612,
        failed: 3,
        seconds: 96,
        per_second: 6.4,
        remaining_s: 191,
        backend: 'gpu: NVIDIA RTX 4060',
        created_at: now - 96_000,
      },
      now,
    ),
    job(
      {
        job: 13,
        kind: 'catalog',
        title: 'Rich Content: standard, showcase',
        state: 'paused',
        total: 8120,
        done: 3300,
        per_second: 410,
        created_at: now - 3_000_000,
      },
      now,
    ),
    job(
      {
        job: 12,
        title: 'web: desk 12',
        state: 'done_in_part',
        done: 238,
        failed: 2,
        created_at: now - 23 * hour,
      },
      now,
    ),
    job(
      {
        job: 9,
        title: 'web: Harbour',
        total: 64,
        done: 64,
        seconds: 12.1,
        created_at: now - 70 * hour,
      },
      now,
    ),
  ];
}

export function item(of: JobInfo, index: number): ItemInfo {
  const finished = of.done + of.failed;
  const failed = index % 200 === 37 && index < finished;
  const state = failed
    ? 'failed'
    : index < finished
      ? 'done'
      : of.state === 'running' && index < finished + 4
        ? 'running'
        : 'waiting';
  const name = `IMG_${String(2000 + index)}`;
  return {
    index,
    input: `/home/maria/Pictures/Карпати 2026/${name}.jpg`,
    state,
    attempts: failed ? 2 : state === 'waiting' ? 0 : 1,
    error: failed ? `${name}.jpg is not a picture: it begins with text. Remove it or convert it.` : null,
    output: state === 'done' ? `/home/maria/Pictures/out/${name}.jpg` : null,
    hash: state === 'done' ? 'cd'.repeat(32) : null,
    seconds: 0.2,
    preview: state === 'done' ? `item/${of.job}/${index}` : null,
  };
}

export function bars(symbol: string, now: number, count = 720): Bars {
  const seed = [...symbol].reduce((sum, letter) => sum + letter.charCodeAt(0), 0);
  const roll = dice(seed);
  const out: Bars = {
    symbol,
    interval: '1d',
    time: [],
    open: [],
    high: [],
    low: [],
    close: [],
    volume: [],
    more: true,
  };
  const scale = symbol === 'EURUSD' ? 0.006 : 0.022;
  let last = symbol === 'EURUSD' ? 1.09 : symbol === 'GOOG' ? 142 : 38_000;
  const day = 86_400_000;
  const start = Math.floor(now / day) * day - count * day;
  for (let at = 0; at < count; at += 1) {
    const open = last;
    const close = open * (1 + (roll() - 0.485) * scale * 1.6);
    const high = Math.max(open, close) * (1 + roll() * scale * 0.5);
    const low = Math.min(open, close) * (1 - roll() * scale * 0.5);
    out.time.push(start + at * day);
    out.open.push(open);
    out.high.push(high);
    out.low.push(low);
    out.close.push(close);
    out.volume.push(Math.round(10_000 + roll() * 90_000));
    last = close;
  }
  return out;
}

const listed = `SMA;Simple Moving Average;Overlap Studies;timePeriod=30
EMA;Exponential Moving Average;Overlap Studies;timePeriod=30
BBANDS;Bollinger Bands;Overlap Studies;timePeriod=20,nbDevUp=2,nbDevDn=2
KAMA;Kaufman Adaptive Moving Average;Overlap Studies;timePeriod=30
RSI;Relative Strength Index;Momentum Indicators;timePeriod=14
MACD;Moving Average Convergence/Divergence;Momentum Indicators;fastPeriod=12,slowPeriod=26,signalPeriod=9
ADX;Average Directional Movement Index;Momentum Indicators;timePeriod=14
STOCH;Stochastic;Momentum Indicators;fastK_Period=5,slowK_Period=3,slowD_Period=3
OBV;On Balance Volume;Volume Indicators;
ATR;Average True Range;Volatility Indicators;timePeriod=14
CDLHAMMER;Hammer;Pattern Recognition;
CDLENGULFING;Engulfing Pattern;Pattern Recognition;
HT_DCPERIOD;Hilbert Transform - Dominant Cycle Period;Cycle Indicators;
LINEARREG;Linear Regression;Statistic Functions;timePeriod=14
SQRT;Vector Square Root;Math Transform;`;

export const functions: FunctionInfo[] = listed.split('\n').map((line) => {
  const [name = '', title = '', group = '', parameters = ''] = line.split(';');
  return {
    name,
    title,
    group,
    parameters: parameters
      .split(',')
      .filter(Boolean)
      .map((pair) => {
        const [of = '', value = '0'] = pair.split('=');
        return {
          name: of,
          default: Number(value),
          min: 2,
          max: 100_000,
          integer: !of.startsWith('nbDev'),
          choices: [],
        };
      }),
    inputs: ['close'],
    outputs: name === 'MACD' ? ['', 'signal', 'hist'] : [''],
    overlap: group === 'Overlap Studies',
    engine: ['SMA', 'EMA', 'RSI'].includes(name) ? 'artel' : 'ta-lib',
  };
});

const kinds = ['Кроссовки', 'Ботинки', 'Туфли', 'Сандалии', 'Сапоги'];
export const brands = ['Nordstep', 'Карпати', 'Ralf', 'Alba', 'Veresk'];

export function product(at: number): ProductRow {
  const code = `NS-${String(10_000 + at)}-${36 + (at % 10)}`;
  const brand = brands[Math.floor(at / 7) % brands.length] ?? '';
  const few = at % 17 === 5;
  return {
    vendor_code: code,
    name: `${kinds[at % kinds.length]} ${brand}, размер ${36 + (at % 10)}, ${at % 2 ? 'чёрные' : 'коричневые'}`,
    brand,
    sku: String(1_500_000_000 + at),
    recommendations: few || at > 3300 ? null : 2 + (at % 7),
    reason: few ? 'too_few' : null,
    detail: few ? 'Only 1 of 14 is similar enough.' : null,
  };
}

/** A picture for a media id: a quiet gradient with hills, different for each. */
export function picture(id: string): string {
  const roll = dice([...id].reduce((sum, letter) => sum * 31 + letter.charCodeAt(0), 7));
  const hue = Math.floor(roll() * 360);
  const hill = (y: number): string =>
    `M0 ${y + roll() * 20} C60 ${y - 40 * roll()} 90 ${y + 20} 160 ${y - 30 * roll()} S240 ${y} 240 ${y} V160 H0z`;
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" width="240" height="160"><linearGradient id="g" x2="0" y2="1"><stop stop-color="hsl(${hue} 45% 78%)"/><stop offset="1" stop-color="hsl(${(hue + 40) % 360} 50% 88%)"/></linearGradient><rect width="240" height="160" fill="url(#g)"/><circle cx="${40 + roll() * 160}" cy="${30 + roll() * 30}" r="14" fill="hsl(${(hue + 60) % 360} 80% 92%)"/><path d="${hill(100)}" fill="hsl(${hue} 25% 52%)"/><path d="${hill(128)}" fill="hsl(${hue} 30% 34%)"/></svg>`;
  return `data:image/svg+xml,${encodeURIComponent(svg)}`;
}
