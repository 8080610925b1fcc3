import { describe, expect, it } from 'vitest';

import { fake } from '$fake';

import { CallError } from '../src/contract';
import { strength } from '../src/profile/strength';
import { app } from '../src/state/app.svelte';
import { accessible, all, find, has, key, press, settle, show, type, until } from './page';

async function menu(): Promise<void> {
  await show();
  await press('profile-name');
}

describe('the menu of the profile', () => {
  it('opens on its first entry, moves by arrows around the end, and closes by Escape', async () => {
    await menu();
    await accessible();
    const entries = [...find('profile-menu').querySelectorAll('button')];
    expect(document.activeElement).toBe(entries[0]);
    await key(find('profile-menu'), 'ArrowUp');
    expect(document.activeElement).toBe(entries.at(-1));
    await key(find('profile-menu'), 'ArrowDown');
    expect(document.activeElement).toBe(entries[0]);
    await key(find('profile-menu'), 'Escape');
    expect(has('profile-menu')).toBe(false);
    expect(document.activeElement).toBe(find('profile-name'));
  });

  it('lies above everything, where nothing around the button moves it', async () => {
    const raised: Element[] = [];
    HTMLElement.prototype.showPopover = function (): void {
      raised.push(this);
    };
    await menu();
    // Notices were raised when the window was opened; the menu comes over them.
    expect(raised.map((one) => one.contains(find('profile-menu')))).toEqual([false, true]);
    expect(raised.at(-1)?.getAttribute('popover')).toBe('manual');
    Reflect.deleteProperty(HTMLElement.prototype, 'showPopover');
  });

  it('closes when something else is pressed', async () => {
    await menu();
    document.body.dispatchEvent(new Event('pointerdown', { bubbles: true }));
    await settle();
    expect(has('profile-menu')).toBe(false);
  });

  it('locks', async () => {
    await menu();
    await press('profile-lock');
    expect(has('first-run')).toBe(true);
    expect(fake.world().open).toBe(false);
  });
});

describe('a new recovery code', () => {
  it('is shown whatever was pressed while it was made, since the old one has ended', async () => {
    let answer: (made: { profile: string; recovery: string }) => void = () => undefined;
    fake.answer('profile.recovery', () => new Promise((done) => (answer = done)));
    await menu();
    app.asked = { what: 'recovery' };
    await settle();
    await type('recovery-passphrase', 'right');
    await press('dialog-confirm');
    expect(find('recovery-cancel')).toHaveProperty('disabled', true);
    find('recovery-dialog').dispatchEvent(new Event('cancel', { cancelable: true }));
    find('recovery-dialog').dispatchEvent(new MouseEvent('mousedown', { bubbles: true }));
    await press('dialog-close');
    answer({ profile: 'Maria Ivanova', recovery: 'AAAAF-AAAAK' });
    await until(() => expect(find('recovery-code').dataset['code']).toBe('AAAAF-AAAAK'));
    // What had the focus is gone; the code that came in its place has it.
    expect(document.activeElement).toBe(find('recovery-code'));
    await accessible();
    await press('recovery-done');
    expect(has('recovery-dialog')).toBe(false);
  });
});

describe('a change of the passphrase', () => {
  it('asks for the old one and twice for the new one', async () => {
    const asked: unknown[] = [];
    fake.answer('profile.passwd', (args) => {
      asked.push(args);
      return { recovery: null };
    });
    await menu();
    await press('profile-passphrase');
    await accessible();
    await type('passphrase-old', 'now');
    await type('passphrase-new', 'дуб тримає крейда вікно');
    await type('passphrase-again', 'дуб тримає');
    expect(find('passphrase-differ').textContent?.trim()).toBe('The two are not the same.');
    expect(find('dialog-confirm')).toHaveProperty('disabled', true);
    await accessible();
    await type('passphrase-again', 'дуб тримає крейда вікно');
    expect(has('passphrase-differ')).toBe(false);
    await press('dialog-confirm');
    expect(asked).toEqual([{ old: 'now', new: 'дуб тримає крейда вікно' }]);
    expect(find('toast').textContent).toContain('The passphrase is changed');
    expect(has('passphrase-dialog')).toBe(false);
  });

  it('keeps what was typed when the old one is wrong', async () => {
    await menu();
    await press('profile-passphrase');
    await type('passphrase-old', 'wrong');
    await type('passphrase-new', 'a');
    await type('passphrase-again', 'a');
    await press('dialog-confirm');
    expect(find('passphrase-error').textContent).toContain('The passphrase does not fit');
    expect(find('passphrase-new')).toHaveProperty('value', 'a');
  });

  it('says how hard the new one is to guess', async () => {
    await menu();
    await press('profile-passphrase');
    expect(has('strength')).toBe(false);
    await type('passphrase-new', 'Maria2026');
    expect(find('strength').dataset['strength']).toBe('weak');
    expect(find('strength').textContent).toContain('Easy to guess');
    await type('passphrase-new', 'correct horse battery staple');
    expect(find('strength').dataset['strength']).toBe('good');
  });

  it('ends when the profile is locked from elsewhere', async () => {
    await menu();
    await press('profile-passphrase');
    fake.tell({ type: 'locked' });
    await settle();
    expect(has('passphrase-dialog')).toBe(false);
  });

  it.each([
    ['', 'weak'],
    ['password', 'weak'],
    ['11111111111111111111', 'weak'],
    ['12345678901234567890', 'weak'],
    ['abcdefghijklmnop', 'weak'],
    ['secret secret secret secret secret', 'weak'],
    ['Maria Ivanova Maria', 'weak'],
    ['qwerty 1987!', 'weak'],
    ['лошадь батарея скрепка', 'fair'],
    ['лошадь батарея скрепка полдень', 'good'],
    ['k7Qp2mVb9RtL4wZx', 'good'],
  ])('%s is %s', (passphrase, wanted) => {
    expect(strength(passphrase, ['Maria Ivanova'])).toBe(wanted);
  });
});

