/**
 * What the page needs from the outside. `shell.ts` fulfils it with the desktop shell,
 * `shell.fake.ts` with made-up data; nothing else in the page knows which one it talks to.
 */
import type { AppError as WireError } from './bindings/AppError';
import type { Event } from './bindings/Event';
import type { Commands } from './bindings/commands';

export type { Commands, Event };

/** Arguments of a command; what may be absent in Rust may be left out here. */
export type Lenient<T> = { [K in keyof T as null extends T[K] ? never : K]: T[K] } & {
  [K in keyof T as null extends T[K] ? K : never]?: T[K];
};

export type Name = keyof Commands;
export type Args<K extends Name> = Lenient<Commands[K]['args']>;
export type Reply<K extends Name> = Commands[K]['reply'];

/** Whether a profile is open in this window, and which. */
export interface SessionState {
  open: boolean;
  profile?: string | null;
}

/** Files over the window. `paths` is empty while it is not known what they are. */
export interface Drop {
  phase: 'enter' | 'over' | 'drop' | 'leave';
  paths: string[];
  position: { x: number; y: number };
}

/** A kind of file to choose, such as pictures. */
export interface FileKind {
  name: string;
  extensions: string[];
}

/** Ends a subscription. */
export type Stop = () => void;

/** The door to the outside. */
export interface Shell {
  /** Runs a command; rejects with a {@link CallError}. */
  call<K extends Name>(name: K, args: Args<K>): Promise<Reply<K>>;
  /** Hears every event until stopped. */
  listen(handler: (event: Event) => void): Promise<Stop>;
  /** Opens a profile in this window. */
  openProfile(name: string, passphrase: string): Promise<void>;
  /** Closes the open profile. */
  lockProfile(): Promise<void>;
  /** Says whether a profile is open. */
  sessionState(): Promise<SessionState>;
  /** Lets the user choose files; nothing when they change their mind. */
  pickFiles(title: string, kinds: FileKind[]): Promise<string[]>;
  /** Lets the user choose a folder. */
  pickFolder(title: string): Promise<string | undefined>;
  /** Lets the user choose where to write a file. */
  pickSave(title: string, suggestion: string, kinds: FileKind[]): Promise<string | undefined>;
  /** Lets the user choose where to keep what the page made, and writes it there; the path, or nothing. */
  saveAs(title: string, suggestion: string, kind: FileKind, content: Blob): Promise<string | undefined>;
  /** Puts pasted bytes into a file that a message to this room can attach; the file goes after that. */
  stash(room: string, name: string, content: Blob): Promise<string>;
  /** Hears files dragged over the window. */
  onDrop(handler: (drop: Drop) => void): Promise<Stop>;
  /** Shows a result: a folder in the file manager, a file in its folder. */
  openPath(path: string): Promise<void>;
  /** Gives the tray's two entries the words of the language in use. */
  nameTray(words: { open: string; quit: string }): Promise<void>;
  /** Address of a picture by its opaque media id. */
  mediaUrl(id: string): string;
}

/** Why a call failed: `message` names the thing and the reason, `hint` the way out. */
export class CallError extends Error {
  readonly code: string;
  readonly hint: string | undefined;
  readonly params: Readonly<Record<string, string>>;

  constructor(code: string, message: string, hint?: string, params: Record<string, string> = {}) {
    super(message);
    this.name = 'CallError';
    this.code = code;
    this.hint = hint;
    this.params = params;
  }

  /** Makes an error of whatever a call rejected with. */
  static from(reason: unknown): CallError {
    if (reason instanceof CallError) return reason;
    if (isWireError(reason)) {
      return new CallError(reason.code, reason.message, reason.hint ?? undefined, stringsOf(reason.params));
    }
    const words = reason instanceof Error ? reason.message : String(reason);
    return new CallError('internal', words);
  }
}

function isWireError(value: unknown): value is WireError {
  return (
    typeof value === 'object' &&
    value !== null &&
    'code' in value &&
    typeof value.code === 'string' &&
    'message' in value &&
    typeof value.message === 'string'
  );
}

function stringsOf(params: unknown): Record<string, string> {
  if (typeof params !== 'object' || params === null) return {};
  return Object.fromEntries(Object.entries(params).map(([name, value]) => [name, String(value)]));
}
