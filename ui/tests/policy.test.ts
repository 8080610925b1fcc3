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

describe('with direct messages off', () => {
  it('nobody is written to, and it says why', async () => {
    const world = fake.world();
    world.spaces = world.spaces.map((space) => ({ ...space, direct: false }));
    await show();
    const person = all('member').find((one) => one.title === 'James Whitfield');
    person?.querySelector<HTMLElement>('[data-testid="member-menu"]')?.click();
    await settle();
    expect(find('member-menu-write').getAttribute('aria-disabled')).toBe('true');
    expect(find('member-menu-write').textContent).toContain('Direct messages are off');
    await accessible();
    await press('member-menu-write');
    expect(has('toggle-notes')).toBe(true);
  });

  it('a conversation is read and not written in', async () => {
    const world = fake.world();
    world.spaces = world.spaces.map((space) => ({ ...space, direct: false }));
    await show();
    const talk = all('room').find((one) =>
      one.querySelector('[data-testid="room-sign"][data-audience="direct"]'),
    );
    talk?.click();
    await settle();
    expect(find('composer-off').textContent).toContain('Direct messages are off in this space.');
    expect(has('composer')).toBe(false);
  });
});

describe('messages from before one came', () => {
  it('are not shown, and one quiet line says so', async () => {
    fake.world().withheld.add('r1');
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
