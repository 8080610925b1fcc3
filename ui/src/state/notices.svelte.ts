/** Short words at the corner of the window. They are read out and go by themselves. */
import { CallError } from '../contract';
import { language, maybe } from '../i18n/index.svelte';
import { on } from './events';

export type Level = 'good' | 'note' | 'warning' | 'bad';

export interface Notice {
  id: number;
  level: Level;
  text: string;
  detail: string | undefined;
  action: { label: string; run: () => void } | undefined;
}

/** How many notices are shown; of more, the oldest goes that tells of nothing wrong. */
const most = 4;
/** How long a notice stays, in milliseconds; what went wrong stays until it is dismissed. */
const stay = 6000;

export const notices = $state<Notice[]>([]);
let next = 1;

export function notify(
  level: Level,
  text: string,
  more: Partial<Pick<Notice, 'detail' | 'action'>> = {},
): void {
  const same = notices.find((one) => one.level === 'bad' && one.text === text && one.detail === more.detail);
  if (level === 'bad' && same) dismiss(same.id);
  const id = next++;
  notices.push({ id, level, text, detail: more.detail, action: more.action });
  const oldest = notices.find((one) => one.level !== 'bad');
  if (notices.length > most && oldest && oldest.id !== id) dismiss(oldest.id);
  if (level !== 'bad') setTimeout(() => dismiss(id), stay);
}

export function dismiss(id: number): void {
  const at = notices.findIndex((notice) => notice.id === id);
  if (at >= 0) notices.splice(at, 1);
}

/** Takes all away, when the profile is locked: they tell of what is in it. */
export function forgetNotices(): void {
  notices.length = 0;
}

/** Whether a way out leads over the command line, which is none for those who use the window. */
const isForTerminals = (hint: string) => /\bartel [a-z]|(^|\s)--[a-z]/.test(hint);

/** Errors that name nothing which the reader did not just type. */
const plain = ['wrong_passphrase', 'passphrase_needed', 'invite_wrong', 'locked'];

/** What an error is called in the reader's language, and what to do. */
export function wordsOf(error: CallError): { title: string; detail: string; hint: string | undefined } {
  const hint = maybe(`hint.${error.code}`, error.params);
  const told = error.hint !== undefined && isForTerminals(error.hint) ? undefined : error.hint;
  return {
    title: maybe(`error.${error.code}`, error.params) ?? maybe('error.internal') ?? error.message,
    // Where the title says it all, the core's English adds nothing.
    detail: language() !== 'en' && plain.includes(error.code) ? '' : error.message,
    // English words from outside know the case; ours are for those who read another language.
    hint: language() === 'en' ? (told ?? hint) : (hint ?? told),
  };
}

/** Says that something failed. */
export function complain(reason: unknown): void {
  const words = wordsOf(CallError.from(reason));
  notify('bad', words.title, { detail: [words.detail, words.hint].filter(Boolean).join(' ') });
}

/** Notices whose message is the reason. */
const reasoned = ['socket_off', 'network_off', 'network_stopped'];

/** Shows the notices that come from outside. */
export function startNotices(): () => void {
  return on('notice', ({ level, code, message, params }) => {
    const words = maybe(`notice.${code}`, params);
    // Our words do not say why; those from outside do.
    notify(level, words ?? message, { detail: words && reasoned.includes(code) ? message : undefined });
  });
}
