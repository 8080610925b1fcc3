/**
 * Two people at one text: what differs between two texts, what becomes of a text when another change was made to
 * what it came from, and where a caret goes meanwhile. Plain strings and positions in UTF-16 units, as a text field
 * counts them; no pair of surrogates is ever cut.
 */

/** One change of a text: at a position, so much goes and this comes. */
export interface Splice {
  at: number;
  gone: number;
  put: string;
}

/** Lines that may differ before one splice stands for all that lies between them. */
const mostLines = 256;

const high = (unit: number): boolean => unit >= 0xd800 && unit < 0xdc00;
const low = (unit: number): boolean => unit >= 0xdc00 && unit < 0xe000;

/** Whether a position lies between the halves of one character. */
function within(text: string, at: number): boolean {
  return at > 0 && high(text.charCodeAt(at - 1)) && low(text.charCodeAt(at));
}

/** The one splice that leads from one text to another, as short as the ends they share allow. */
function trimmed(from: string, to: string, offset: number): Splice | undefined {
  if (from === to) return undefined;
  const shortest = Math.min(from.length, to.length);
  let head = 0;
  while (head < shortest && from.charCodeAt(head) === to.charCodeAt(head)) head += 1;
  if (within(from, head) || within(to, head)) head -= 1;
  let tail = 0;
  while (
    tail < shortest - head &&
    from.charCodeAt(from.length - 1 - tail) === to.charCodeAt(to.length - 1 - tail)
  ) {
    tail += 1;
  }
  if (within(from, from.length - tail) || within(to, to.length - tail)) tail -= 1;
  return { at: offset + head, gone: from.length - head - tail, put: to.slice(head, to.length - tail) };
}

/** Pairs of equal lines, in order, as many as there can be (Myers); nothing where too much differs. */
function sameLines(from: string[], to: string[]): [number, number][] | undefined {
  const [n, m] = [from.length, to.length];
  const most = Math.min(n + m, mostLines);
  // The farthest `x` on each diagonal, one row for each number of differences.
  const rows: Map<number, number>[] = [];
  let row = new Map<number, number>([[1, 0]]);
  for (let d = 0; d <= most; d += 1) {
    const next = new Map<number, number>(row);
    for (let k = -d; k <= d; k += 2) {
      const down = k === -d || (k !== d && (row.get(k - 1) ?? -1) < (row.get(k + 1) ?? -1));
      let x = down ? (row.get(k + 1) ?? 0) : (row.get(k - 1) ?? 0) + 1;
      while (x < n && x - k < m && from[x] === to[x - k]) x += 1;
      next.set(k, x);
      if (x >= n && x - k >= m) return walkBack([...rows, row], n, m, d);
    }
    rows.push(row);
    row = next;
  }
  return undefined;
}

function walkBack(
  rows: Map<number, number>[],
  n: number,
  m: number,
  differences: number,
): [number, number][] {
  const pairs: [number, number][] = [];
  let [x, y] = [n, m];
  for (let d = differences; d >= 0; d -= 1) {
    const row = rows[d] ?? new Map<number, number>();
    const k = x - y;
    const down = k === -d || (k !== d && (row.get(k - 1) ?? -1) < (row.get(k + 1) ?? -1));
    const fromX = d === 0 ? 0 : (row.get(down ? k + 1 : k - 1) ?? 0);
    const fromY = d === 0 ? 0 : fromX - (down ? k + 1 : k - 1);
    while (x > fromX && y > fromY) {
      x -= 1;
      y -= 1;
      pairs.push([x, y]);
    }
    [x, y] = [fromX, fromY];
  }
  return pairs.reverse();
}

/** A text as lines, each with the line break it ends with. */
function lines(text: string): string[] {
  return text.match(/[^\n]*\n|[^\n]+$/g) ?? [];
}

/** What leads from one text to another: splices in order that do not touch each other. */
export function diff(from: string, to: string): Splice[] {
  const whole = trimmed(from, to, 0);
  if (!whole) return [];
  // Whole lines around what differs: equal ones among them divide it.
  const start = whole.at === 0 ? 0 : from.lastIndexOf('\n', whole.at - 1) + 1;
  const after = from.indexOf('\n', whole.at + whole.gone);
  const end = after < 0 ? from.length : after + 1;
  const gone = lines(from.slice(start, end));
  const put = lines(to.slice(start, to.length - (from.length - end)));
  const pairs = sameLines(gone, put) ?? [];
  if (pairs.length === 0) return [whole];
  const found: Splice[] = [];
  let [x, y, at] = [0, 0, start];
  for (const [nextX, nextY] of [...pairs, [gone.length, put.length] as const]) {
    const before = gone.slice(x, nextX).join('');
    const splice = trimmed(before, put.slice(y, nextY).join(''), at);
    if (splice) found.push(splice);
    at += before.length + (gone[nextX]?.length ?? 0);
    [x, y] = [nextX + 1, nextY + 1];
  }
  return found;
}

/** A text after its splices. */
export function apply(text: string, splices: readonly Splice[]): string {
  let [made, at] = ['', 0];
  for (const splice of splices) {
    made += text.slice(at, splice.at) + splice.put;
    at = splice.at + splice.gone;
  }
  return made + text.slice(at);
}

/** Where a caret is after splices: beside the same letters; what comes exactly there comes after it. */
export function moved(caret: number, splices: readonly Splice[]): number {
  let shift = 0;
  for (const { at, gone, put } of splices) {
    if (caret <= at) break;
    if (caret < at + gone) {
      const kept = Math.min(caret - at, put.length);
      return at + shift + (within(put, kept) ? kept - 1 : kept);
    }
    shift += put.length - gone;
  }
  return caret + shift;
}

const same = (a: Splice, b: Splice): boolean => a.at === b.at && a.gone === b.gone && a.put === b.put;

/**
 * Carries a change over: `mine` and `theirs` both came from `base`, and the outcome has what either did. What one of
 * them took out is out, what one of them wrote is there, theirs first; what both did alike is done once.
 */
export function rebase(base: string, mine: string, theirs: string): string {
  if (mine === base || mine === theirs) return theirs;
  if (theirs === base) return mine;
  const other = diff(base, theirs);
  const own = diff(base, mine).filter((splice) => !other.some((known) => same(known, splice)));
  const all = [...other, ...own];
  const stops = [...new Set([0, base.length, ...all.flatMap(({ at, gone }) => [at, at + gone])])];
  stops.sort((a, b) => a - b);
  const out = new Map<number, number>();
  let made = '';
  for (const [index, at] of stops.entries()) {
    for (const splice of all) {
      if (splice.at !== at) continue;
      made += splice.put;
      if (splice.gone > 0) out.set(at, Math.max(out.get(at) ?? 0, at + splice.gone));
    }
    const end = stops[index + 1] ?? base.length;
    const dropped = [...out].some(([start, until]) => start <= at && end <= until);
    if (!dropped) made += base.slice(at, end);
  }
  return made;
}

/** How many bytes a text has in UTF-8. */
export function utf8Length(text: string): number {
  let length = text.length;
  for (let at = 0; at < text.length; at += 1) {
    const unit = text.charCodeAt(at);
    if (unit < 0x80) continue;
    if (unit < 0x800) length += 1;
    else if (high(unit) && low(text.charCodeAt(at + 1))) {
      length += 2;
      at += 1;
    } else length += 2;
  }
  return length;
}
