/** Notes of rooms: what is shown, what is typed, and how the two become one with what others write. */
import { shell } from '$shell';

import type { Notes } from '../../bindings/Notes';
import { CallError, type Stop } from '../../contract';
import { t } from '../../i18n/index.svelte';
import { app } from '../../state/app.svelte';
import { on } from '../../state/events';
import { notify } from '../../state/notices.svelte';
import { Query } from '../../state/query.svelte';
import { roomOf } from '../../state/spaces.svelte';
import { savesBy } from '../../state/unsaved';
import { rebase, utf8Length } from './merge';

/** How long after the last key the text is saved, in milliseconds. */
export const pause = 800;
/** The longest text, in bytes of UTF-8. */
export const longest = 32 * 1024;

/** A text with the line breaks that a text field knows. */
const plain = (text: string): string => text.replace(/\r\n?/g, '\n');

/** The notes of one room. They outlive the panel that shows them: what could not be saved is still here. */
export class NotesPage {
  readonly room: string;
  /** Whether the panel is shown. */
  open = $state(false);
  /** The notes as last heard; nothing before that. */
  notes = $state.raw<Notes>();
  /** What is in the field. */
  text = $state('');
  saving = $state(false);
  /** Whether someone else changed them since they were last shown. */
  news = $state(false);
  /** Why the text could not be saved. */
  failed = $state.raw<CallError>();
  readonly shown: Query<true>;
  /** The text as last heard, which `text` was made from. */
  #known = $state('');
  /** A save failed: nobody knows what became of it, so the next one asks first. */
  #doubt = false;
  #asked = false;
  #run: Promise<void> | undefined;
  #tail: Promise<unknown> = Promise.resolve();
  #timer: ReturnType<typeof setTimeout> | undefined;
  #stops: Stop[] = [];
  readonly #unsaved: Stop;

  constructor(room: string) {
    this.room = room;
    this.#unsaved = savesBy({
      save: () => this.save(),
      left: () => (this.dirty ? (roomOf(room)?.name ?? room) : undefined),
    });
    this.shown = new Query<true>(async () => {
      // The reply to a save is what others wrote as well.
      if (this.dirty) await this.save();
      else await this.#alone(() => this.#take());
      return true;
    });
  }

  // Not `$derived`: that would end with the view which first asked for these notes.

  /** Whether there is something to save. */
  get dirty(): boolean {
    return this.text !== this.#known;
  }

  get bytes(): number {
    return utf8Length(this.text);
  }

  get tooLong(): boolean {
    return this.bytes > longest;
  }

  /** Follows the notes until {@link stop}. */
  start(): void {
    this.news = false;
    this.#stops = [
      on('notes', ({ room }) => {
        if (room === this.room) this.shown.refresh();
      }),
      on('missed', () => this.shown.refresh()),
    ];
    void this.shown.reload();
  }

  /** Saves what is typed and follows no longer; `name` is the room's, for what went wrong. */
  async stop(name: string): Promise<void> {
    this.#stops.forEach((stop) => stop());
    this.#stops = [];
    await this.save();
    if (this.dirty && pages.get(this.room) === this) {
      notify('bad', t('notes.left', { room: name }), { detail: t('notes.left.text') });
    }
  }

  /** Finds out, where nobody follows them, whether someone else changed them. */
  async look(): Promise<void> {
    if (this.news || this.#stops.length > 0) return;
    try {
      const notes = await this.#alone(() => shell.call('notes.show', { room: this.room }));
      const other = this.notes === undefined || plain(notes.text) !== this.#known;
      const by = notes.changed_by;
      if (this.#stops.length > 0 || by === null || by === app.profile?.profile) return;
      this.news = other;
    } catch {
      // Only a mark is missing; what is wrong is told when they are opened.
    }
  }

  /** Takes what was typed; it is saved a moment later. */
  type(text: string): void {
    this.text = text;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.save(), pause);
  }

  /** Saves what is typed, after a save under way; comes back when nothing more is to be done. */
  save(): Promise<void> {
    clearTimeout(this.#timer);
    this.#asked = true;
    return (this.#run ??= this.#turns());
  }

  /** Begins notes, or lets others edit them. */
  async openTo(students: boolean): Promise<void> {
    await this.save();
    // New notes begin with the text of the old ones; what is not in it yet would be lost to others.
    if (this.dirty) return;
    await this.#trying(async () => {
      this.#adopt(await shell.call('notes.open', { room: this.room, students }), this.#known);
    });
  }

  /** Drops what could not be saved. */
  drop(): void {
    this.text = this.#known;
    this.failed = undefined;
    void this.shown.reload();
  }

  /** Forgets without saving. */
  forget(): void {
    clearTimeout(this.#timer);
    this.#unsaved();
    this.#stops.forEach((stop) => stop());
  }

  async #turns(): Promise<void> {
    // Whoever asks meanwhile waits for the same.
    await Promise.resolve();
    while (this.#asked && this.dirty && !this.tooLong) {
      this.#asked = false;
      const done = await this.#trying(async () => {
        try {
          await this.#give();
        } catch (reason) {
          if (CallError.from(reason).code !== 'bad_arguments') throw reason;
          // Others took the place of the notes this was made from: the words are carried over.
          this.#doubt = true;
          await this.#give();
        }
      });
      if (!done) break;
    }
    this.#asked = false;
    this.#run = undefined;
  }

  async #trying(run: () => Promise<void>): Promise<boolean> {
    this.saving = true;
    try {
      await this.#alone(run);
      this.failed = undefined;
      return true;
    } catch (reason) {
      this.failed = CallError.from(reason);
      this.#doubt = true;
      return false;
    } finally {
      this.saving = false;
    }
  }

  async #give(): Promise<void> {
    if (this.#doubt) await this.#take();
    if (!this.dirty) return;
    const [base, sent] = [this.notes?.base ?? [], this.text];
    this.#adopt(await shell.call('notes.edit', { room: this.room, base, text: sent }), sent);
  }

  async #take(): Promise<void> {
    this.#adopt(await shell.call('notes.show', { room: this.room }), this.#known);
    this.#doubt = false;
  }

  /** Takes an answer that has in it `from`; what was typed since is carried over. */
  #adopt(notes: Notes, from: string): void {
    const text = plain(notes.text);
    this.text = rebase(from, this.text, text);
    this.#known = text;
    this.notes = notes;
  }

  /** One question at a time: an answer never overtakes another. */
  #alone<T>(run: () => Promise<T>): Promise<T> {
    const turn = this.#tail.then(run);
    this.#tail = turn.catch(() => undefined);
    return turn;
  }
}

const pages = new Map<string, NotesPage>();

/** The notes of a room. */
export function notesOf(room: string): NotesPage {
  let page = pages.get(room);
  if (!page) pages.set(room, (page = new NotesPage(room)));
  return page;
}

/** Marks notes that others change while nobody looks at them. */
export function startNotes(): Stop {
  const stops = [
    on('notes', ({ room }) => void notesOf(room).look()),
    // What is new in notes that were never shown here, nobody can say then.
    on('missed', () => pages.forEach((page) => void (page.notes && page.look()))),
  ];
  return () => stops.forEach((stop) => stop());
}

/** Forgets all notes, when the profile is locked. */
export function forgetNotes(): void {
  pages.forEach((page) => page.forget());
  pages.clear();
}
