import { describe, expect, it, vi } from 'vitest';

import { fake, shell } from '$fake';

import * as data from '../src/fake/data';
import { CallError } from '../src/contract';
import { setLanguage } from '../src/i18n/index.svelte';
import { qr } from '../src/places/rooms/qr';
import { accessible, all, find, has, key, press, settle, show, type, until } from './page';

const texts = (): string[] => all('message-text').map((text) => text.textContent ?? '');

describe('rooms', () => {
  it('are full', async () => {
    await show();
    expect(all('space').length).toBe(2);
    expect(all('room').length).toBe(5);
    expect(texts().at(-1)).toBe('Anyone else done with part two?');
    expect(find('people')).toBeDefined();
    await accessible();
  });

  it('of a restored profile wait for what was deleted, unless one will not wait', async () => {
    fake.world().spaces = fake.world().spaces.map((space) => ({ ...space, held: true }));
    await show();
    expect(find('held').textContent).toContain('restored from a backup');
    expect(texts()).toEqual([]);
    await accessible();
    await press('held-show');
    await until(() => expect(texts().at(-1)).toBe('Anyone else done with part two?'));
    expect(has('held')).toBe(false);
  });

  it('are empty: say what this is and offer a beginning', async () => {
    Object.assign(fake.world(), { spaces: [], rooms: [] });
    await show();
    expect(find('rooms-empty').textContent).toContain('No spaces yet');
    await accessible();
    await press('empty-new-space');
    await type('space-name-input', '  9 «Б» ');
    await press('dialog-confirm');
    await until(() => expect(find('title-space').textContent).toBe('9 «Б»'));
    expect(has('space-dialog')).toBe(false);
    expect(has('history-empty')).toBe(true);
  });

  it('load: nothing for 200 ms, then a skeleton', async () => {
    let answer: () => void = () => undefined;
    const gate = new Promise<void>((done) => (answer = done));
    const { spaces, rooms } = fake.world();
    fake.answer('space.list', () => gate.then(() => spaces));
    fake.answer('room.list', () => rooms);
    vi.useFakeTimers();
    await show();
    expect(has('skeleton')).toBe(false);
    vi.advanceTimersByTime(199);
    await settle();
    expect(has('skeleton')).toBe(false);
    vi.advanceTimersByTime(2);
    await settle();
    expect(has('skeleton')).toBe(true);
    answer();
    await settle();
    expect(all('room').length).toBe(5);
  });

  it('fail: what, why, what to do, and try again', async () => {
    let broken = true;
    const { spaces } = fake.world();
    fake.answer('space.list', () => {
      if (broken) throw new CallError('disk_full', 'The disk of /home is full.');
      return spaces;
    });
    await show();
    const words = find('error').textContent ?? '';
    expect(words).toContain('The disk is full');
    expect(words).toContain('The disk of /home is full.');
    expect(words).toContain('Free some space');
    await accessible();
    broken = false;
    await press('retry');
    expect(has('error')).toBe(false);
    expect(all('space').length).toBe(2);
  });

  it('wait while the teacher has not let one in', async () => {
    Object.assign(fake.world(), {
      spaces: [
        {
          space: 's',
          name: 'Lab',
          role: 'student',
          state: 'pending',
          members: 3,
          online: 1,
          unread: 0,
          direct: true,
          held: false,
        },
      ],
      rooms: [],
    });
    await show();
    expect(document.body.textContent).toContain('The teacher has not let you in yet');
  });

  it('refuse a name that is taken, in the dialog', async () => {
    fake.answer('room.new', () => {
      throw new CallError('exists', 'There is a room “General” in this space.');
    });
    await show();
    await press('new-room');
    await type('room-name-input', 'General');
    await press('dialog-confirm');
    expect(find('error').textContent).toContain('There is one already');
    expect(has('room-dialog')).toBe(true);
  });
});

describe('people', () => {
  it('are those here, then those away, with what they are', async () => {
    await show();
    const words = find('people').textContent ?? '';
    expect(words.indexOf('Here')).toBeLessThan(words.indexOf('Away'));
    expect(words).toContain('James Whitfield');
    expect(words).toContain('teacher');
    await press('toggle-people');
    expect(has('people')).toBe(false);
  });
});

