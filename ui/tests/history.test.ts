import { describe, expect, it } from 'vitest';

import { fake } from '$fake';

import type { Message } from '../src/bindings/Message';
import type { Args, Reply } from '../src/contract';
import { History } from '../src/places/rooms/history.svelte';
import { deliver } from '../src/state/events';
import { settle, until } from './page';

const [pattern] = fake.world().messages.get('r1') ?? [];

function message(id: string, more: Partial<Message> = {}): Message {
  if (!pattern) throw new Error('no message');
  return {
    ...pattern,
    id,
    order: id,
    mine: false,
    edited: false,
    late: false,
    attachments: [],
    text: id,
    ...more,
  };
}

interface Question {
  asked: Args<'room.read'>;
  answer: (messages: Message[], more?: boolean) => Promise<void>;
}

/** A history whose questions wait to be answered. */
function begun(unread = 0): { history: History; questions: Question[] } {
  const questions: Question[] = [];
  fake.answer(
    'room.read',
    (asked) =>
      new Promise<Reply<'room.read'>>((done) => {
        questions.push({
          asked,
          answer: (messages, more = false) => {
            done({ messages, more, withheld: false });
            return settle();
          },
        });
      }),
  );
  return { history: new History('r1', unread), questions };
}

const come = (one: Message): void => deliver({ type: 'message', room: 'r1', message: one });
const ids = (history: History): string => history.messages.map(({ id }) => id).join('');

describe('a history', () => {
  it('keeps what came while it was loaded', async () => {
    const { history, questions } = begun();
    come(message('c'));
    deliver({ type: 'attachment', attachment: 'f', have: 9, size: 9 });
    const file = { id: 'f', name: 'f', size: 9, hash: '', media_type: '', have: 0 };
    await questions[0]?.answer([message('a', { attachments: [file] }), message('b')]);
    expect(ids(history)).toBe('abc');
    expect(history.messages[0]?.attachments[0]?.have).toBe(9);
    void history.newest.reload();
    come(message('b', { text: 'changed', edited: true }));
    await questions[1]?.answer([message('a'), message('b'), message('c')]);
    expect(history.find('b')?.text).toBe('changed');
    history.stop();
  });

  it('has its line of new ones also when another comes during the first load', async () => {
    const { history, questions } = begun(1);
    come(message('c'));
    await questions[0]?.answer([message('a'), message('b')]);
    expect(history.firstNew).toBe('b');
    history.stop();
  });

  it('draws no such line where all was read', async () => {
    const { history, questions } = begun(0);
    come(message('b'));
    await questions[0]?.answer([message('a')]);
    expect(history.firstNew).toBeUndefined();
    history.stop();
  });

  it('ignores an answer that was overtaken', async () => {
    const { history, questions } = begun();
    void history.newest.reload();
    await questions[1]?.answer([message('a'), message('b')]);
    await questions[0]?.answer([message('a')]);
    expect(ids(history)).toBe('ab');
    history.stop();
  });

  it('loads an older page once for all who ask, and keeps it through a reload', async () => {
    const { history, questions } = begun();
    await questions[0]?.answer([message('d'), message('e')], true);
    const first = history.older();
    expect(history.older()).toBe(first);
    void history.newest.reload();
    await questions[1]?.answer([message('b'), message('c')], true);
    await first;
    await questions[2]?.answer([message('d'), message('e'), message('f')], true);
    expect([questions.length, ids(history), history.more]).toEqual([3, 'bcdef', true]);
    const found = history.reach('a');
    await questions[3]?.answer([message('a')]);
    expect(await found).toBe(true);
    expect([ids(history), history.more]).toEqual(['abcdef', false]);
    history.stop();
  });

  it('leaves a change of an old message, such as a sign under it, to the pages that have it', async () => {
    const { history, questions } = begun();
    await questions[0]?.answer([message('d'), message('f')], true);
    come(message('b', { reactions: [{ emoji: '👍', members: [], mine: false }] }));
    expect(ids(history)).toBe('df');
    for (const one of ['e', 'g']) come(message(one, { late: true, edited: true }));
    expect(ids(history)).toBe('defg');
    const older = history.older();
    await questions[1]?.answer([message('b')]);
    await older;
    come(message('a', { late: true }));
    expect([ids(history), questions.length]).toEqual(['abdefg', 2]);
    history.stop();
  });

  it('asks again when events were missed, after a page that is under way', async () => {
    const { history, questions } = begun();
    await questions[0]?.answer([message('b')], true);
    void history.older();
    deliver({ type: 'missed' });
    await new Promise((done) => setTimeout(done, 80));
    expect(questions.length).toBe(2);
    await questions[1]?.answer([message('a')]);
    await until(() => expect(questions.length).toBe(3));
    history.stop();
  });
});
