import { describe, expect, it } from 'vitest';

import { fake } from '$fake';

import * as data from '../src/fake/data';
import { CallError } from '../src/contract';
import { setLanguage } from '../src/i18n/index.svelte';
import { mayChange, rolesFor } from '../src/state/roles';
import type { Args, Name } from '../src/contract';
import { accessible, all, find, has, key, press, settle, show, type, until } from './page';

/** What a command is asked from now on; the answer stays the usual one unless given. */
function heard<K extends Name>(name: K, answer: (args: Args<K>) => never | null = () => null): Args<K>[] {
  const calls: Args<K>[] = [];
  fake.answer(name, (args) => {
    calls.push(args);
    return answer(args) as never;
  });
  return calls;
}

function iAm(role: string): void {
  fake.world().spaces = fake.world().spaces.map((space) => ({ ...space, role }));
}

function row(name: string): HTMLElement {
  const found = all('member').find((one) => one.title === name);
  if (!found) throw new Error(`${name} is not in the list`);
  return found;
}

function menuOf(name: string): HTMLElement | null {
  return row(name).querySelector<HTMLElement>('[data-testid="member-menu"]');
}

async function openMenu(name: string): Promise<string[]> {
  menuOf(name)?.click();
  await settle();
  return [...row(name).querySelectorAll('[role="menuitem"]')].map((one) => one.textContent?.trim() ?? '');
}

describe('roles', () => {
  it('may change those that the table of permissions names', () => {
    expect(rolesFor('owner', 'student')).toEqual(['owner', 'teacher', 'observer']);
    expect(rolesFor('owner', 'owner')).toEqual(['teacher', 'student', 'observer']);
    expect(rolesFor('teacher', 'student')).toEqual(['observer']);
    expect(rolesFor('teacher', 'teacher')).toEqual([]);
    expect(mayChange('teacher', 'owner')).toBe(false);
    expect(mayChange('student', 'observer')).toBe(false);
    expect(mayChange('', 'observer')).toBe(false);
  });
});

