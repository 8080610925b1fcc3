import { describe, expect, it, vi } from 'vitest';

import { fake, shell } from '$fake';

import type { Message } from '../src/bindings/Message';
import { CallError } from '../src/contract';
import { setLanguage } from '../src/i18n/index.svelte';
import { accessible, all, find, has, key, press, settle, show, type, until } from './page';

const messages = (): Message[] => fake.world().messages.get('r1') ?? [];

/** A message of the room as it is drawn. */
function row(id: string): HTMLElement {
  const found = all('message').find((one) => one.dataset['message'] === id);
  if (!found) throw new Error(`no message ${id}`);
  return found;
}

function within(id: string, testid: string): HTMLElement {
  const found = row(id).querySelector<HTMLElement>(`[data-testid="${testid}"]`);
  if (!found) throw new Error(`no ${testid} in ${row(id).textContent}`);
  return found;
}

const tools = (id: string): (string | undefined)[] =>
  [...row(id).querySelectorAll<HTMLElement>('[role="toolbar"] button')].map((one) => one.dataset['testid']);

async function click(target: HTMLElement): Promise<void> {
  target.click();
  await settle();
}

function last(mine: boolean): Message {
  const found = messages().findLast((message) => message.mine === mine && message.result === null);
  if (!found) throw new Error('no such message');
  return found;
}

/** What a command was called with so far. */
function asked(name: 'room.edit' | 'room.undelete'): () => unknown[] {
  const calls = vi.spyOn(shell, 'call');
  return () => calls.mock.calls.filter(([called]) => called === name).map(([, args]) => args);
}

async function student(): Promise<void> {
  fake.world().spaces = fake.world().spaces.map((space) => ({ ...space, role: 'student' }));
  await show();
}