describe('a restore', () => {
  it('makes a profile of a chosen backup and opens it', async () => {
    const asked: unknown[] = [];
    Object.assign(fake.world(), { open: false, profiles: [] });
    await show();
    await press('first-run-restore');
    await accessible();
    fake.pick(['/media/usb/Резервная копия.artel-backup']);
    find('restore-dialog').querySelector<HTMLElement>('.path button')?.click();
    await settle();
    expect(find('restore-file')).toHaveProperty('value', '/media/usb/Резервная копия.artel-backup');
    expect(find('dialog-confirm')).toHaveProperty('disabled', true);
    await type('restore-passphrase', 'of that time');
    fake.answer('care.restore', (args) => {
      asked.push(args);
      return { profile: 'Анна', member: 'aa', device: 'bb', retires: true, tables: [] };
    });
    await press('dialog-confirm');
    await until(() => expect(has('rail-rooms')).toBe(true));
    expect(asked).toEqual([
      {
        backup: '/media/usb/Резервная копия.artel-backup',
        passphrase: 'of that time',
        name: null,
        dry_run: false,
        keep_device: false,
      },
    ]);
    expect(fake.world().profile).toBe('Анна');
    expect(has('restore-dialog')).toBe(false);
  });

  it('says what is wrong and keeps what was typed', async () => {
    fake.world().open = false;
    fake.answer('care.restore', () => {
      throw new CallError('damaged', 'Page 3 of the backup does not read.', 'Try an older one.');
    });
    await show();
    await press('first-run-restore');
    await type('restore-file', '/b');
    await type('restore-passphrase', 'x');
    await press('dialog-confirm');
    expect(find('restore-error').textContent).toContain('Page 3 of the backup does not read.');
    expect(find('restore-error').textContent).toContain('Try an older one.');
    expect(find('restore-file')).toHaveProperty('value', '/b');
    expect(has('first-run')).toBe(true);
  });

  it('of a listed backup under another name leaves the open profile open', async () => {
    const asked: unknown[] = [];
    await show();
    await press('rail-machine');
    await press('machine-care');
    await press('backup-restore');
    fake.answer('care.restore', (args) => {
      asked.push(args);
      return { profile: args.name ?? '', member: 'aa', device: 'bb', retires: true, tables: [] };
    });
    await type('restore-passphrase', 'x');
    await type('restore-name', ' Second ');
    await press('dialog-confirm');
    expect(asked).toMatchObject([{ backup: expect.stringContaining('/backups/') as string, name: 'Second' }]);
    expect(find('toast').textContent).toContain('“Second” is restored');
    expect(find('toast').textContent).toContain('Lock this profile');
    expect(fake.world().profile).toBe('Maria Ivanova');
    expect(app.phase).toBe('open');
  });
});

describe('deleting a profile', () => {
  it('says what is lost and asks for its name', async () => {
    fake.world().open = false;
    await show();
    all('first-run-profile')[1]?.click();
    await settle();
    await press('first-run-delete');
    expect(find('delete-dialog').textContent).toContain('Messages, files, pictures, prices and products');
    expect(find('delete-dialog').textContent).toContain('Backups and results in other folders stay');
    await accessible();
    await type('delete-passphrase', 'x');
    await type('delete-name', 'Maria Ivanova');
    expect(find('dialog-confirm')).toHaveProperty('disabled', true);
    await type('delete-name', ' Лабораторія 4 ');
    await press('dialog-confirm');
    expect(fake.world().profiles).toEqual(['Maria Ivanova']);
    await until(() =>
      expect(all('first-run-profile').map((one) => one.dataset['profile'])).toEqual(['Maria Ivanova']),
    );
    expect(find('toast').textContent).toContain('“Лабораторія 4” is deleted');
  });

  it('that is open locks it first, and asks again when the passphrase is wrong', async () => {
    await menu();
    await press('profile-delete');
    expect(find('delete-dialog').textContent).toContain('locked first');
    await type('delete-name', 'Maria Ivanova');
    await type('delete-passphrase', 'wrong');
    await press('dialog-confirm');
    expect(find('delete-error').textContent).toContain('The passphrase does not fit');
    expect(has('first-run')).toBe(true);
    expect(all('first-run-profile').map((one) => one.dataset['profile'])).toContain('Maria Ivanova');
    expect(find('delete-name')).toHaveProperty('value', 'Maria Ivanova');
    await type('delete-passphrase', 'right');
    await press('dialog-confirm');
    expect(fake.world().profiles).toEqual(['Лабораторія 4']);
    expect(has('delete-dialog')).toBe(false);
  });
});
