import { shell } from '$shell';

import type { Message } from '../../bindings/Message';
import { CallError, type Stop } from '../../contract';
import { on } from '../../state/events';
import { complain } from '../../state/notices.svelte';
import { Query } from '../../state/query.svelte';
import { markRead } from '../../state/spaces.svelte';
import { firstUnread, rowsOf, upsert } from './rows';

/** Messages in one page. */
const page = 100;
/** How long news of who has read what is gathered, in milliseconds: a class reads all at once. */
const gathering = 2_000;
/** Pages looked through for a quoted message. */
const farthest = 20;

type Change = (messages: readonly Message[]) => Message[];

/** One room's messages: the newest page, older ones as they are asked for, new ones as they come. */
export class History {
  readonly room: string;
  readonly newest: Query<true>;
  messages = $state.raw<Message[]>([]);
  more = $state(false);
  loadingOlder = $state(false);
  firstNew = $state<string>();
  withheld = $state(false);
  rows = $derived(rowsOf(this.messages, this.firstNew, this.withheld && !this.more));
  #seen: string | undefined;
  #turn = 0;
  #fresh = true;
  #older: Promise<void> | undefined;
  #reads: ReturnType<typeof setTimeout> | undefined;
  /** What was heard during each load under way: an answer may be older than that. */
  readonly #heard = new Set<Change[]>();
  /** Messages that came before the first answer was here. */
  readonly #came = new Set<string>();
  readonly #stops: Stop[];

  constructor(room: string, unread: number) {
    this.room = room;
    this.newest = new Query<true>(async () => {
      const turn = (this.#turn += 1);
      const heard: Change[] = [];
      this.#heard.add(heard);
      try {
        const limit = Math.min(1000, Math.max(page, this.messages.length));
        const { messages, more } = await shell.call('room.read', { room, limit });
        if (turn !== this.#turn) return true;
        this.#take(messages, more);
        for (const change of heard) this.messages = change(this.messages);
      } finally {
        this.#heard.delete(heard);
      }
      if (this.#fresh) {
        const before = this.messages.filter((message) => !this.#came.has(message.id));
        this.firstNew = firstUnread(before, unread);
        this.#fresh = false;
      }
      return true;
    });
    this.#stops = [
      on('message', ({ room: where, message }) => {
        if (where !== room) return;
        if (this.#fresh) this.#came.add(message.id);
        this.#change((messages) => upsert(messages, message, this.more));
      }),
      on('attachment', ({ attachment, have }) =>
        this.#change((messages) => arrived(messages, attachment, have)),
      ),
      on('reads', ({ room: where }) => {
        if (where !== room || !this.messages.some((message) => message.mine)) return;
        this.#reads ??= setTimeout(() => {
          this.#reads = undefined;
          this.#again();
        }, gathering);
      }),
      on('missed', () => this.#again()),
    ];
    void this.newest.reload();
  }

  stop(): void {
    clearTimeout(this.#reads);
    this.#stops.forEach((stop) => stop());
  }

  #change(change: Change): void {
    this.messages = change(this.messages);
    this.#heard.forEach((heard) => heard.push(change));
  }

  /** Takes in whether messages from before one came are not given to one. */
  tell(withheld: boolean): void {
    if (this.withheld && !withheld) this.#again();
    this.withheld = withheld;
  }

  /** Asks again, also for the page that is loaded just now. */
  #again(): void {
    void (this.#older ?? Promise.resolve()).then(() => this.newest.refresh());
  }

  /** Takes the newest messages; older ones that are here stay before them. */
  #take(messages: Message[], more: boolean): void {
    const known = new Map(this.messages.map(({ id }, at) => [id, at]));
    const joint = messages.find(({ id }) => known.has(id));
    const kept = this.messages.slice(0, joint ? known.get(joint.id) : 0);
    this.messages = [...kept, ...messages];
    if (kept.length === 0) this.more = more;
  }

  /** Loads the page before the oldest message here; whoever asks meanwhile waits for the same. */
  older(): Promise<void> {
    this.#older ??= this.#loadOlder().finally(() => (this.#older = undefined));
    return this.#older;
  }

  async #loadOlder(): Promise<void> {
    const oldest = this.messages[0];
    if (!oldest || !this.more) return;
    this.loadingOlder = true;
    try {
      const { messages, more } = await shell.call('room.read', {
        room: this.room,
        limit: page,
        before: oldest.id,
      });
      // What is here begins elsewhere by now.
      if (this.messages[0]?.id !== oldest.id) return;
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
}

/** Messages after more of a file came. */
function arrived(messages: readonly Message[], attachment: string, have: number): Message[] {
  return messages.map((message) => {
    if (!message.attachments.some((file) => file.id === attachment)) return message;
    const attachments = message.attachments.map((file) =>
      file.id === attachment ? { ...file, have } : file,
    );
    return { ...message, attachments };
  });
}
