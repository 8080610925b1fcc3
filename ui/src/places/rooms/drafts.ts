/** A message that is being edited, and the draft whose place its text takes meanwhile. */
export interface Editing {
  message: string;
  aside: string;
}

/** What was begun and not sent, a draft for each room. In memory only: a draft is a secret too. */
export interface Draft {
  text: string;
  attach: string[];
  replyTo: string | undefined;
  editing: Editing | undefined;
}

const drafts = new Map<string, Draft>();
let turn = 0;

/** Another number after all drafts were forgotten: what comes later is not of this profile. */
export function turnOfDrafts(): number {
  return turn;
}

export function draftOf(room: string): Draft {
  return drafts.get(room) ?? { text: '', attach: [], replyTo: undefined, editing: undefined };
}

export function keepDraft(room: string, draft: Draft): void {
  const { text, attach, replyTo, editing } = draft;
  const nothing = text === '' && attach.length === 0 && replyTo === undefined && editing === undefined;
  if (nothing) drafts.delete(room);
  else drafts.set(room, draft);
}

/** Changes the draft of a room, unless all drafts were forgotten since that turn. */
export function amendDraft(room: string, since: number, change: (draft: Draft) => Draft): void {
  if (since === turn) keepDraft(room, change(draftOf(room)));
}

/** What is begun once a message or an edit that could not be sent is back, in front of what was typed since. */
export function putBack(unsent: Draft, now: Draft): Draft {
  const before = (text: string): string => [unsent.text, text].filter((part) => part !== '').join('\n');
  const { editing } = unsent;
  if (now.editing !== undefined) {
    // Another message is being edited: the words wait with what was put aside for it.
    const aside = before(now.editing.aside);
    const { attach, replyTo } = editing === undefined ? together(unsent, now) : now;
    return { ...now, attach, replyTo, editing: { ...now.editing, aside } };
  }
  if (editing !== undefined) {
    return { ...now, text: unsent.text, editing: { message: editing.message, aside: now.text } };
  }
  return { ...now, ...together(unsent, now), text: before(now.text) };
}

function together(first: Draft, second: Draft): Pick<Draft, 'attach' | 'replyTo'> {
  return {
    attach: [...new Set([...first.attach, ...second.attach])],
    replyTo: first.replyTo ?? second.replyTo,
  };
}

/** Forgets all drafts, when the profile is locked. */
export function forgetDrafts(): void {
  turn += 1;
  drafts.clear();
}