describe('whoever knocked', () => {
  it('is let in by a teacher', async () => {
    const asked: unknown[] = [];
    const [first] = (await import('../src/fake/data')).members;
    if (!first) throw new Error('nobody');
    fake.answer('space.members', () => [
      {
        ...first,
        member: 'new',
        name: 'Ліна',
        me: false,
        role: 'student',
        state: asked.length > 0 ? 'member' : 'pending',
      },
    ]);
    fake.answer('space.admit', (args) => {
      asked.push(args);
      return null;
    });
    await show();
    await press('admit');
    expect(asked).toEqual([{ space: 'sp1', member: 'new' }]);
    await until(() => expect(has('admit')).toBe(false));
  });

  it('is seen by a teacher while the people are hidden, and by nobody else', async () => {
    fake.answer('space.members', () =>
      data.members.map((member, at) => (at > 27 ? { ...member, state: 'pending' } : member)),
    );
    await show();
    expect(has('people-waiting')).toBe(false);
    await press('toggle-people');
    expect(find('people-waiting').textContent?.trim()).toBe('3 people wait');
    await accessible();
    await press('people-waiting');
    expect(all('admit').length).toBe(3);
    fake.world().spaces = fake.world().spaces.map((space) => ({ ...space, role: 'student' }));
    fake.tell({ type: 'spaces' });
    await until(() => expect(has('admit')).toBe(false));
    await press('toggle-people');
    expect(has('people-waiting')).toBe(false);
  });
});

describe('history', () => {
  it('has one head for each group, and a line where the new ones begin', async () => {
    await show();
    const heads = all('message').filter((row) => row.querySelector('header'));
    expect(heads.length).toBeLessThan(all('message').length);
    const line = find('new-line');
    const after = all('message').filter(
      (row) => line.compareDocumentPosition(row) & Node.DOCUMENT_POSITION_FOLLOWING,
    );
    expect(after.map((row) => row.dataset['message'])).toEqual(['m1014', 'm1015', 'm1016', 'm1017']);
  });

  it('shows what comes, and reads it out', async () => {
    await show();
    fake.write('r1', { author: data.key(2), name: 'Анна', text: 'Готово', mine: false });
    fake.write('r2', { author: data.key(2), name: 'Анна', text: 'elsewhere', mine: false });
    await settle();
    expect(texts().at(-1)).toBe('Готово');
    expect(texts()).not.toContain('elsewhere');
    expect(
      [...document.querySelectorAll('[aria-live="polite"]')].some(
        (one) => one.textContent === 'Анна: Готово',
      ),
    ).toBe(true);
  });

  it('shows markup as the text it is', async () => {
    await show();
    fake.write('r1', {
      author: data.key(2),
      name: '<b>x</b>',
      text: '<img src=x onerror=alert(1)>',
      mine: false,
    });
    await settle();
    expect(texts().at(-1)).toBe('<img src=x onerror=alert(1)>');
    expect(document.querySelector('img[src="x"]')).toBeNull();
  });

  it('puts a late message where the records say', async () => {
    await show();
    const read = fake.world().messages.get('r1') ?? [];
    const [first, ...rest] = read;
    if (!first) throw new Error('no messages');
    const late = { ...first, id: 'late', order: `${first.order}+`, text: 'I was away', late: true };
    fake.world().messages.set('r1', [first, late, ...rest]);
    fake.tell({ type: 'message', room: 'r1', message: late });
    await until(() => expect(all('message')[1]?.dataset['message']).toBe('late'));
    expect(all('message')[1]?.textContent).not.toContain('Good morning');
  });

  it('follows a change of a message it shows', async () => {
    await show();
    const [message] = fake.world().messages.get('r1') ?? [];
    if (!message) throw new Error('no messages');
    fake.tell({ type: 'message', room: 'r1', message: { ...message, deleted: true, text: '' } });
    await settle();
    expect(all('message')[0]?.textContent).toContain('This message was deleted');
  });

  it('goes to a quoted message that is not here yet', async () => {
    await show();
    fake.write('r1', { author: data.key(2), name: 'A', text: 'see above', reply_to: 'm890', mine: false });
    await settle();
    all('message').at(-1)?.querySelector<HTMLElement>('.quote')?.click();
    await until(() => expect(all('message').some((row) => row.dataset['message'] === 'm890')).toBe(true));
    expect(new Set(all('message').map((row) => row.dataset['message'])).size).toBe(all('message').length);
  });

  it('says when a quoted message is nowhere', async () => {
    await show();
    fake.write('r1', { author: data.key(2), name: 'A', text: 'see', reply_to: 'gone', mine: false });
    await settle();
    all('message').at(-1)?.querySelector<HTMLElement>('.quote')?.click();
    await until(() => expect(find('toast').textContent).toContain('not on this machine yet'));
  });

  it('shows how much of a file is here and saves it', async () => {
    const saved: unknown[] = [];
    fake.answer('room.save', (args) => {
      saved.push(args);
      return { path: args.to, size: 1, hash: '' };
    });
    fake.pick(['/home/maria/r.csv']);
    await show();
    const file = all('attachment').find((one) => one.textContent?.includes('results.csv'));
    expect(file?.textContent).toContain('12 kB here');
    fake.tell({ type: 'attachment', attachment: 'a2', have: 28_400, size: 28_400 });
    await settle();
    expect(file?.textContent).toContain('on this machine');
    file?.querySelector<HTMLElement>('[data-testid="save"]')?.click();
    await until(() => expect(saved).toEqual([{ attachment: 'a2', to: '/home/maria/r.csv' }]));
    expect(find('toast').textContent).toContain('results.csv is saved');
  });

  it('shows a result that says one fact twice', async () => {
    await show();
    const list = fake.world().messages.get('r1') ?? [];
    const shared = list.find((message) => message.result !== null);
    if (!shared?.result) throw new Error('no result');
    const facts: [string, string][] = [
      ['done', '1'],
      ['done', '2'],
    ];
    const twice = { ...shared, result: { ...shared.result, facts } };
    fake.tell({ type: 'message', room: 'r1', message: twice });
    await settle();
    expect(find('result').querySelectorAll('dd')).toHaveLength(2);
  });

  it('shows a shared result with its facts and its preview', async () => {
    await show();
    const card = find('result');
    expect(card.textContent).toContain('238');
    expect(card.querySelector('strong')?.textContent).toBe('Web: desk 12');
    setLanguage('uk');
    await settle();
    expect(card.querySelector('strong')?.textContent).toBe('Для мережі: desk 12');
    expect(card.textContent).toContain('41,3');
    expect(card.textContent).toContain('процесор');
    expect(card.querySelector('img')?.getAttribute('alt')).toContain('desk 12');
  });
});