describe('the tools of a message', () => {
  it('are all for ones own, and deleting for what others wrote', async () => {
    await show();
    expect(tools(last(true).id)).toEqual(['reply', 'react', 'edit', 'copy-text', 'delete']);
    expect(tools(last(false).id)).toEqual(['reply', 'react', 'copy-text', 'report', 'delete']);
    await accessible();
  });

  it('of others delete nothing for a student', async () => {
    await student();
    expect(tools(last(true).id)).toEqual(['reply', 'react', 'edit', 'copy-text', 'delete']);
    expect(tools(last(false).id)).toEqual(['reply', 'react', 'copy-text', 'report']);
  });

  it('are only copying for an observer', async () => {
    fake.world().spaces = fake.world().spaces.map((space) => ({ ...space, role: 'observer' }));
    await show();
    expect(tools(last(true).id)).toEqual(['copy-text']);
  });

  it('are one stop for Tab and are walked by arrows', async () => {
    await show();
    const { id } = last(true);
    const stops = (): number => row(id).querySelectorAll('[role="toolbar"] [tabindex="0"]').length;
    expect(stops()).toBe(1);
    within(id, 'reply').focus();
    await key(within(id, 'reply'), 'ArrowRight');
    expect(document.activeElement).toBe(within(id, 'react'));
    await key(within(id, 'react'), 'End');
    expect(document.activeElement).toBe(within(id, 'delete'));
    await key(within(id, 'delete'), 'ArrowRight');
    expect(document.activeElement).toBe(within(id, 'reply'));
    expect(stops()).toBe(1);
  });

  it('give the focus back where a sign was not chosen', async () => {
    await show();
    const { id } = last(false);
    within(id, 'react').focus();
    await click(within(id, 'react'));
    expect(document.activeElement).toBe(all('sign')[0]);
    await key(find('sign'), 'Escape');
    expect(has('sign')).toBe(false);
    expect(row(id).contains(document.activeElement)).toBe(true);
    expect(document.activeElement?.closest('[role="toolbar"]')).not.toBeNull();
  });

  it('are a menu by the right button, a long press and the key for menus', async () => {
    await show();
    const { id, text } = last(true);
    const call = async (at: HTMLElement, more: MouseEventInit): Promise<boolean> => {
      const event = new MouseEvent('contextmenu', { bubbles: true, cancelable: true, ...more });
      const native = at.dispatchEvent(event);
      await settle();
      return native;
    };
    find('composer').focus();
    expect(await call(within(id, 'message-text'), { clientX: 500, clientY: 300 })).toBe(false);
    const shown = [...find('message-menu').querySelectorAll<HTMLElement>('[role="menuitem"]')];
    expect(shown.map((one) => one.textContent?.trim())).toEqual([
      'Reply',
      'React',
      'Edit',
      'Copy text',
      'Delete',
    ]);
    expect(find('message-menu').parentElement?.style.left).toBe('500px');
    expect(document.activeElement).toBe(shown[0]);
    await accessible();
    await key(find('message-reply'), 'Escape');
    expect(has('message-menu')).toBe(false);
    expect(document.activeElement).toBe(find('composer'));
    within(id, 'edit').focus();
    expect(await call(within(id, 'edit'), {})).toBe(false);
    await press('message-edit');
    expect(has('message-menu')).toBe(false);
    expect(find('composer')).toHaveProperty('value', text);
    await key(find('composer'), 'Escape');
    await call(row(id), {});
    document.body.dispatchEvent(new PointerEvent('pointerdown', { bubbles: true }));
    await settle();
    expect(has('message-menu')).toBe(false);
    // Words that are selected keep the menu that copies them.
    getSelection()?.selectAllChildren(within(id, 'message-text'));
    expect(await call(within(id, 'message-text'), { clientX: 500, clientY: 300 })).toBe(true);
    expect(has('message-menu')).toBe(false);
    getSelection()?.removeAllRanges();
  });

  it('are shown by a tap, until another place is tapped', async () => {
    await show();
    const [one, other] = [last(true).id, last(false).id];
    const touch = async (at: HTMLElement, pointerType: string): Promise<void> => {
      at.dispatchEvent(new PointerEvent('pointerdown', { bubbles: true, pointerType }));
      at.click();
      await settle();
    };
    const shown = (): (string | undefined)[] =>
      all('message')
        .filter((message) => message.classList.contains('touched'))
        .map((message) => message.dataset['message']);
    await touch(within(one, 'message-text'), 'mouse');
    expect(shown()).toEqual([]);
    await touch(within(one, 'message-text'), 'touch');
    expect(shown()).toEqual([one]);
    await touch(within(other, 'message-text'), 'touch');
    expect(shown()).toEqual([other]);
    await touch(within(other, 'reply'), 'touch');
    expect(shown()).toEqual([]);
    await touch(within(one, 'message-text'), 'touch');
    await touch(find('composer'), 'touch');
    expect(shown()).toEqual([]);
  });

  it('copy the text', async () => {
    const copied: string[] = [];
    Object.defineProperty(navigator, 'clipboard', {
      configurable: true,
      value: { writeText: (text: string) => Promise.resolve(void copied.push(text)) },
    });
    await show();
    within(last(false).id, 'copy-text').click();
    await settle();
    expect(copied).toEqual([last(false).text]);
  });
});

