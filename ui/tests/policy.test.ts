import { describe, expect, it } from 'vitest';

import { fake } from '$fake';

import { accessible, all, find, has, press, settle, show, type, until } from './page';

function rule(key: string): HTMLElement {
  const found = all('rule').find((one) => one.dataset['key'] === key);
  if (!found) throw new Error(`no rule ${key}`);
  return found;
}

async function open(at: number): Promise<void> {
  await show();
  all('space-menu')[at]?.click();
  await settle();
  await press('space-menu-rules');
  await until(() => expect(all('rule')).toHaveLength(3));
}

describe('the rules of a space', () => {
  it('are set by those who run it, and say who set them', async () => {
    await open(0);
    await accessible();
    expect(rule('history').dataset['value']).toBe('30');
    expect(rule('history').textContent).toContain('The last 30 days');
    expect(rule('history').textContent).toContain('Maria Ivanova');
    expect(rule('direct').textContent).not.toContain('Set by');
    await type('rule-history', 'none');
    await until(() => expect(rule('history').dataset['value']).toBe('none'));
    await type('rule-direct', 'off');
    await until(() => expect(rule('direct').textContent).toContain('Set by'));
    expect(fake.world().rules.map(({ value }) => value)).toEqual(['none', 'off', 'students']);
  });

  it('keep a number of days that is not offered', async () => {
    const world = fake.world();
    world.rules = world.rules.map((one) => (one.key === 'history' ? { ...one, value: '12' } : one));
    await open(0);
    expect(rule('history').textContent).toContain('The last 12 days');
  });

  it('are read by the others', async () => {
    await open(1);
    expect(has('rule-history')).toBe(false);
    expect(rule('history').textContent).toContain('The last 30 days');
    expect(find('rules-dialog').textContent).toContain('Teachers and owners set them.');
    await accessible();
  });

  it('stay as they are when they cannot be set', async () => {
    fake.answer('space.policy', ({ set }) => {
      if (set.length > 0) throw new Error('the profile is being closed');
      return fake.world().rules;
    });
    await open(0);
    await type('rule-direct', 'off');
    await until(() => expect(has('error')).toBe(true));
    expect(rule('direct').dataset['value']).toBe('on');
  });
});

async function menuOf(name: string): Promise<void> {
  const person = all('member').find((one) => one.title === name);
  person?.querySelector<HTMLElement>('[data-testid="member-menu"]')?.click();
  await settle();
}

async function write(name: string): Promise<void> {
  await menuOf(name);
  await press('member-menu-write');
}

describe('with direct messages off', () => {
  it('nobody is written to, and it says why', async () => {
    const world = fake.world();
    world.spaces = world.spaces.map((space) => ({ ...space, direct: false }));
    await show();
    await menuOf('James Whitfield');
    expect(find('member-menu-write').getAttribute('aria-disabled')).toBe('true');
    expect(find('member-menu-write').textContent).toContain('Direct messages are off');
    await accessible();
    await press('member-menu-write');
    expect(has('toggle-notes')).toBe(true);
  });

  it('a conversation is read and not written in', async () => {
    await show();
    await write('James Whitfield');
    await until(() => expect(has('composer')).toBe(true));
    const world = fake.world();
    world.spaces = world.spaces.map((space) => ({ ...space, direct: false }));
    fake.tell({ type: 'spaces' });
    await until(() => expect(has('composer')).toBe(false));
    expect(find('composer-off').textContent).toContain('Direct messages are off in this space.');
  });
});

function withhold(withheld: boolean): void {
  const world = fake.world();
  world.rooms = world.rooms.map((room) => (room.room === 'r1' ? { ...room, withheld } : room));
}

describe('messages from before one came', () => {
  it('stand where they belong once a rule allows them', async () => {
    const world = fake.world();
    const list = world.messages.get('r1') ?? [];
    const [first] = list;
    if (!first) throw new Error('no message');
    withhold(true);
    await show();
    await until(() => expect(has('withheld')).toBe(true));
    const message = { ...first, id: 'm-old', text: 'said before', at: first.at - 86_400_000 };
    world.messages.set('r1', [message, ...list]);
    withhold(false);
    fake.tell({ type: 'spaces' });
    fake.tell({ type: 'message', room: 'r1', message });
    await until(() => expect(has('withheld')).toBe(false));
    await until(() => expect(all('message-text').map((one) => one.textContent)[0]).toBe('said before'));
  });

  it('are not shown, and one quiet line says so', async () => {
    withhold(true);
    await show();
    await until(() => expect(all('withheld')).toHaveLength(1));
    expect(find('withheld').textContent).toBe('Messages from before you joined are not shown here');
    await accessible();
  });

  it('leave no line where there are none', async () => {
    await show();
    expect(has('withheld')).toBe(false);
  });
});