describe('a member', () => {
  it('has a role to be seen, and a menu by what the caller is', async () => {
    await show();
    expect(row('James Whitfield').querySelector('[data-testid="member-role"]')?.textContent).toBe('teacher');
    expect(row('Zoe Adams').querySelector('[data-testid="member-role"]')?.textContent).toBe('observer');
    expect(menuOf('Maria Ivanova')).toBeNull();
    expect(await openMenu('James Whitfield')).toEqual([
      'Write directly',
      'Make co-owner',
      'Make student',
      'Make observer',
      'Remove',
      'Remove and block',
    ]);
    await accessible();
    iAm('teacher');
    fake.tell({ type: 'spaces' });
    await until(async () => expect(await openMenu('James Whitfield')).toEqual(['Write directly']));
    expect(await openMenu('Zoe Adams')).toEqual([
      'Write directly',
      'Make student',
      'Remove',
      'Remove and block',
    ]);
    iAm('student');
    fake.tell({ type: 'spaces' });
    await until(() => expect(has('member-menu-remove')).toBe(false));
    await until(async () => expect(await openMenu('Zoe Adams')).toEqual(['Write directly']));
    iAm('observer');
    fake.tell({ type: 'spaces' });
    await until(() => expect(has('member-menu')).toBe(false));
  });

  it('gets another role without a question, and the old one back', async () => {
    await show();
    await openMenu('Zoe Adams');
    await press('member-menu-teacher');
    await until(() => expect(find('toast').textContent).toContain('Zoe Adams: now teacher'));
    const role = (): string | undefined =>
      row('Zoe Adams').querySelector('[data-testid="member-role"]')?.textContent;
    expect(role()).toBe('teacher');
    [...find('toast').querySelectorAll('button')].find((one) => one.textContent?.includes('Undo'))?.click();
    await until(() => expect(role()).toBe('observer'));
  });

  it('is removed only after a question that says what happens', async () => {
    const asked = heard('space.remove');
    await show();
    await openMenu('Анна Смирнова');
    await press('member-menu-remove');
    expect(find('remove-dialog').textContent).toContain('Remove Анна Смирнова?');
    expect(find('remove-dialog').textContent).toContain('What they wrote stays');
    expect(find('remove-dialog').querySelector('[autofocus]')?.textContent?.trim()).toBe('Cancel');
    await accessible();
    await press('dialog-close');
    expect(asked).toEqual([]);
    await openMenu('Анна Смирнова');
    await press('member-menu-remove');
    await press('dialog-confirm');
    expect(asked).toEqual([{ space: 'sp1', member: data.key(2), block: false }]);
    expect(has('remove-dialog')).toBe(false);
  });

  it('that was removed and blocked is let back', async () => {
    await show();
    await openMenu('Анна Смирнова');
    await press('member-menu-block');
    expect(find('remove-dialog').textContent).toContain('No invite lets them back');
    await press('dialog-confirm');
    await until(() => expect(all('member').some((one) => one.title === 'Анна Смирнова')).toBe(false));
    expect(has('gone-member')).toBe(false);
    await press('people-gone');
    const gone = (): HTMLElement | undefined =>
      all('gone-member').find((one) => one.title === 'Анна Смирнова');
    expect(gone()?.textContent).toContain('blocked');
    await accessible();
    gone()?.querySelector<HTMLElement>('[data-testid="unblock"]')?.click();
    await until(() => expect(gone()?.textContent).toContain('removed or left'));
    expect(gone()?.querySelector('[data-testid="unblock"]')).toBeNull();
    iAm('student');
    fake.tell({ type: 'spaces' });
    await until(() => expect(has('people-gone')).toBe(false));
  });

  it.each(['(erased)', ''])('that was erased is called so in the language in use, not “%s”', async (name) => {
    const words = 'Тот, чьи слова стёрты';
    const world = fake.world();
    const [pattern] = world.messages.get('r1') ?? [];
    if (!pattern) throw new Error('no messages');
    const of = { ...pattern, author: data.key(99), role: '', mine: false, name, deleted: true, text: '' };
    world.messages.set('r1', [
      { ...of, id: 'one' },
      { ...pattern, id: 'two', reply_to: 'one', text: 'an answer' },
    ]);
    world.notes.set('r1', { students: true, texts: ['a page'], by: name, at: Date.now() });
    world.invites = world.invites.map((invite) => ({ ...invite, by: name }));
    setLanguage('ru');
    await show();
    await press('toggle-notes');
    await until(() => expect(find('notes-state').textContent).toContain(words));
    const [gone, answer] = all('message');
    expect(gone?.querySelector('strong')?.textContent).toBe(words);
    expect(gone?.getAttribute('aria-label')).toContain(words);
    expect(gone?.querySelector('.avatar svg')).not.toBeNull();
    expect(answer?.querySelector('.quote strong')?.textContent).toBe(words);
    await press('invite');
    await press('invite-tab-all');
    await until(() => expect(find('invite-row').textContent).toContain(words));
    const peers = await fake.usual('net.peers')({});
    fake.answer('net.peers', () => ({ ...peers, peers: peers.peers.map((peer) => ({ ...peer, name })) }));
    await press('dialog-close');
    await press('rail-machine');
    await until(() => expect(find('peer').textContent).toContain(words));
    expect(document.body.textContent).not.toContain('(erased)');
  });

  it('that is gone can be erased, once the name was typed', async () => {
    await show();
    await press('people-gone');
    const gone = all('gone-member').find((one) => one.title === 'Віктор Дзюба');
    gone?.querySelector<HTMLElement>('[data-testid="erase"]')?.click();
    await until(() => expect(has('erase-dialog')).toBe(true));
    const confirm = (): HTMLButtonElement => find('dialog-confirm') as HTMLButtonElement;
    expect(confirm().disabled).toBe(true);
    await accessible();
    await type('ask-name', 'Віктор');
    expect(confirm().disabled).toBe(true);
    await type('ask-name', 'Віктор Дзюба');
    await press('dialog-confirm');
    await until(() => expect(has('erase-dialog')).toBe(false));
    const erased = all('gone-member').find((one) => one.textContent?.includes('words were erased'));
    expect(erased?.querySelector('[data-testid="erase"]')).toBeNull();
    expect(
      fake
        .world()
        .members.get('sp1')
        ?.some((one) => one.name === 'Віктор Дзюба'),
    ).toBe(false);
  });

  it('stays when removing fails, and the dialog says why', async () => {
    heard('space.remove', () => {
      throw new CallError('not_allowed', 'teacher may not remove someone of that rank');
    });
    await show();
    await openMenu('Zoe Adams');
    await press('member-menu-remove');
    await press('dialog-confirm');
    expect(find('error').textContent).toContain('someone of that rank');
    expect(has('remove-dialog')).toBe(true);
  });

  it('has a menu that is walked by keys and closed by Escape', async () => {
    await show();
    await openMenu('Zoe Adams');
    const items = [...row('Zoe Adams').querySelectorAll<HTMLElement>('[role="menuitem"]')];
    expect(document.activeElement).toBe(items[0]);
    await key(items[0] ?? document, 'ArrowUp');
    expect(document.activeElement).toBe(items.at(-1));
    await key(items.at(-1) ?? document, 'Home');
    expect(document.activeElement).toBe(items[0]);
    await key(items[0] ?? document, 'Escape');
    expect(has('member-menu-remove')).toBe(false);
    expect(document.activeElement).toBe(menuOf('Zoe Adams'));
  });

  it('has a menu that stays when a room scrolls, and goes when its own list does', async () => {
    await show();
    await openMenu('Zoe Adams');
    document.querySelector('[role="log"]')?.dispatchEvent(new Event('scroll'));
    await settle();
    expect(has('member-menu-remove')).toBe(true);
    find('people').dispatchEvent(new Event('scroll'));
    await settle();
    expect(has('member-menu-remove')).toBe(false);
  });
});