describe('writing', () => {
  it('sends by Enter, starts a line by Shift+Enter, and shows what was sent', async () => {
    await show();
    await type('composer', 'Привет, class!\nSecond line');
    await key(find('composer'), 'Enter', { shiftKey: true });
    expect(texts()).not.toContain('Привет, class!\nSecond line');
    await key(find('composer'), 'Enter');
    await until(() => expect(texts().at(-1)).toBe('Привет, class!\nSecond line'));
    expect(find('composer')).toHaveProperty('value', '');
  });

  it('keeps the words when sending fails', async () => {
    fake.answer('room.send', () => {
      throw new CallError('disk_full', 'No space left.');
    });
    await show();
    await type('composer', 'important');
    await press('send');
    expect(find('composer')).toHaveProperty('value', 'important');
    expect(find('toast').dataset['level']).toBe('bad');
  });

  it('takes the words out at once, and puts back in front what could not be sent', async () => {
    let fail: () => void = () => undefined;
    fake.answer('room.send', async () => {
      await new Promise<void>((done) => (fail = done));
      throw new CallError('disk_full', 'No space left.');
    });
    await show();
    fake.drop('drop', ['/a/b.csv']);
    await press('reply');
    await type('composer', 'first');
    await press('send');
    expect(find('composer')).toHaveProperty('value', '');
    expect(has('editing')).toBe(false);
    const files = (): number => find('place-rooms').querySelectorAll('[title="/a/b.csv"]').length;
    expect(files()).toBe(0);
    await type('composer', 'second');
    fail();
    await until(() => expect(find('composer')).toHaveProperty('value', 'first\nsecond'));
    expect(files()).toBe(1);
    expect(find('toast').dataset['level']).toBe('bad');
  });

  it('keeps no draft of what was sent from a room that was left, and all of what was not', async () => {
    let answer: () => void = () => undefined;
    let broken = false;
    const usual = fake.usual('room.send');
    fake.answer('room.send', async (args) => {
      await new Promise<void>((done) => (answer = done));
      if (broken) throw new CallError('disk_full', 'No space left.');
      return usual(args);
    });
    await show();
    for (const left of ['', 'gone']) {
      broken = left !== '';
      await type('composer', 'gone');
      await press('send');
      all('room')[1]?.click();
      await settle();
      answer();
      await settle();
      expect(find('composer')).toHaveProperty('value', '');
      all('room')[0]?.click();
      await settle();
      expect(find('composer')).toHaveProperty('value', left);
    }
  });

  it('leaves nothing to the next profile of what could not be sent', async () => {
    let fail: () => void = () => undefined;
    fake.answer('room.send', async () => {
      await new Promise<void>((done) => (fail = done));
      throw new CallError('locked', 'No profile is open.');
    });
    await show();
    await type('composer', 'secret');
    await press('send');
    await press('lock');
    fail();
    await settle();
    await type('first-run-passphrase', 'x');
    await press('first-run-open');
    await until(() => expect(find('composer')).toHaveProperty('value', ''));
  });

  it('keeps a draft for each room', async () => {
    await show();
    await type('composer', 'half a thou');
    all('room')[1]?.click();
    await settle();
    expect(find('composer')).toHaveProperty('value', '');
    all('room')[0]?.click();
    await settle();
    expect(find('composer')).toHaveProperty('value', 'half a thou');
    await press('lock');
    await type('first-run-passphrase', 'x');
    await press('first-run-open');
    await until(() => expect(find('composer')).toHaveProperty('value', ''));
  });

  it('attaches what is dropped, chosen and typed, each once', async () => {
    const sent: unknown[] = [];
    fake.answer('room.send', (args) => {
      sent.push(args);
      return { message: 'm1017', state: 'stored', peers: 0 };
    });
    await show();
    fake.drop('drop', ['/a/фото 1.png', '/a/b.csv']);
    await settle();
    await press('attach');
    await type('attach-path', '/a/b.csv');
    await key(find('attach-path'), 'Enter');
    await press('send');
    expect(sent).toEqual([{ room: 'r1', text: '', attach: ['/a/фото 1.png', '/a/b.csv'], reply_to: null }]);
  });

  it('replies, and Escape takes the reply back', async () => {
    const sent: unknown[] = [];
    fake.answer('room.send', (args) => {
      sent.push(args.reply_to);
      return { message: 'm1017', state: 'stored', peers: 0 };
    });
    await show();
    await press('reply');
    await key(find('composer'), 'Escape');
    await type('composer', 'a');
    await press('send');
    await press('reply');
    await type('composer', 'b');
    await press('send');
    expect(sent).toEqual([null, 'm1000']);
  });
});

