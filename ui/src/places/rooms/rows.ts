import type { Message } from '../../bindings/Message';
import { midnight } from '../../format';

/** A line of a room's history as it is drawn. */
export type Row =
  | { kind: 'day'; key: string; at: number }
  | { kind: 'new'; key: string }
  | { kind: 'withheld'; key: string }
  | { kind: 'message'; key: string; message: Message; first: boolean; last: boolean };

/** Messages of one author closer than this are one group, in milliseconds. */
export const together = 5 * 60_000;

/**
 * Rows for messages in their checked order: a separator where the day changes, one line before the
 * first new message, and a head only for the first message of a group. Above all of them, where some from before
 * are `withheld`, that this is so.
 */
export function rowsOf(messages: readonly Message[], firstNew?: string, withheld = false): Row[] {
  const rows: Row[] = withheld ? [{ kind: 'withheld', key: 'withheld' }] : [];
  let before: Message | undefined;
  for (const message of messages) {
    let first =
      before === undefined ||
      before.author !== message.author ||
      Math.abs(message.at - before.at) > together ||
      message.reply_to !== null;
    if (before === undefined || midnight(before.at) !== midnight(message.at)) {
      rows.push({ kind: 'day', key: `day:${message.id}`, at: message.at });
      first = true;
    }
    if (message.id === firstNew) {
      rows.push({ kind: 'new', key: 'new' });
      first = true;
    }
    const above = rows.at(-1);
    if (above?.kind === 'message' && !first) above.last = false;
    rows.push({ kind: 'message', key: message.id, message, first, last: true });
    before = message;
  }
  return rows;
}

/** The first of the newest `unread` messages that others wrote. */
export function firstUnread(messages: readonly Message[], unread: number): string | undefined {
  let left = unread;
  let first: string | undefined;
  for (let at = messages.length - 1; at >= 0 && left > 0; at -= 1) {
    const message = messages[at];
    if (message && !message.mine) {
      first = message.id;
      left -= 1;
    }
  }
  return first;
}

/** Whether its author may change the text of a message. */
export function mayEdit(message: Message): boolean {
  return message.mine && message.result === null && stands(message);
}

/** Whether a message of someone else can be shown to those who run the space. */
export function mayReport(message: Message): boolean {
  return !message.mine && stands(message);
}

/** Whether a message is there to be read: neither deleted nor about to be, and open. */
export function stands(message: Message): boolean {
  return !message.deleted && !message.closed && message.deleting_until === null;
}

/**
 * Puts a message that was shown or changed where the records say. With older ones that are not here (`more`), one that
 * stands before the first is left to them.
 */
export function upsert(messages: readonly Message[], message: Message, more: boolean): Message[] {
  const at = messages.findIndex((known) => known.id === message.id);
  if (at >= 0) return messages.with(at, message);
  const after = messages.findLastIndex((known) => known.order < message.order);
  if (after < 0 && more && messages.length > 0) return [...messages];
  return messages.toSpliced(after + 1, 0, message);
}