describe('an invite', () => {
  it('that is open is withdrawn', async () => {
    await show();
    await press('invite');
    await press('invite-tab-all');
    await until(() => expect(all('invite-row').length).toBe(4));
    expect(all('invite-revoke').length).toBe(1);
    await accessible();
    await press('invite-revoke');
    await until(() => expect(all('invite-row')[0]?.dataset['state']).toBe('revoked'));
    expect(has('invite-revoke')).toBe(false);
    expect(fake.world().invites.find((one) => one.id === 'i4')?.revoked).toBe(true);
  });

  it('says in the dialog why it was not', async () => {
    heard('space.revoke', () => {
      throw new CallError('not_allowed', 'student may not invite');
    });
    await show();
    await press('invite');
    await press('invite-tab-all');
    await press('invite-revoke');
    await until(() => expect(find('revoke-error').textContent).toContain('student may not invite'));
    expect(all('invite-row')[0]?.dataset['state']).toBe('open');
  });
});

describe('a room', () => {
  const made = (): unknown[] => {
    const asked: unknown[] = [];
    fake.answer('room.new', (args) => {
      asked.push(args);
      throw new CallError('exists', 'There is one.');
    });
    return asked;
  };

  it('is for all, or for teachers', async () => {
    const asked = made();
    await show();
    await press('new-room');
    await type('room-name-input', 'Staff');
    await press('dialog-confirm');
    await press('audience-teachers');
    expect(find('room-dialog').textContent).toContain('Students and observers do not see the room');
    await press('dialog-confirm');
    expect(asked).toEqual([
      { space: 'sp1', name: 'Staff', readers: ['all'] },
      { space: 'sp1', name: 'Staff', readers: ['teachers'] },
    ]);
  });

  it('is for those who are chosen, found by name', async () => {
    const asked = made();
    await show();
    await press('new-room');
    await type('room-name-input', 'Кружок');
    await press('audience-chosen');
    await until(() => expect(all('audience-member').length).toBe(30));
    expect(find('dialog-confirm')).toHaveProperty('disabled', true);
    await accessible();
    await type('audience-search', 'анна');
    expect(all('audience-member').length).toBe(1);
    await press('audience-member');
    await type('audience-search', 'zoe');
    await press('audience-member');
    expect(find('audience-count').textContent).toBe('2 people chosen');
    await press('dialog-confirm');
    expect(asked).toEqual([{ space: 'sp1', name: 'Кружок', readers: [data.key(2), data.key(30)] }]);
  });

  it('has no search where few are there to choose', async () => {
    iAm('owner');
    await show();
    all('new-room')[1]?.click();
    await press('audience-chosen');
    await until(() => expect(all('audience-member').length).toBe(8));
    expect(has('audience-search')).toBe(false);
  });

  it('that is not for all has a sign with a name', async () => {
    await show();
    const signs = all('room-sign').map((one) => [one.dataset['audience'], one.getAttribute('aria-label')]);
    expect(signs).toEqual([
      ['teachers', 'Only for teachers and owners'],
      ['chosen', 'Only for some members'],
    ]);
    expect(all('room-sign').every((one) => one.title === one.getAttribute('aria-label'))).toBe(true);
  });
});