describe('pasting', () => {
  /** Pastes into the composer what a clipboard would carry; whether the page took it. */
  async function paste(files: File[], words: Record<string, string> = {}): Promise<boolean> {
    const event = new Event('paste', { bubbles: true, cancelable: true });
    Object.assign(event, { clipboardData: { files, getData: (kind: string) => words[kind] ?? '' } });
    const taken = !find('composer').dispatchEvent(event);
    await settle();
    return taken;
  }
  const bitmap = (): File => new File(['\x89PNG'], 'image.png', { type: 'image/png' });

  it('attaches a bitmap under a name of its own, and a file under its name', async () => {
    const sent: string[][] = [];
    fake.answer('room.send', (args) => {
      sent.push(args.attach);
      return { message: 'm1017', state: 'stored', peers: 0 };
    });
    setLanguage('ru');
    await show();
    expect(await paste([bitmap(), new File(['a;b'], 'Оценки 9 «Б».csv', { type: 'text/csv' })])).toBe(true);
    await until(() => expect(find('send')).toHaveProperty('disabled', false));
    const [picture, table] = fake.world().kept;
    expect(picture?.name).toMatch(/^Снимок \d{4}-\d\d-\d\d \d\d\.\d\d\.\d\d\.png$/);
    expect([picture?.room, picture?.content.size]).toEqual(['r1', bitmap().size]);
    expect(table?.name).toBe('Оценки 9 «Б».csv');
    await accessible();
    await press('send');
    expect(sent[0]?.length).toBe(2);
    expect(sent[0]?.[0]).toContain('pasted/1/Снимок ');
    expect(sent[0]?.[1]).toContain('pasted/2/Оценки 9 «Б».csv');
  });

  it('leaves words alone, also when a picture of them comes along', async () => {
    await show();
    expect(await paste([bitmap()], { 'text/plain': 'A1\tB1' })).toBe(false);
    expect(await paste([], { 'text/plain': 'hello' })).toBe(false);
    expect(fake.world().kept).toEqual([]);
  });

  it('takes a file that has a path by its path, without copying it', async () => {
    await show();
    expect(await paste([bitmap()], { 'text/uri-list': 'file:///home/anna/a%20b.png' })).toBe(true);
    expect(fake.world().kept).toEqual([]);
    expect(find('place-rooms').querySelector('[title="/home/anna/a b.png"]')).not.toBeNull();
  });

  it('cannot be sent before it is kept, and stays in the draft of its room', async () => {
    let answer: (path: string) => void = () => undefined;
    vi.spyOn(shell, 'stash').mockReturnValue(new Promise((done) => (answer = done)));
    await show();
    await type('composer', 'look');
    await paste([bitmap()]);
    expect(find('send')).toHaveProperty('disabled', true);
    expect(find('place-rooms').textContent).toContain('Attaching what was pasted');
    all('room')[1]?.click();
    await settle();
    answer('/pasted/1/look.png');
    await settle();
    expect(find('place-rooms').textContent).not.toContain('look.png');
    all('room')[0]?.click();
    await settle();
    expect(find('place-rooms').querySelector('[title="/pasted/1/look.png"]')).not.toBeNull();
    expect(find('composer')).toHaveProperty('value', 'look');
  });

  it('says why a file is not taken, and reads none that nobody may attach', async () => {
    const stash = vi
      .spyOn(shell, 'stash')
      .mockRejectedValue(new CallError('too_large', 'a.zip has 12 MB; here files of at most 5 MB.'));
    await show();
    await paste([new File(['x'], 'a.zip')]);
    expect(find('toast').textContent).toContain('a.zip has 12 MB');
    const huge = new File(['x'], 'film.mkv');
    Object.defineProperty(huge, 'size', { value: 300e6 });
    await paste([huge]);
    expect(all('toast').at(-1)?.textContent).toContain('film.mkv has 300 MB');
    expect(stash).toHaveBeenCalledTimes(1);
    expect(find('send')).toHaveProperty('disabled', true);
  });
});