describe('editing', () => {
  it('takes the text to the composer, and Enter saves it', async () => {
    const seen = asked('room.edit');
    await show();
    const { id, text } = last(true);
    await type('composer', 'half a thought');
    within(id, 'edit').click();
    await settle();
    expect(find('editing').textContent).toContain('Editing');
    expect(find('composer')).toHaveProperty('value', text);
    expect(document.activeElement).toBe(find('composer'));
    await accessible();
    await type('composer', ' Better \nso ');
    await key(find('composer'), 'Enter');
    await until(() => expect(has('editing')).toBe(false));
    expect(seen()).toEqual([{ message: id, text: 'Better \nso' }]);
    expect(row(id).textContent).toContain('edited');
    expect(within(id, 'message-text').textContent).toBe('Better \nso');
    // What was begun before is here again.
    expect(find('composer')).toHaveProperty('value', 'half a thought');
  });

  it('is left by Escape, and begun by the arrow up in an empty composer', async () => {
    const seen = asked('room.edit');
    await show();
    const { text } = last(true);
    await key(find('composer'), 'ArrowUp');
    expect(find('composer')).toHaveProperty('value', text);
    await type('composer', 'changed my mind');
    await key(find('composer'), 'Escape');
    expect(has('editing')).toBe(false);
    expect(find('composer')).toHaveProperty('value', '');
    await type('composer', 'x');
    await key(find('composer'), 'ArrowUp');
    expect(has('editing')).toBe(false);
    expect(seen()).toEqual([]);
  });

  it('saves no empty text, and keeps the words when saving fails', async () => {
    fake.answer('room.edit', () => {
      throw new CallError('disk_full', 'No space left.');
    });
    await show();
    await key(find('composer'), 'ArrowUp');
    await type('composer', '  ');
    expect(find('send')).toHaveProperty('disabled', true);
    await type('composer', 'better');
    await press('send');
    expect(find('toast').dataset['level']).toBe('bad');
    expect(has('editing')).toBe(true);
    expect(find('composer')).toHaveProperty('value', 'better');
  });

  it('gives the composer back at once, and comes back when saving fails', async () => {
    let fail: () => void = () => undefined;
    fake.answer('room.edit', async () => {
      await new Promise<void>((done) => (fail = done));
      throw new CallError('disk_full', 'No space left.');
    });
    await show();
    await key(find('composer'), 'ArrowUp');
    await type('composer', 'better');
    await press('send');
    expect(has('editing')).toBe(false);
    expect(find('composer')).toHaveProperty('value', '');
    await type('composer', 'meanwhile');
    fail();
    await until(() => expect(has('editing')).toBe(true));
    expect(find('composer')).toHaveProperty('value', 'better');
    await key(find('composer'), 'Escape');
    expect(find('composer')).toHaveProperty('value', 'meanwhile');
  });

  it('waits while another room is looked at, and ends when the message is deleted', async () => {
    await show();
    await type('composer', '');
    const { id } = last(true);
    await key(find('composer'), 'ArrowUp');
    await type('composer', 'in the middle');
    all('room')[1]?.click();
    await settle();
    expect(has('editing')).toBe(false);
    all('room')[0]?.click();
    await until(() => expect(has('editing')).toBe(true));
    expect(find('composer')).toHaveProperty('value', 'in the middle');
    await until(() => void row(id));
    within(id, 'delete').click();
    await settle();
    expect(has('editing')).toBe(false);
    expect(find('composer')).toHaveProperty('value', '');
  });
});

describe('deleting', () => {
  it('counts down in place, with undo where the focus goes', async () => {
    const undone = asked('room.undelete');
    await show();
    const { id, text } = last(true);
    within(id, 'delete').focus();
    within(id, 'delete').click();
    await settle();
    expect(within(id, 'deleting').textContent).toContain('Deleting in 10 s');
    expect(within(id, 'message-text').textContent).toBe(text);
    expect(tools(id)).toEqual([]);
    expect(document.activeElement).toBe(within(id, 'undo-delete'));
    const heard = [...document.querySelectorAll('[aria-live="polite"]')].map((one) => one.textContent);
    expect(heard).toContain('The message will be deleted in 10 seconds. Undo keeps it.');
    within(id, 'undo-delete').click();
    await settle();
    expect(undone()).toEqual([{ message: id }]);
    expect(row(id).querySelector('[data-testid="deleting"]')).toBeNull();
    expect(row(id).contains(document.activeElement)).toBe(true);
    expect(tools(id)).toContain('delete');
  });

  it('ends with nothing left of the message', async () => {
    await show();
    vi.useFakeTimers();
    const { id, text } = last(false);
    setLanguage('ru');
    await settle();
    within(id, 'delete').click();
    await settle();
    expect(within(id, 'deleting').textContent).toContain('Удалится через 10 с');
    vi.advanceTimersByTime(3_300);
    await settle();
    expect(within(id, 'deleting').textContent).toContain('через 7 с');
    vi.advanceTimersByTime(6_800);
    await settle();
    expect(row(id).textContent).toContain('Сообщение удалено');
    expect(row(id).textContent).not.toContain(text);
    expect(tools(id)).toEqual([]);
  });

  it.each(['student', 'observer'])('can be undone by every %s who sees it', async (role) => {
    const undone = asked('room.undelete');
    fake.world().spaces = fake.world().spaces.map((space) => ({ ...space, role }));
    await show();
    // Far away: what looks at the whole page may take longer than a deletion waits.
    const message = { ...last(false), deleting_until: Date.now() + 600_000 };
    fake.tell({ type: 'message', room: 'r1', message });
    await settle();
    expect(within(message.id, 'deleting').getAttribute('aria-label')).toContain('Undo keeps it');
    await accessible();
    within(message.id, 'undo-delete').click();
    await until(() => expect(row(message.id).querySelector('[data-testid="deleting"]')).toBeNull());
    expect(undone()).toEqual([{ message: message.id }]);
  });

  it('says why it was refused, and changes nothing', async () => {
    fake.answer('room.delete', () => {
      throw new CallError('not_allowed', 'student may not delete others’ messages');
    });
    await show();
    const { id } = last(false);
    within(id, 'delete').click();
    await settle();
    expect(find('toast').textContent).toContain('student may not delete');
    expect(row(id).querySelector('[data-testid="deleting"]')).toBeNull();
  });

  it('does not put an old message that changed at the end', async () => {
    await show();
    const before = all('message').length;
    const [pattern] = messages();
    if (!pattern) throw new Error('no messages');
    const old = { ...pattern, id: 'm12', text: 'long ago', edited: true };
    fake.tell({ type: 'message', room: 'r1', message: old });
    await new Promise((done) => setTimeout(done, 120));
    await settle();
    expect(all('message').length).toBe(before);
  });
});

