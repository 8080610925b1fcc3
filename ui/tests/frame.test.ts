import { describe, expect, it, vi } from 'vitest';

import { fake, shell } from '$fake';

import { CallError, type Name } from '../src/contract';
import { app } from '../src/state/app.svelte';
import { market } from '../src/state/market.svelte';
import { accessible, all, find, has, key, press, settle, show, type, until } from './page';

describe('first run', () => {
  it('makes a profile and opens it', async () => {
    Object.assign(fake.world(), { open: false, profiles: [] });
    const made: unknown[] = [];
    fake.answer('profile.new', (args) => {
      made.push(args);
      return { profile: args.name, member: 'aa', recovery: 'AAAAF-AAAAK-AAAAP-AAAAU-AAAAR-AAAA6' };
    });
    await show();
    await accessible();
    expect(find('first-run-create')).toHaveProperty('disabled', true);
    await type('first-run-name', ' Анна Смирнова ');
    await type('first-run-passphrase', 'five words are enough here');
    await press('first-run-create');
    expect(made).toEqual([{ name: 'Анна Смирнова', passphrase: 'five words are enough here' }]);
    await until(() => expect(has('rail-rooms')).toBe(true));
    expect(fake.world().profile).toBe('Анна Смирнова');
    // The recovery code is shown this once, until it is written down.
    expect(find('recovery-code').dataset['code']).toBe('AAAAF-AAAAK-AAAAP-AAAAU-AAAAR-AAAA6');
    await press('dialog-close');
    expect(find('recovery-dialog').textContent).toContain('once you have it');
    await accessible();
    await press('recovery-done');
    expect(has('recovery-dialog')).toBe(false);
  });

  it('leads back in by the recovery code, and shows the new one', async () => {
    fake.world().open = false;
    await show();
    await press('first-run-forgot');
    await type('recover-code', 'too short');
    await type('recover-new', 'five words are enough here');
    await type('recover-again', 'five words are enough here');
    await press('dialog-confirm');
    expect(find('recover-error').textContent).toContain('The recovery code does not fit');
    await accessible();
    await type('recover-code', 'aaaaf aaaak aaaap aaaau aaaar aaaa6');
    await press('dialog-confirm');
    await until(() => expect(has('rail-rooms')).toBe(true));
    expect(has('recovery-code')).toBe(true);
  });

  it('says why a profile does not open after its code was taken', async () => {
    fake.world().open = false;
    await show();
    await press('first-run-forgot');
    await type('recover-code', 'aaaaf aaaak aaaap aaaau aaaar aaaa6');
    await type('recover-new', 'five words are enough here');
    await type('recover-again', 'five words are enough here');
    vi.spyOn(shell, 'openProfile').mockRejectedValueOnce(new CallError('in_use', 'another has it'));
    await press('dialog-confirm');
    await until(() => expect(has('recovery-code')).toBe(true));
    expect(find('toast').textContent).toContain('open elsewhere');
  });

  it('shows what there is to tell while a profile opens', async () => {
    fake.world().open = false;
    await show();
    const profile = await shell.call('profile.show', {});
    fake.answer('profile.show', () => {
      fake.tell({ type: 'notice', level: 'warning', code: 'socket_off', message: 'why', params: {} });
      return profile;
    });
    await type('first-run-passphrase', 'right');
    await press('first-run-open');
    await until(() => expect(has('rail-rooms')).toBe(true));
    expect(find('toast').textContent).toContain('Commands in a terminal');
  });

  it('says that a passphrase is wrong, and what to do, and keeps it for another try', async () => {
    fake.world().open = false;
    await show();
    await type('first-run-passphrase', 'wrong');
    await press('first-run-open');
    expect(find('first-run-error').textContent).toContain('The passphrase does not fit');
    expect(find('first-run-error').textContent).toContain('Caps Lock');
    await accessible();
    await type('first-run-passphrase', 'right');
    await press('first-run-open');
    await until(() => expect(has('rail-rooms')).toBe(true));
  });

  it('shows and hides what was typed', async () => {
    fake.world().open = false;
    await show();
    expect(find('first-run-passphrase').getAttribute('type')).toBe('password');
    await press('first-run-passphrase-show');
    expect(find('first-run-passphrase').getAttribute('type')).toBe('text');
  });

  it('opens the profile that was picked, and no damaged one', async () => {
    fake.world().open = false;
    fake.answer('profile.list', () =>
      ['one', 'два', 'broken'].map((profile) => ({
        profile,
        member: profile,
        in_use: false,
        created_at: 0,
        problem: profile === 'broken' ? 'The file vault.json is damaged.' : null,
      })),
    );
    await show();
    const [, second, broken] = all('first-run-profile');
    expect(broken).toHaveProperty('disabled', true);
    expect(broken?.textContent).toContain('vault.json');
    second?.click();
    await type('first-run-passphrase', 'x');
    await press('first-run-open');
    await until(() => expect(fake.world().profile).toBe('два'));
  });

  it('speaks another language at once and remembers it', async () => {
    fake.world().open = false;
    await show();
    await press('language-uk');
    expect(find('first-run').textContent).toContain('З поверненням');
    expect(localStorage.getItem('artel.language')).toBe('uk');
  });
});

