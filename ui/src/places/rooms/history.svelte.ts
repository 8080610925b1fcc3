import { shell } from '$shell';

import type { Message } from '../../bindings/Message';
import { CallError, type Stop } from '../../contract';
import { on } from '../../state/events';
import { complain } from '../../state/notices.svelte';
import { Query } from '../../state/query.svelte';
import { markRead } from '../../state/spaces.svelte';
import { firstUnread, rowsOf, stands, upsert } from './rows';

/** Messages in one page. */
const page = 100;
/** Pages looked through for a quoted message. */
const farthest = 20;

/** One room's messages: the newest page, older ones as they are asked for, new ones as they come. */
export class History {
  readonly room: string;
  readonly newest: Query<true>;
  messages = $state.raw<Message[]>([]);
  more = $state(false);
  loadingOlder = $state(false);
  firstNew = $state<string>();
  rows = $derived(rowsOf(this.messages, this.firstNew));
  #seen: string | undefined;
  readonly #stops: Stop[];

  constructor(room: string, unread: number) {
    this.room = room;
    this.newest = new Query<true>(async () => {
      const limit = Math.min(1000, Math.max(page, this.messages.length));
      const { messages, more } = await shell.call('room.read', { room, limit });
      const fresh = this.messages.length === 0;
      this.messages = messages;
      this.more = more;
      if (fresh) this.firstNew = firstUnread(messages, unread);
      return true;
    });
    this.#stops = [
      on('message', ({ room: where, message }) => {
        if (where !== room) return;
        // Where a late one belongs is for the records to say; one that changed may be older than what is here.
        const elsewhere = (message.edited || !stands(message)) && !this.find(message.id);
        if (message.late || elsewhere) this.newest.refresh();
        else this.messages = upsert(this.messages, message);
      }),
      on('attachment', ({ attachment, have }) => this.#arrived(attachment, have)),
    ];
    void this.newest.reload();
  }

  stop(): void {
    this.#stops.forEach((stop) => stop());
  }

  /** Loads the page before the oldest message here. */
  async older(): Promise<void> {
    const oldest = this.messages[0];
    if (!oldest || !this.more || this.loadingOlder) return;
    this.loadingOlder = true;
    try {
      const { messages, more } = await shell.call('room.read', {
        room: this.room,
        limit: page,
        before: oldest.id,
      });
      const known = new Set(this.messages.map((message) => message.id));
      this.messages = [...messages.filter((message) => !known.has(message.id)), ...this.messages];
      this.more = more;
    } catch (reason) {
      complain(reason);
      this.more = false;
    } finally {
      this.loadingOlder = false;
    }
  }

  /** Loads older pages until a message is here; whether it was found. */
  async reach(id: string): Promise<boolean> {
    for (let turn = 0; turn <= farthest; turn += 1) {
      if (this.messages.some((message) => message.id === id)) return true;
      if (!this.more) return false;
      await this.older();
    }
    return false;
  }

  find(id: string): Message | undefined {
    return this.messages.find((message) => message.id === id);
  }

  /** Tells that everything down to the end was on screen. */
  async seen(): Promise<void> {
    const last = this.messages.at(-1);
    if (!last || last.id === this.#seen) return;
    this.#seen = last.id;
    try {
      await shell.call('room.seen', { room: this.room, message: last.id });
      markRead(this.room);
    } catch (reason) {
      this.#seen = undefined;
      if (CallError.from(reason).code !== 'locked') complain(reason);
    }
  }

  #arrived(attachment: string, have: number): void {
    const at = this.messages.findIndex((message) =>
      message.attachments.some((file) => file.id === attachment),
    );
    const message = this.messages[at];
    if (!message) return;
    const attachments = message.attachments.map((file) =>
      file.id === attachment ? { ...file, have } : file,
    );
    this.messages = this.messages.with(at, { ...message, attachments });
  }
}
