import { describe, expect, it } from 'vitest';

import { fake } from '$fake';

import { chooseSpace, chosen, overview } from '../src/state/spaces.svelte';
import { accessible, all, find, has, press, settle, show, type, until } from './page';

/** The row of a member among the people. */
function person(name: string): HTMLElement {
  const found = all('member').find((one) => one.title === name);
  if (!found) throw new Error(`no ${name}`);
  return found;
}

async function open(name: string): Promise<void> {
  person(name).querySelector<HTMLElement>('[data-testid="member-menu"]')?.click();
  await settle();
  await press('member-menu-write');
}

describe('a conversation with one member', () => {
  it('is begun among the people, written in, and listed', async () => {
    await show();
    await open('James Whitfield');
    const signs = all('room-sign').map((one) => one.dataset['audience']);
    expect(signs.filter((audience) => audience === 'direct')).toHaveLength(2);
    expect(has('toggle-notes')).toBe(false);
    await accessible();
    await type('composer', 'When do we meet?');
    await press('send');
    await until(() =>
      expect(all('message-text').map((one) => one.textContent)).toEqual(['When do we meet?']),
    );
    const rooms = all('room').map((one) => one.textContent ?? '');
    expect(rooms.filter((words) => words.includes('@James Whitfield'))).toHaveLength(1);
  });

  it('that was begun is gone back to in its own space', async () => {
    await show();
    await open('James Whitfield');
    const direct = (): HTMLElement => {
      const found = all('room').find((one) => one.textContent?.includes('@James Whitfield'));
      if (!found) throw new Error('not listed');
      return found;
    };
    const begun = chosen.room;
    const own = chosen.space;
    const other = overview.data?.spaces.find(({ space }) => space !== own);
    chooseSpace(other?.space ?? '');
    await settle();
    expect(chosen.room).not.toBe(begun);
    direct().click();
    await settle();
    expect([chosen.space, chosen.room]).toEqual([own, begun]);
  });

  it('says what cannot be opened any more', async () => {
    const world = fake.world();
    const list = world.messages.get('r1') ?? [];
    world.messages.set(
      'r1',
      list.map((message, at) => (at === list.length - 1 ? { ...message, closed: true, text: '' } : message)),
    );
    await show();
    expect(find('message-closed').textContent).toContain('cannot be opened');
  });
});

describe('a report', () => {
  it('says who gets it, and is sent with words', async () => {
    await show();
    const before = fake.world().reports.length;
    const row = all('message').findLast((one) => one.querySelector('[data-testid="report"]'));
    row?.querySelector<HTMLElement>('[data-testid="report"]')?.click();
    await settle();
    await accessible();
    await type('report-why', 'not kind');
    await press('dialog-confirm');
    await until(() => expect(has('report-dialog')).toBe(false));
    expect(
      fake
        .world()
        .reports.slice(before)
        .map((report) => report.text),
    ).toEqual(['not kind']);
  });

  it('that comes meanwhile is listed as well', async () => {
    await show();
    await press('space-menu');
    await press('space-menu-reports');
    await until(() => expect(all('reported')).toHaveLength(2));
    const [one] = fake.world().reports;
    if (!one) throw new Error('no reports');
    fake.world().reports.push({ ...one, id: 'p3' });
    fake.tell({ type: 'spaces' });
    await until(() => expect(all('reported')).toHaveLength(3));
  });

  it('of a message with two files of one name is read as well', async () => {
    for (const report of fake.world().reports) {
      if (report.reported) report.reported.files = ['scan.jpg', 'scan.jpg'];
    }
    await show();
    await press('space-menu');
    await press('space-menu-reports');
    await until(() => expect(all('reported')).toHaveLength(2));
    expect(find('reports-dialog').textContent?.match(/scan\.jpg/g)).toHaveLength(2);
  });

  it('is read by those who run the space, as it was written', async () => {
    await show();
    await press('space-menu');
    await press('space-menu-reports');
    await until(() => expect(all('reported')).toHaveLength(2));
    expect(find('report-said').textContent).toBe('Хто це взагалі написав?');
    expect(find('report-unverified').textContent).toContain('proves nothing');
    await accessible();
  });
});