describe('the frame', () => {
  it('goes to the five places by click and by Ctrl and digit', async () => {
    await show();
    for (const [digit, place] of ['rooms', 'market', 'images', 'catalog', 'machine'].entries()) {
      await press(`rail-${place}`);
      expect(has(`place-${place}`)).toBe(true);
      expect(find(`rail-${place}`).getAttribute('aria-current')).toBe('page');
      await key(window, 'x', { code: 'Digit1', ctrlKey: true });
      expect(app.place).toBe('rooms');
      await key(window, 'x', { code: `Digit${digit + 1}`, ctrlKey: true });
      expect(app.place).toBe(place);
    }
  });

  it('stays where it is under a dialog, and the palette closes by its own keys', async () => {
    await show();
    await press('new-room');
    await key(find('room-name-input'), '2', { code: 'Digit2', ctrlKey: true });
    await key(find('room-name-input'), 'k', { code: 'KeyK', ctrlKey: true });
    expect([app.place, app.palette]).toEqual(['rooms', false]);
    await press('dialog-close');
    await key(window, 'k', { code: 'KeyK', ctrlKey: true });
    await key(find('palette-input'), '2', { code: 'Digit2', ctrlKey: true });
    expect([app.place, app.palette]).toEqual(['rooms', true]);
    await key(find('palette-input'), 'k', { code: 'KeyK', ctrlKey: true });
    expect(has('palette')).toBe(false);
  });

  it('shows where one is and who is here', async () => {
    await show();
    expect(find('title-space').textContent).toBe('9B · Computer science');
    expect(find('presence').textContent?.trim()).toBe('28 of 31 here');
  });

  it('locks, by hand and from outside', async () => {
    await show();
    await press('lock');
    expect(has('first-run')).toBe(true);
    await type('first-run-passphrase', 'x');
    await press('first-run-open');
    await until(() => expect(has('rail-rooms')).toBe(true));
    fake.tell({ type: 'locked' });
    await settle();
    expect(has('first-run')).toBe(true);
  });

  it('shows the next profile nothing of the one before', async () => {
    await show();
    await press('rail-market');
    await until(() => expect(all('series').length).toBe(3));
    all('series')[2]?.click();
    await until(() => expect(find('chart').textContent).toContain('RSI 14'));
    find('chart').querySelector<HTMLElement>('[aria-label="Remove RSI"]')?.click();
    fake.tell({ type: 'notice', level: 'bad', code: 'x', message: 'Secret of the first.', params: {} });
    await settle();
    await press('lock');
    expect(has('toast')).toBe(false);
    let answer: () => void = () => undefined;
    fake.answer('market.list', async () => {
      await new Promise<void>((done) => (answer = done));
      return [];
    });
    await type('first-run-passphrase', 'x');
    await press('first-run-open');
    await press('rail-market');
    expect(has('series')).toBe(false);
    answer();
    await until(() => expect(has('market-empty')).toBe(true));
    expect(market).toEqual({
      symbol: undefined,
      drawn: [
        { name: 'SMA', values: [50] },
        { name: 'RSI', values: [14] },
      ],
    });
  });

  it('asks again for everything it shows when events were missed', async () => {
    await show();
    await press('toggle-notes');
    await until(() => expect(has('notes-text')).toBe(true));
    const calls = vi.spyOn(shell, 'call');
    const after = async (wanted: Name[]): Promise<void> => {
      calls.mockClear();
      fake.tell({ type: 'missed' });
      const asked = (): string[] => calls.mock.calls.map(([name]) => name);
      await until(() => expect(asked()).toEqual(expect.arrayContaining(wanted)));
    };
    await after(['room.read', 'jobs.list', 'notes.show', 'space.list', 'room.list', 'space.members']);
    await press('rail-market');
    await until(() => expect(has('legend')).toBe(true));
    await after(['market.list', 'market.bars']);
    await press('rail-catalog');
    await until(() => expect(has('product')).toBe(true));
    await after(['catalog.stats', 'catalog.products']);
    await press('rail-machine');
    await after(['net.peers']);
  });

  it('goes on when the network does not start, and says so', async () => {
    fake.answer('node.start', () => {
      throw new CallError('offline', 'No address can be listened on.');
    });
    await show();
    expect(find('toast').textContent).toContain('The network is not running');
    expect(has('rail-rooms')).toBe(true);
  });

  it('shows a notice from outside', async () => {
    await show();
    fake.tell({ type: 'notice', level: 'warning', code: 'clock', message: 'The clock jumped.', params: {} });
    await settle();
    expect(find('toast').dataset['level']).toBe('warning');
    expect(find('toast').textContent).toContain('The clock jumped.');
  });

  it('keeps what went wrong until it is dismissed, whatever comes after', async () => {
    await show();
    const say = (level: 'note' | 'bad', message: string): void =>
      fake.tell({ type: 'notice', level, code: message, message, params: {} });
    say('bad', 'first');
    for (const message of ['a', 'b', 'c', 'd', 'e']) say('note', message);
    say('bad', 'second');
    say('bad', 'first');
    await settle();
    expect(all('toast').map((toast) => toast.textContent?.trim())).toEqual(['d', 'e', 'second', 'first']);
    for (const message of ['x', 'y', 'z']) say('bad', message);
    say('note', 'f');
    await settle();
    expect(all('toast').map((toast) => toast.textContent?.trim())).toEqual([
      'second',
      'first',
      'x',
      'y',
      'z',
      'f',
    ]);
  });

  it('shows notices in the dialog that is open, above its veil, and in the window again after it', async () => {
    const raised: (string | undefined)[] = [];
    const modal = vi.spyOn(HTMLDialogElement.prototype, 'showModal');
    modal.mockImplementation(function (this: HTMLDialogElement) {
      this.open = true;
      raised.push(this.dataset['testid']);
    });
    const above = { showPopover: () => void raised.push('notices') };
    Object.assign(HTMLElement.prototype, above);
    try {
      await show();
      fake.tell({ type: 'notice', level: 'bad', code: 'before', message: 'before', params: {} });
      await press('open-palette');
      expect(raised).toEqual(['notices', 'palette', 'notices']);
      expect(all('toast').map((one) => one.closest('dialog'))).toEqual([find('palette')]);
      await key(window, 'k', { code: 'KeyK', ctrlKey: true });
      expect(all('toast').map((one) => one.closest('dialog'))).toEqual([null]);
      await press('new-space');
      fake.tell({ type: 'notice', level: 'bad', code: 'after', message: 'after', params: {} });
      await settle();
      expect(all('toast').map((one) => one.closest('dialog'))).toEqual([
        find('space-dialog'),
        find('space-dialog'),
      ]);
      await accessible();
      find('toast').querySelector<HTMLElement>('[aria-label="Dismiss"]')?.click();
      await settle();
      expect(all('toast').map((one) => one.textContent?.trim())).toEqual(['after']);
      await press('dialog-close');
      expect(find('toast').closest('dialog')).toBeNull();
    } finally {
      Reflect.deleteProperty(HTMLElement.prototype, 'showPopover');
    }
  });

  it('names the tray in the language in use', async () => {
    const named = vi.spyOn(shell, 'nameTray');
    fake.world().open = false;
    await show();
    await press('language-ru');
    expect(named.mock.calls.map(([{ quit }]) => quit)).toEqual(['Quit', 'Выйти']);
  });
});

