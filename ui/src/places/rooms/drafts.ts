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

export function draftOf(room: string): Draft {
  return drafts.get(room) ?? { text: '', attach: [], replyTo: undefined, editing: undefined };
}

export function keepDraft(room: string, draft: Draft): void {
  const { text, attach, replyTo, editing } = draft;
  const nothing = text === '' && attach.length === 0 && replyTo === undefined && editing === undefined;
  if (nothing) drafts.delete(room);
  else drafts.set(room, draft);
}

/** Forgets all drafts, when the profile is locked. */
export function forgetDrafts(): void {
  drafts.clear();
}
