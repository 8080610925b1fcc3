import { describe, expect, it } from 'vitest';

import { fake } from '$fake';

import { CallError, type Args } from '../src/contract';
import { setLanguage } from '../src/i18n/index.svelte';
import { longest } from '../src/places/rooms/notes.svelte';
import { accessible, all, find, has, key, press, settle, show, until } from './page';

const field = (): HTMLTextAreaElement => find('notes-text') as HTMLTextAreaElement;

/** Opens the notes of a room. */
async function open(room = 'r1'): Promise<void> {
  await show();
  await choose(room);
  await press('toggle-notes');
  await until(() => expect(has('notes-text') || has('notes-none')).toBe(true));
  await settle();
}

async function choose(room: string): Promise<void> {
  await until(() => expect(all('room').length).toBeGreaterThan(0));
  all('room')
    .find((one) => one.dataset['room'] === room)
    ?.click();
  await settle();
}

/** Types at the caret, as keys do. */
async function write(text: string): Promise<void> {
  const area = field();
  area.setRangeText(text, area.selectionStart, area.selectionEnd, 'end');
  area.dispatchEvent(new Event('input', { bubbles: true }));
  await settle();
}

function caretBefore(words: string): void {
  const at = field().value.indexOf(words);
  field().setSelectionRange(at, at);
}

const after = (): string => field().value.slice(field().selectionStart);

/** What the core is given to save, answered as usual. */
function heard(): Args<'notes.edit'>[] {
  const calls: Args<'notes.edit'>[] = [];
  const usual = fake.usual('notes.edit');
  fake.answer('notes.edit', (args) => {
    calls.push(args);
    return usual(args);
  });
  return calls;
}

const stored = (room = 'r1'): string => fake.world().notes.get(room)?.texts.at(-1) ?? '';