describe('the palette', () => {
  it('finds a room, a symbol, a person and goes there', async () => {
    await show();
    await key(window, 'k', { code: 'KeyK', ctrlKey: true });
    await settle();
    await accessible();
    await type('palette-input', 'eurusd');
    expect(all('palette-entry')[0]?.textContent).toContain('EURUSD');
    await key(find('palette-input'), 'Enter');
    expect(has('palette')).toBe(false);
    await until(() => expect(find('chart').textContent).toContain('EURUSD'));
    await press('open-palette');
    await type('palette-input', 'homew');
    await key(find('palette-input'), 'Enter');
    expect(find('composer').getAttribute('aria-label')).toBe('Write in Homework');
  });

  it('gives the focus back, and shows a person among the people', async () => {
    window.innerWidth = 1000;
    await show();
    window.innerWidth = 1280;
    expect(has('people')).toBe(false);
    find('toggle-people').focus();
    await key(window, 'k', { code: 'KeyK', ctrlKey: true });
    find('palette-input').focus();
    await key(window, 'k', { code: 'KeyK', ctrlKey: true });
    expect(document.activeElement).toBe(find('toggle-people'));
    await press('rail-machine');
    await press('open-palette');
    await type('palette-input', 'James Whit');
    await key(find('palette-input'), 'Enter');
    await until(() => expect(document.activeElement?.textContent).toContain('James Whitfield'));
    expect(document.activeElement?.getAttribute('data-testid')).toBe('member');
    find('toggle-notes').focus();
    fake.tell({ type: 'spaces' });
    await new Promise((done) => setTimeout(done, 150));
    expect(document.activeElement).toBe(find('toggle-notes'));
  });

  it('moves by arrows around the end, and says when nothing fits', async () => {
    await show();
    await press('open-palette');
    await key(find('palette-input'), 'ArrowUp');
    const entries = all('palette-entry');
    expect(entries.at(-1)?.getAttribute('aria-selected')).toBe('true');
    await type('palette-input', 'щщщ');
    expect(find('palette').textContent).toContain('Nothing fits “щщщ”');
  });
});