describe('signs under a message', () => {
  const signs = (id: string): (string | undefined)[] =>
    [...row(id).querySelectorAll('[data-testid="reaction"]')].map((one) =>
      one.textContent?.replace(/\s+/g, ''),
    );

  it('are put there from a small choice, and taken back by a press', async () => {
    await show();
    const { id } = last(false);
    await click(within(id, 'react'));
    expect(row(id).querySelectorAll('[data-testid="sign"]')).toHaveLength(6);
    await accessible();
    await click(within(id, 'sign'));
    await until(() => expect(signs(id)).toEqual(['👍1']));
    expect(within(id, 'reaction').getAttribute('aria-pressed')).toBe('true');
    expect(row(id).querySelector('[data-testid="sign"]')).toBeNull();
    await click(within(id, 'reaction'));
    await until(() => expect(signs(id)).toEqual([]));
  });

  it('are counted, with who put them there', async () => {
    await show();
    const liked = messages().find((message) => message.reactions.length > 0);
    if (!liked) throw new Error('no message with a sign');
    expect(signs(liked.id)).toEqual(['👍3']);
    for (const { name } of liked.reactions[0]?.members ?? []) {
      expect(within(liked.id, 'reaction').title).toContain(name);
    }
    await click(within(liked.id, 'reaction'));
    await until(() => expect(signs(liked.id)).toEqual(['👍2']));
    expect(within(liked.id, 'reaction').getAttribute('aria-pressed')).toBe('false');
  });

  it('are only looked at by an observer', async () => {
    fake.world().spaces = fake.world().spaces.map((space) => ({ ...space, role: 'observer' }));
    await show();
    const liked = messages().find((message) => message.reactions.length > 0);
    expect(within(liked?.id ?? '', 'reaction')).toHaveProperty('disabled', true);
  });
});

describe('who has read a message', () => {
  it('is told of ones own only', async () => {
    await show();
    const mine = last(true);
    expect(within(mine.id, 'message-read').textContent).toContain('Read by 3 people');
    // Who, also for those who point at nothing.
    expect(within(mine.id, 'message-read').getAttribute('aria-expanded')).toBe('false');
    await click(within(mine.id, 'message-read'));
    expect(within(mine.id, 'message-readers').textContent).toBe(
      mine.read_by.map((one) => one.name).join(', '),
    );
    await accessible();
    await click(within(mine.id, 'message-read'));
    expect(has('message-readers')).toBe(false);
    expect(row(last(false).id).querySelector('[data-testid="message-read"]')).toBeNull();
  });

  it('is asked for again once somebody read on', async () => {
    await show();
    const mine = last(true);
    const list = messages();
    const [one] = mine.read_by;
    fake.world().messages.set(
      'r1',
      list.map((message) => (message.id === mine.id && one ? { ...message, read_by: [one] } : message)),
    );
    vi.useFakeTimers({ shouldAdvanceTime: true });
    fake.tell({ type: 'reads', room: 'r1' });
    await vi.advanceTimersByTimeAsync(2_500);
    vi.useRealTimers();
    await until(() => expect(within(mine.id, 'message-read').textContent).toContain('Read by 1 person'));
  });
});
