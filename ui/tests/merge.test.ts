import { describe, expect, it } from 'vitest';

import { dice } from '../src/fake/data';
import { apply, diff, moved, rebase, utf8Length } from '../src/places/rooms/merge';

/** Texts in which differences hide: few letters, many lines, pairs of surrogates. */
function texts(seed: number): {
  text: () => string;
  changed: (text: string) => string;
  below: (n: number) => number;
} {
  const roll = dice(seed);
  const below = (n: number): number => Math.floor(roll() * n);
  const letters = ['a', 'b', 'a', '\n', 'я', '🙂', '🙃', ' '];
  const text = (): string => Array.from({ length: below(40) }, () => letters[below(letters.length)]).join('');
  const changed = (from: string): string => {
    let parts = [...from];
    for (let times = below(4); times >= 0; times -= 1) {
      const put = [...text()].slice(0, below(4));
      parts = parts.toSpliced(below(parts.length + 1), below(3), ...put);
    }
    return parts.join('');
  };
  return { text, changed, below };
}

const seeds = Array.from({ length: 400 }, (_, seed) => seed);
const broken = /[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/;

describe('what differs', () => {
  it('leads from one text to the other, in order, without touching, and cuts no character', () => {
    for (const seed of seeds) {
      const { text, changed } = texts(seed);
      const from = text();
      for (const to of [changed(from), text()]) {
        const splices = diff(from, to);
        expect(apply(from, splices)).toBe(to);
        for (const [index, { at, gone, put }] of splices.entries()) {
          const before = splices[index - 1];
          expect(gone + put.length).toBeGreaterThan(0);
          if (before) expect(at).toBeGreaterThan(before.at + before.gone);
          expect(broken.test(put) || broken.test(from.slice(at, at + gone))).toBe(false);
        }
      }
    }
  });

  it('is found in each of several places', () => {
    const from = 'one\ntwo\nthree\nfour\nfive\n';
    expect(diff(from, 'One\ntwo\nthree\nextra\nfour\nfive!\n')).toEqual([
      { at: 0, gone: 1, put: 'O' },
      { at: 14, gone: 0, put: 'extra\n' },
      { at: 23, gone: 0, put: '!' },
    ]);
  });

  it('is found in a long text at once, also where nothing is alike', () => {
    const long = Array.from({ length: 8000 }, (_, at) => `${at}\n`).join('');
    const other = Array.from({ length: 8000 }, (_, at) => `x${at}\n`).join('');
    const began = performance.now();
    expect(apply(long, diff(long, other))).toBe(other);
    expect(performance.now() - began).toBeLessThan(2000);
  });
});

describe('a change carried over', () => {
  it('keeps what either did', () => {
    const base = 'Bread\nMilk\nTea\n';
    expect(rebase(base, 'Bread, dark\nMilk\nTea\n', 'Bread\nMilk\nGreen tea\n')).toBe(
      'Bread, dark\nMilk\nGreen tea\n',
    );
    expect(rebase(base, 'Bread\nTea\n', 'Bread\nMilk\nTea\nJam\n')).toBe('Bread\nTea\nJam\n');
    expect(rebase('', 'mine', 'theirs')).toBe('theirsmine');
    expect(rebase('abc', 'aXc', 'ac')).toBe('aXc');
  });

  it('is done once where both did the same', () => {
    expect(rebase('a\nb\n', 'a\nnew\nb\nc\n', 'a\nnew\nb\n')).toBe('a\nnew\nb\nc\n');
  });

  it('loses no letter that either wrote, and brings back none that either took', () => {
    for (const seed of seeds) {
      const { text, changed } = texts(seed);
      const base = text();
      const [mine, theirs] = [changed(base), changed(base)];
      expect(rebase(base, base, theirs)).toBe(theirs);
      expect(rebase(base, mine, base)).toBe(mine);
      expect(rebase(base, mine, mine)).toBe(mine);
      const both = rebase(base, mine, theirs);
      expect(broken.test(both)).toBe(false);
      for (const { put } of [...diff(base, mine), ...diff(base, theirs)]) expect(both).toContain(put);
    }
  });

  it('to other parts of a text is that of both, in whichever order', () => {
    for (const seed of seeds) {
      const { text, changed } = texts(seed);
      const [head, tail] = [text(), text()];
      const [otherHead, otherTail] = [changed(head), changed(tail)];
      const wall = '\n== ##\n';
      const [base, mine, theirs] = [head + wall + tail, otherHead + wall + tail, head + wall + otherTail];
      expect(rebase(base, mine, theirs)).toBe(otherHead + wall + otherTail);
      expect(rebase(base, theirs, mine)).toBe(otherHead + wall + otherTail);
    }
  });
});

describe('a caret', () => {
  it('stays beside the same letters', () => {
    const [from, to] = ['one\ntwo\nthree\n', 'zero\none\ntwo, too\nthree\n'];
    const splices = diff(from, to);
    for (const word of ['one', 'two', 'three']) {
      expect(moved(from.indexOf(word) + 1, splices)).toBe(to.indexOf(word) + 1);
    }
  });

  it('stays before what comes exactly there, and at what is left of what went', () => {
    expect(moved(3, [{ at: 3, gone: 0, put: 'new' }])).toBe(3);
    expect(moved(4, [{ at: 2, gone: 5, put: '' }])).toBe(2);
    expect(moved(4, [{ at: 2, gone: 5, put: 'x' }])).toBe(3);
    expect(moved(3, [{ at: 2, gone: 2, put: '🙂' }])).toBe(2);
  });

  it('is always in the text and never within a character, and keeps the letters around it', () => {
    for (const seed of seeds) {
      const { text, changed, below } = texts(seed);
      const from = text();
      const to = changed(from);
      const letters = [...from];
      const caret = letters.slice(0, below(letters.length + 1)).join('').length;
      const splices = diff(from, to);
      const after = moved(caret, splices);
      expect(after).toBeGreaterThanOrEqual(0);
      expect(after).toBeLessThanOrEqual(to.length);
      expect(broken.test(to.slice(0, after))).toBe(false);
      const touched = splices.some(({ at, gone }) => at <= caret && caret <= at + gone);
      if (!touched && caret > 0) expect(to[after - 1]).toBe(from[caret - 1]);
      if (!touched && caret < from.length) expect(to[after]).toBe(from[caret]);
    }
  });
});

describe('a length in UTF-8', () => {
  it.each(['', 'abc', 'Нотатки', '€', '🙂 a', '\ud800x'])('of %j', (text) => {
    expect(utf8Length(text)).toBe(new TextEncoder().encode(text).length);
  });
});