describe('invites', () => {
  async function list(): Promise<(string | undefined)[]> {
    await press('invite');
    await press('invite-tab-all');
    await until(() => expect(has('invite-row') || has('invites-empty')).toBe(true));
    return all('invite-row').map((row) => row.dataset['state']);
  }

  it('are listed beside the making of one, newest first, with seats, end and state', async () => {
    await show();
    expect(await list()).toEqual(['open', 'revoked', 'full', 'ended']);
    const words = all('invite-row').map((row) => row.textContent?.replace(/\s+/g, ' ') ?? '');
    expect(words[0]).toContain('student open Ends in 20 hr. · 4 of 40 joined · made by Maria Ivanova');
    expect(words[0]).toContain('a teacher lets each one in');
    expect(words[1]).toContain('observer withdrawn 0 of 3 joined');
    expect(words[1]).toContain('made by James Whitfield');
    expect(words[2]).toContain('teacher full Ends in 5 hr. · 1 of 1 joined');
    expect(words[3]).toContain('ended Ended 3 days ago · 27 of 40 joined');
    await accessible();
  });

  it('have a code to copy where this window made it, until the profile is locked', async () => {
    const copied: string[] = [];
    Object.defineProperty(navigator, 'clipboard', {
      configurable: true,
      value: { writeText: (text: string) => Promise.resolve(void copied.push(text)) },
    });
    await show();
    await press('invite');
    await press('dialog-confirm');
    await press('dialog-close');
    expect((await list()).length).toBe(5);
    expect(all('invite-copy-again').length).toBe(1);
    expect(all('invite-row')[0]?.querySelector('[data-testid="invite-copy-again"]')).not.toBeNull();
    await press('invite-copy-again');
    expect(copied).toEqual(['K7QDM-3XW9A-PL2VE-8TRZC-H4NJB-6YFSG-QW1DX-M5KUA']);
    await press('dialog-close');
    await press('lock');
    await type('first-run-passphrase', 'x');
    await press('first-run-open');
    await until(() => expect(has('invite')).toBe(true));
    await list();
    expect(has('invite-copy-again')).toBe(false);
  });

  it('say when there are none, and change as people come', async () => {
    fake.world().invites = [];
    await show();
    expect(await list()).toEqual([]);
    expect(find('invites-empty').textContent).toContain('No invites yet');
    await accessible();
    fake.world().invites = data.invites(Date.now());
    fake.tell({ type: 'spaces' });
    await until(() => expect(all('invite-row').length).toBe(4));
  });

  it('move from one list to the other by arrows', async () => {
    await show();
    await press('invite');
    for (const [from, to] of [
      ['new', 'door'],
      ['door', 'all'],
    ]) {
      await key(find(`invite-tab-${from}`), 'ArrowRight');
      expect(find(`invite-tab-${to}`).getAttribute('aria-selected')).toBe('true');
      expect(document.activeElement).toBe(find(`invite-tab-${to}`));
    }
    await key(find('invite-tab-all'), 'ArrowRight');
    expect(has('invite-row')).toBe(false);
  });

  it('are made as asked for and shown in groups that can be copied', async () => {
    const asked: unknown[] = [];
    const copied: string[] = [];
    Object.defineProperty(navigator, 'clipboard', {
      configurable: true,
      value: { writeText: (text: string) => Promise.resolve(void copied.push(text)) },
    });
    fake.answer('space.invite', (args) => {
      asked.push(args);
      return {
        id: 'i9',
        invite: 'AAAAA-BBBBB',
        link: 'artel:AAAAA-BBBBB?at=192.168.1.20:47600',
        space: 'sp1',
        role: 'student',
        seats: 40,
        expires_at: Date.now() + 86_400_000,
      };
    });
    await show();
    await press('invite');
    await accessible();
    await press('dialog-confirm');
    expect(asked).toEqual([{ space: 'sp1', role: 'student', seats: 40, expires_s: 86_400, approve: false }]);
    expect([...find('invite-code').querySelectorAll('span')].map((group) => group.textContent)).toEqual([
      'AAAAA',
      'BBBBB',
    ]);
    expect(find('invite-dialog').textContent).toContain('for 40 people');
    await press('invite-copy');
    await press('invite-copy-link');
    expect(copied).toEqual(['AAAAA-BBBBB', 'artel:AAAAA-BBBBB?at=192.168.1.20:47600']);
    expect(find('invite-copy-link').textContent?.trim()).toBe('Copied');
    expect(find('invite-copy').textContent?.trim()).toBe('Copy code');
    expect(find('invite-square').querySelector('path')?.getAttribute('d')).toBe(qr(copied[1] ?? '').path);
    await accessible();
  });

  it.each([
    ['owner', ['student', 'teacher', 'observer']],
    ['teacher', ['student', 'observer']],
  ])('by a %s are for %j only', async (role, wanted) => {
    fake.world().spaces = fake.world().spaces.map((space) => ({ ...space, role }));
    await show();
    await press('invite');
    const options = [...find('invite-role').querySelectorAll('option')].map(({ value }) => value);
    expect(options).toEqual(wanted);
  });

  it('of a teacher are for one, who is let in by hand', async () => {
    fake.world().invites = [];
    fake.world().spaces = fake.world().spaces.map((space) => ({ ...space, role: 'owner' }));
    await show();
    await press('invite');
    await type('invite-seats', '12');
    await type('invite-role', 'teacher');
    expect(find('invite-seats')).toMatchObject({ value: '1', disabled: true });
    expect(find('invite-approve')).toMatchObject({ checked: true, disabled: true });
    await accessible();
    await type('invite-role', 'observer');
    expect(find('invite-seats')).toMatchObject({ value: '12', disabled: false });
    expect(find('invite-approve')).toMatchObject({ checked: false, disabled: false });
    await type('invite-role', 'teacher');
    await press('dialog-confirm');
    await until(() => expect(has('invite-code')).toBe(true));
    expect(fake.world().invites).toMatchObject([{ role: 'teacher', seats: 1, approve: true }]);
  });

  it.each([
    ['teacher', 'teacher', 1],
    ['owner', 'owner', 1],
    ['owner', 'teacher', 2],
    ['student', 'student', 1],
  ])('made by a %s as %s for %d are refused', async (mine, role, seats) => {
    fake.world().spaces = fake.world().spaces.map((space) => ({ ...space, role: mine }));
    const asked = { space: 'sp1', role, seats, expires_s: 60, approve: false };
    await expect(shell.call('space.invite', asked)).rejects.toBeInstanceOf(CallError);
  });

  it.each([
    ['invite_wrong', 'The code is not right'],
    ['invite_expired', 'The code has ended'],
    ['nobody_there', 'Nobody from the space was found'],
    ['not_allowed', 'Your role does not allow this'],
  ])('refused with %s: %s', async (code, words) => {
    fake.answer('space.join', () => {
      throw new CallError(code, 'Because.');
    });
    await show();
    await press('join-space');
    await type('join-code', 'x');
    await press('dialog-confirm');
    expect(find('join-error').textContent).toContain(words);
    expect(find('join-code')).toHaveProperty('value', 'x');
    await accessible();
  });

  it('that wait for a teacher say so', async () => {
    await show();
    await press('join-space');
    await type('join-code', 'K7QDM 3XW9A PL2VE 8TRZC H4NJB 6YFSG QW1DX M5KUA');
    await press('dialog-confirm');
    await until(() => expect(find('join-pending').textContent).toContain('has not let you in yet'));
  });

  it('open the door with a code for the room, and tell who comes in', async () => {
    await show();
    await press('invite');
    await press('invite-tab-door');
    await until(() => expect(has('door-open')).toBe(true));
    await accessible();
    await press('door-open');
    await until(() => expect(find('door-code').textContent).toBe('K7QM-2XPD'));
    // The button is gone; who came by keyboard is at the code.
    await until(() => expect(document.activeElement).toBe(find('door-code')));
    expect(find('door-left').textContent).toMatch(/^(10:00|9:5\d) left$/);
    const door = fake.world().door;
    if (door) fake.world().door = { ...door, wrong: 7, guests: 1, came: ['Олена'] };
    fake.tell({ type: 'spaces' });
    await until(() => expect(find('door-came').textContent).toContain('Олена'));
    await accessible();
    await press('door-large');
    expect(find('door-came').textContent).toContain('7');
    const wall = find('door-wall');
    expect(document.getElementById(wall.getAttribute('aria-labelledby') ?? '')?.textContent).toBe(
      'K7QM-2XPD',
    );
    // A name of its own would be read in place of the code.
    expect(wall.querySelector('button')?.getAttribute('aria-label')).toBeNull();
    await press('door-close');
    await until(() => expect(document.activeElement).toBe(find('door-open')));
    expect(fake.world().door).toBe(null);
  });

  it('are taken as links as well', async () => {
    const asked: unknown[] = [];
    fake.answer('space.join', (args) => {
      asked.push(args.invite);
      return { space: 'sp1', name: '9B', state: 'member' };
    });
    const link =
      'artel:K7QDM-3XW9A-PL2VE-8TRZC-H4NJB-6YFSG-QW1DX-M5KUA?at=192.168.1.20:47600&at=[fd00::1]:47600';
    await show();
    await press('join-space');
    await type('join-code', ` ${link}\n`);
    await press('dialog-confirm');
    await until(() => expect(has('join-dialog')).toBe(false));
    expect(asked).toEqual([link]);
  });

  it('are given up by Cancel, and what comes of them moves nobody', async () => {
    const given: unknown[] = [];
    let end: () => void = () => undefined;
    fake.answer('space.join', async () => {
      await new Promise<void>((done) => (end = done));
      return { space: 'sp2', name: 'Photo club', state: 'member' };
    });
    fake.answer('space.join_cancel', (args) => {
      given.push(args);
      return null;
    });
    await show();
    await press('join-space');
    await press('join-cancel');
    expect(given).toEqual([]);
    await press('join-space');
    await type('join-code', ' K7QDM ');
    await press('dialog-confirm');
    await press('join-cancel');
    expect(has('join-dialog')).toBe(false);
    expect(given).toEqual([{ invite: 'K7QDM' }]);
    const before = find('title-space').textContent;
    end();
    await settle();
    expect(find('title-space').textContent).toBe(before);
    expect(has('toast')).toBe(false);
  });

  it('go to the address that was typed', async () => {
    const asked: unknown[] = [];
    fake.answer('space.join', (args) => {
      asked.push(args);
      return { space: 'sp1', name: '9B', state: 'member' };
    });
    await show();
    await press('join-space');
    await type('join-code', ' c ');
    await type('join-address', '/ip4/10.77.0.1/tcp/47600');
    await key(find('join-code'), 'Enter');
    await until(() => expect(has('join-dialog')).toBe(false));
    expect(asked).toEqual([{ invite: 'c', address: '/ip4/10.77.0.1/tcp/47600' }]);
  });
});