describe('jobs', () => {
  it('folds to one line that shows the first running job', async () => {
    await show();
    expect(find('jobs-toggle').textContent).toContain('Карпати 2026');
    expect(find('jobs-toggle').textContent).toContain('33%');
    expect(has('job')).toBe(false);
    await press('jobs-toggle');
    expect(all('job').length).toBe(4);
    const said = all('job').map((job) => job.textContent);
    expect(said[0]).toContain('Web: Карпати 2026');
    expect(said[0]).toContain('graphics card: NVIDIA RTX 4060');
    expect(said[1]).toContain('Rich Content: Everything in balance');
    expect(said[1]).toContain('processor');
    await accessible();
  });

  it('pauses, goes on, cancels and tries again', async () => {
    await show();
    await press('jobs-toggle');
    const row = (number: number): HTMLElement => {
      const found = all('job').find((job) => job.dataset['job'] === String(number));
      if (!found) throw new Error(`no job ${number}`);
      return found;
    };
    const button = (number: number, id: string): HTMLElement => {
      const found = row(number).querySelector<HTMLElement>(`[data-testid="${id}"]`);
      if (!found) throw new Error(`no ${id}`);
      return found;
    };
    button(14, 'job-pause').click();
    await settle();
    expect(row(14).dataset['state']).toBe('paused');
    button(14, 'job-resume').click();
    await settle();
    expect(row(14).dataset['state']).toBe('running');
    button(14, 'job-cancel').click();
    await settle();
    expect(row(14).dataset['state']).toBe('cancelled');
    button(12, 'job-retry').click();
    await settle();
    expect(row(12).dataset['state']).toBe('running');
    expect(row(12).querySelector('[data-testid="job-share"]')).toBeNull();
  });

  it('tells when one is finished', async () => {
    await show();
    fake.change(14, { state: 'done_in_part', done: 1837 });
    await settle();
    expect(find('toast').textContent).toContain('Finished: Web: Карпати 2026');
  });

  it('tells when one stops by itself, and the folded line says so', async () => {
    await show();
    fake.change(14, { state: 'paused', remaining_s: null });
    await settle();
    expect(has('toast')).toBe(false);
    expect(find('jobs-toggle').textContent).toContain('paused');
    fake.change(14, { state: 'running' });
    fake.change(14, { state: 'interrupted', error: 'The disk of /home is full.' });
    await settle();
    expect(find('toast').dataset['level']).toBe('bad');
    expect(find('toast').textContent).toContain('Stopped: Web: Карпати 2026');
    expect(find('toast').textContent).toContain('The disk of /home is full.');
    expect(find('jobs-toggle').textContent).toContain('interrupted');
    fake.change(14, { done: 700 });
    await settle();
    expect(all('toast').length).toBe(1);
  });

  it('keeps the state that came last when a click fails', async () => {
    fake.answer('jobs.pause', () => {
      throw new CallError('wrong_state', 'Job 14 is finished.');
    });
    await show();
    await press('jobs-toggle');
    await press('job-pause');
    expect(find('toast').textContent).toContain('Job 14 is finished.');
    expect(find('job').dataset['state']).toBe('running');
  });

  it('with none say what will be here', async () => {
    fake.world().jobs = [];
    await show();
    expect(find('jobs-toggle').textContent).toContain('Nothing is running');
    await press('jobs-toggle');
    expect(find('jobs-drawer').textContent).toContain('No jobs yet');
  });

  it('are shared to the room that was chosen', async () => {
    const shared: unknown[] = [];
    fake.answer('share', (args) => {
      shared.push(args);
      return { message: 'm1', state: 'stored', peers: 0 };
    });
    await show();
    await press('jobs-toggle');
    await press('job-share');
    await accessible();
    all('share-room')
      .find((room) => room.dataset['room'] === 'r3')
      ?.querySelector('input')
      ?.click();
    await settle();
    await press('dialog-confirm');
    expect(shared).toEqual([{ result: 'job:12', room: 'r3' }]);
    expect(find('toast').textContent).toContain('Shared to Results');
  });
});

describe('files over the window', () => {
  it.each([
    ['rooms', 'Drop to attach to a message in General'],
    ['market', 'Drop to import prices'],
    ['images', 'Drop to start a batch of pictures'],
    ['catalog', 'Drop to import products'],
    ['machine', 'Nothing here takes files'],
  ])('in %s: %s', async (place, words) => {
    await show();
    await press(`rail-${place}`);
    fake.drop('enter');
    await settle();
    expect(find('drop-veil').textContent?.trim()).toBe(words);
    fake.drop('leave');
    await settle();
    expect(has('drop-veil')).toBe(false);
  });
});