describe('a space', () => {
  const leave = async (at: number): Promise<void> => {
    all('space-menu')[at]?.click();
    await settle();
    await press('space-menu-leave');
  };

  it('is left after a question, and can be read after that', async () => {
    await show();
    await leave(1);
    expect(find('leave-dialog').textContent).toContain('Leave “Photo club”?');
    await accessible();
    await press('dialog-confirm');
    await until(() => expect(find('space-out').textContent).toBe('You are no longer in this space'));
    expect(all('space-menu').length).toBe(1);
    all('room')[3]?.click();
    await settle();
    expect(find('composer-off').textContent).toContain('You are no longer in this space');
    expect(has('composer')).toBe(false);
    expect(has('member-menu')).toBe(false);
    await accessible();
  });

  it('is not left by its last owner, who is told what to do', async () => {
    setLanguage('ru');
    await show();
    await leave(0);
    await press('dialog-confirm');
    expect(find('ask-known').textContent).toContain('Сначала сделайте кого-нибудь совладельцем');
    expect(has('space-out')).toBe(false);
    await accessible();
  });

  it('is not left for another reason, which is told as it is', async () => {
    heard('space.leave', () => {
      throw new CallError('not_allowed', 'this device is not enrolled yet');
    });
    fake.world().members.set('sp1', [...data.members.slice(0, 2).map((one) => ({ ...one, role: 'owner' }))]);
    await show();
    await leave(0);
    await press('dialog-confirm');
    await until(() => expect(find('error').textContent).toContain('this device is not enrolled yet'));
    expect(has('ask-known')).toBe(false);
  });

  it('has no rooms to make and nobody to invite for those who may not', async () => {
    await show();
    // An owner of the first, a student in the second.
    expect(all('new-room').length).toBe(1);
    expect(all('invite').length).toBe(1);
    iAm('observer');
    fake.world().rooms = [];
    fake.tell({ type: 'spaces' });
    await until(() => expect(has('new-room')).toBe(false));
    expect(has('invite')).toBe(false);
    expect(find('empty').textContent).toContain('Choose a room');
    expect(find('empty').querySelector('button')).toBeNull();
  });

  it('that removed the caller says so where it has no room', async () => {
    fake.world().spaces = [{ ...data.spaces()[0]!, state: 'removed' }];
    fake.world().rooms = [];
    await show();
    expect(find('empty').textContent).toContain('You are no longer in “9B');
    expect(has('new-room')).toBe(false);
  });

  it('is read and not written by an observer', async () => {
    iAm('observer');
    await show();
    expect(find('composer-off').textContent).toContain('As an observer');
    expect(has('reply')).toBe(false);
  });
});

describe('devices', () => {
  it('are listed with their spaces, and one is ended after a question', async () => {
    await show();
    await press('rail-machine');
    await press('machine-devices');
    await until(() => expect(all('device').length).toBe(2));
    expect(all('device')[0]?.textContent).toContain('this one');
    expect(all('device')[0]?.querySelector('[data-testid="device-end"]')).toBeNull();
    await accessible();
    await press('device-end');
    expect(find('device-dialog').textContent).toContain('9B · Computer science');
    await accessible();
    await press('dialog-confirm');
    await until(() => expect(all('device').length).toBe(1));
    expect(find('toast').textContent).toContain('The device is ended in: 9B · Computer science');
    expect(fake.world().devices.map((one) => one.device)).toEqual([data.key(77)]);
  });
});