describe('notes', () => {
  it('that nobody began are begun by a teacher, who says who writes them', async () => {
    await open('r2');
    expect(find('notes-none').textContent).toContain('No notes yet');
    await accessible();
    await press('notes-teachers');
    await press('notes-start');
    await until(() => expect(has('notes-text')).toBe(true));
    expect(fake.world().notes.get('r2')).toMatchObject({ students: false, texts: [''] });
    expect(find('notes-editors').textContent).toBe('Teachers');
    await press('notes-menu');
    await press('notes-menu-students');
    await until(() => expect(find('notes-editors').textContent).toBe('Teachers and students'));
    expect(fake.world().notes.get('r2')?.students).toBe(true);
    await accessible();
  });

  it('of a room that students do not read are not offered to them', async () => {
    await open('r3');
    expect(has('notes-students')).toBe(false);
    await press('notes-start');
    await until(() => expect(fake.world().notes.get('r3')?.students).toBe(false));
  });

  it('are begun by nobody else', async () => {
    setLanguage('uk');
    await open('r5');
    expect(find('notes-none').textContent).toContain('може почати вчитель');
    expect(has('notes-start')).toBe(false);
    await accessible();
  });

  it('are read where one may not write', async () => {
    await open('r4');
    expect(field().readOnly).toBe(true);
    expect(field().value).toContain('Meet at the bridge');
    expect(find('notes').textContent).toContain('Only to be read');
    await press('notes-menu');
    expect(has('notes-menu-students')).toBe(false);
    expect(has('notes-menu-copy')).toBe(true);
    await key(find('notes-menu-copy'), 'Escape');
    expect(has('notes')).toBe(true);
    await accessible();
  });

  it('save themselves a moment after the last key, with what the text was made from', async () => {
    await open();
    const calls = heard();
    expect(find('notes-state').textContent).toMatch(/^Saved .+ · Олена Шевченко$/);
    caretBefore('Questions');
    await write('Sat');
    await write('urday.\n');
    expect(find('notes-state').textContent).toBe('Saving…');
    expect(calls).toEqual([]);
    await until(() => expect(calls.length).toBe(1));
    expect(calls[0]).toMatchObject({ room: 'r1', base: ['r1:1'] });
    await until(() => expect(find('notes-state').textContent).toMatch(/^Saved \d\d:\d\d · Maria Ivanova$/));
    expect(stored()).toContain('Saturday.\nQuestions');
    expect(after()).toMatch(/^Questions/);
    await write('More');
    await until(() => expect(calls[1]?.base).toEqual(['r1:2']));
  });

  it('save themselves when the focus goes, the panel closes, the room changes, the profile is locked', async () => {
    await open();
    for (const leave of [
      async () => field().dispatchEvent(new FocusEvent('blur')),
      async () => key(field(), 'Escape'),
      async () => choose('r2'),
      async () => press('lock'),
    ]) {
      await choose('r1');
      if (!has('notes')) await press('toggle-notes');
      await until(() => expect(has('notes-text')).toBe(true));
      const calls = heard();
      await write('x');
      await leave();
      await settle();
      expect(calls.length).toBe(1);
      fake.restore('notes.edit');
    }
  });

  it('are opened and closed by keys, take the focus and give it back, and stay open for their room', async () => {
    await show();
    await key(document.body, 'N', { code: 'KeyN', ctrlKey: true, shiftKey: true });
    await until(() => expect(document.activeElement).toBe(field()));
    await choose('r2');
    expect(has('notes')).toBe(false);
    await choose('r1');
    expect(has('notes')).toBe(true);
    await key(field(), 'Escape');
    expect(has('notes')).toBe(false);
    expect(document.activeElement).toBe(find('toggle-notes'));
  });

  it('show news at once where nothing is typed, and the caret stays beside its letters', async () => {
    await open();
    caretBefore('Questions');
    const asked = heard();
    fake.note('r1', `First of all: be on time.\n${stored()}One more.\n`, 'James Whitfield');
    await until(() => expect(field().value).toMatch(/^First of all/));
    expect(field().value).toMatch(/One more\.\n$/);
    expect(after()).toMatch(/^Questions/);
    expect(find('notes-state').textContent).toContain('James Whitfield');
    expect(asked).toEqual([]);
  });

  it('are asked for again when they changed, and not when those of another room did', async () => {
    await open();
    const shown: string[] = [];
    const usual = fake.usual('notes.show');
    fake.answer('notes.show', (args) => {
      shown.push(args.room);
      return usual(args);
    });
    fake.tell({ type: 'notes', room: 'r2' });
    await new Promise((done) => setTimeout(done, 120));
    expect(shown).not.toContain('r1');
    fake.tell({ type: 'notes', room: 'r1' });
    await until(() => expect(shown).toContain('r1'));
  });

  it('that someone else changed are marked where they are closed, until they are opened', async () => {
    await open();
    expect(has('notes-news')).toBe(false);
    await write('Mine. ');
    await press('notes-close');
    await until(() => expect(stored()).toContain('Mine. '));
    fake.tell({ type: 'missed' });
    await settle();
    expect(has('notes-news')).toBe(false);
    fake.note('r1', `${stored()}\nBring a ruler.\n`, 'James Whitfield');
    await until(() => expect(has('notes-news')).toBe(true));
    expect(find('toggle-notes').title).toContain('Someone changed the notes');
    expect(find('toggle-notes').textContent).toMatch(/Notes\s+changed/);
    await accessible();
    await press('toggle-notes');
    await until(() => expect(field().value).toContain('Bring a ruler.'));
    expect(has('notes-news')).toBe(false);
    // Seen while they were open.
    fake.note('r1', `${stored()}\nAnd a pencil.\n`, 'James Whitfield');
    await until(() => expect(field().value).toContain('And a pencil.'));
    await press('notes-close');
    await settle();
    expect(has('notes-news')).toBe(false);
  });

  it('of a room that is not shown are marked too, also after missed events', async () => {
    await open('r4');
    await press('notes-close');
    await choose('r1');
    fake.world().notes.get('r4')?.texts.push('Another place.');
    fake.tell({ type: 'missed' });
    await settle();
    expect(has('notes-news')).toBe(false);
    await choose('r4');
    await until(() => expect(has('notes-news')).toBe(true));
    fake.note('r1', `${stored()}\nMore.\n`, 'James Whitfield');
    await settle();
    await choose('r1');
    await until(() => expect(has('notes-news')).toBe(true));
    fake.answer('notes.show', () => {
      throw new CallError('locked', 'The profile is locked.');
    });
    fake.tell({ type: 'notes', room: 'r2' });
    await settle();
    await choose('r2');
    expect(has('notes-news')).toBe(false);
    expect(has('toast')).toBe(false);
  });

  it('save what is typed before they show news: nobody’s words are lost', async () => {
    await open();
    const shown = fake.usual('notes.show');
    let shows = 0;
    fake.answer('notes.show', (args) => {
      shows += 1;
      return shown(args);
    });
    const calls = heard();
    caretBefore('Questions');
    await write('Mine. ');
    fake.note('r1', `Theirs.\n${stored()}`, 'James Whitfield');
    await until(() => expect(field().value).toMatch(/^Theirs\./));
    expect(calls.length).toBe(1);
    expect(calls[0]?.base).toEqual(['r1:1']);
    expect(field().value).toContain('Mine. Questions');
    expect(after()).toMatch(/^Questions/);
    await until(() => expect(field().value).toBe(stored()));
    // The reply to the save was the merge; only the news of that save itself is looked at after it.
    expect(shows).toBeLessThanOrEqual(1);
  });

  it('keep what is typed while they are saved', async () => {
    await open();
    const usual = fake.usual('notes.edit');
    let answer: () => void = () => undefined;
    fake.answer('notes.edit', async (args) => {
      await new Promise<void>((done) => (answer = done));
      fake.note('r1', `Theirs.\n${stored()}`, 'James Whitfield');
      return usual(args);
    });
    caretBefore('Questions');
    await write('Mine');
    field().dispatchEvent(new FocusEvent('blur'));
    await settle();
    await write(' too. ');
    fake.restore('notes.edit');
    answer();
    await until(() => expect(field().value).toMatch(/^Theirs\./));
    expect(field().value).toContain('Mine too. Questions');
    expect(after()).toMatch(/^Questions/);
    await until(() => expect(stored()).toBe(field().value));
    expect(stored().match(/Mine too\./g)?.length).toBe(1);
  });

  it('wait while a letter is put together', async () => {
    await open();
    caretBefore('Questions');
    field().dispatchEvent(new CompositionEvent('compositionstart'));
    await write('か');
    const half = field().value;
    fake.note('r1', `Theirs.\n${stored()}`, 'James Whitfield');
    await new Promise((done) => setTimeout(done, 150));
    expect(field().value).toBe(half);
    field().dispatchEvent(new CompositionEvent('compositionend'));
    await until(() => expect(field().value).toMatch(/^Theirs\./));
    expect(field().value).toContain('かQuestions');
    await until(() => expect(stored()).toBe(field().value));
  });

  it('carry the words over where others began new notes meanwhile', async () => {
    await open();
    const usual = fake.usual('notes.edit');
    fake.answer('notes.edit', (args) => {
      if (args.base[0] !== 'r1:9') {
        fake
          .world()
          .notes.get('r1')
          ?.texts.push(...Array.from({ length: 8 }, () => `New.\n${stored()}`).slice(0, 8));
        fake.answer('notes.edit', usual);
        throw new CallError('bad_arguments', 'the page was rewritten meanwhile; open it again');
      }
      return usual(args);
    });
    caretBefore('Questions');
    await write('Mine. ');
    await until(() => expect(stored()).toContain('Mine. Questions'));
    expect(stored()).toMatch(/^New\.\n/);
    expect(has('notes-error')).toBe(false);
  });

  it('that cannot be saved stay, can be copied, tried again or dropped', async () => {
    const copied: string[] = [];
    Object.defineProperty(navigator, 'clipboard', {
      configurable: true,
      value: { writeText: (text: string) => Promise.resolve(void copied.push(text)) },
    });
    await open();
    fake.answer('notes.edit', () => {
      throw new CallError('not_allowed', 'students do not edit these notes', 'Ask a teacher.');
    });
    caretBefore('Questions');
    await write('Mine. ');
    await until(() => expect(find('notes-error').textContent).toContain('Your role does not allow this'));
    expect(find('notes-state').textContent).toBe('Not saved');
    expect(field().value).toContain('Mine. Questions');
    await accessible();
    await press('notes-copy');
    expect(copied).toEqual([field().value]);
    // News do not take it away either, nor does leaving the room.
    fake.note('r1', `Theirs.\n${stored()}`, 'James Whitfield');
    await settle();
    await choose('r2');
    await until(() => expect(find('toast').textContent).toContain('copied'));
    await until(() => expect(document.body.textContent).toContain('The notes of “General” are not saved'));
    await choose('r1');
    await until(() => expect(field().value).toContain('Mine. Questions'));
    expect(has('notes-error')).toBe(true);
    fake.restore('notes.edit');
    await press('notes-retry');
    await until(() => expect(has('notes-error')).toBe(false));
    expect(stored()).toMatch(/^Theirs\./);
    expect(stored()).toContain('Mine. Questions');
    expect(stored().match(/Mine\./g)?.length).toBe(1);

    fake.answer('notes.edit', () => {
      throw new CallError('not_found', 'there is no such room');
    });
    await write('Lost. ');
    await until(() => expect(has('notes-error')).toBe(true));
    await press('notes-drop');
    await until(() => expect(field().value).toBe(stored()));
    expect(has('notes-error')).toBe(false);
  });

  it('that cannot be saved are not lost by locking, unless one says so', async () => {
    await open();
    fake.answer('notes.edit', () => {
      throw new CallError('disk_full', 'No space left.');
    });
    await write('Mine. ');
    await press('notes-close');
    await choose('r2');
    await press('lock');
    await until(() => expect(find('lock-dialog').textContent).toContain('could not be saved: General.'));
    await accessible();
    await press('dialog-close');
    expect(has('first-run')).toBe(false);
    fake.restore('notes.edit');
    await press('lock');
    await until(() => expect(has('first-run')).toBe(true));
    expect(stored()).toContain('Mine. ');
  });

  it('that cannot be saved are dropped by locking where one says so', async () => {
    await open();
    fake.answer('notes.edit', () => {
      throw new CallError('disk_full', 'No space left.');
    });
    await write('Mine. ');
    await press('lock');
    await press('dialog-confirm');
    await until(() => expect(has('first-run')).toBe(true));
    expect(has('lock-dialog')).toBe(false);
  });

  it('count their size when it matters, and are not saved while they are too long', async () => {
    await open();
    const calls = heard();
    expect(has('notes-size')).toBe(false);
    field().setSelectionRange(0, field().value.length);
    await write('я'.repeat(longest / 2 - 512));
    expect(find('notes-size').textContent?.trim()).toBe('31 of 32 KiB');
    await until(() => expect(calls.length).toBe(1));
    await until(() => expect(find('notes-state').textContent).toContain('Saved'));
    await write('я'.repeat(1024));
    expect(find('notes-long').textContent).toContain('shorter by 1 KiB');
    expect(find('notes-state').textContent).toBe('Not saved');
    field().dispatchEvent(new FocusEvent('blur'));
    await settle();
    expect(calls.length).toBe(1);
    await accessible();
    field().setSelectionRange(0, 600);
    await write('');
    await until(() => expect(calls.length).toBe(2));
    expect(has('notes-long')).toBe(false);
  });

  it('fail to load with words and a way on', async () => {
    await show();
    fake.answer('notes.show', () => {
      throw new CallError('internal', 'the page could not be put together');
    });
    await press('toggle-notes');
    await until(() => expect(find('error').textContent).toContain('could not be put together'));
    fake.restore('notes.show');
    await press('retry');
    await until(() => expect(has('notes-text')).toBe(true));
  });
});
