/** What was begun and not sent, a draft for each room. In memory only: a draft is a secret too. */
export interface Draft {
  text: string;
  attach: string[];
  replyTo: string | undefined;
}

const drafts = new Map<string, Draft>();

export function draftOf(room: string): Draft {
  return drafts.get(room) ?? { text: '', attach: [], replyTo: undefined };
}

export function keepDraft(room: string, draft: Draft): void {
  if (draft.text === '' && draft.attach.length === 0 && draft.replyTo === undefined) drafts.delete(room);
  else drafts.set(room, draft);
}

/** Forgets all drafts, when the profile is locked. */
export function forgetDrafts(): void {
  drafts.clear();
}
