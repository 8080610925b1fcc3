/** The desktop shell. This module alone knows that it is Tauri. */
import { Channel, invoke } from '@tauri-apps/api/core';
import { getCurrentWebview } from '@tauri-apps/api/webview';
import { open, save } from '@tauri-apps/plugin-dialog';

import type { Args, Drop, Event, Name, Reply, SessionState, Shell } from './contract';
import { CallError } from './contract';
import { mediaAddress } from './media';

async function ask<T>(command: string, args: Record<string, unknown> = {}): Promise<T> {
  try {
    return await invoke<T>(command, args);
  } catch (reason) {
    throw CallError.from(reason);
  }
}

/** Calls a command whose argument is bytes. They travel as they are; what is said about them, beside them. */
async function hand<T>(command: string, content: Blob, about: Record<string, string>): Promise<T> {
  const headers = Object.entries(about).map(([name, value]) => [name, encodeURIComponent(value)]);
  try {
    return await invoke<T>(command, await content.arrayBuffer(), { headers: Object.fromEntries(headers) });
  } catch (reason) {
    throw CallError.from(reason);
  }
}

/** One channel brings the events of whichever profile is open; it lasts as long as the page. */
let channel: Promise<unknown> | undefined;
const handlers = new Set<(event: Event) => void>();

function hear(event: Event): void {
  for (const handler of [...handlers]) handler(event);
}

export const shell: Shell = {
  call<K extends Name>(name: K, args: Args<K>): Promise<Reply<K>> {
    return ask<Reply<K>>('call', { name, args });
  },

  async listen(handler) {
    handlers.add(handler);
    try {
      await (channel ??= ask('events', { channel: new Channel<Event>(hear) }));
    } catch (reason) {
      channel = undefined;
      handlers.delete(handler);
      throw reason;
    }
    return () => handlers.delete(handler);
  },

  openProfile: (name, passphrase) => ask('open_profile', { name, passphrase }),
  lockProfile: () => ask('lock_profile'),
  sessionState: () => ask<SessionState>('session_state'),

  async pickFiles(title, kinds) {
    const chosen = await open({ title, multiple: true, directory: false, filters: kinds });
    return chosen ?? [];
  },

  async pickFolder(title) {
    return (await open({ title, directory: true, multiple: false })) ?? undefined;
  },

  async pickSave(title, suggestion, kinds) {
    return (await save({ title, defaultPath: suggestion, filters: kinds })) ?? undefined;
  },

  async saveAs(title, suggestion, kind, content) {
    const about = { title, suggestion, kind: kind.name, extension: kind.extensions[0] ?? '' };
    return (await hand<string | null>('save_as', content, about)) ?? undefined;
  },

  stash: (room, name, content) => hand<string>('stash', content, { room, name }),

  onDrop(handler) {
    return getCurrentWebview().onDragDropEvent(({ payload }) => {
      const position =
        payload.type === 'leave' ? { x: 0, y: 0 } : payload.position.toLogical(window.devicePixelRatio);
      const paths = payload.type === 'enter' || payload.type === 'drop' ? payload.paths : [];
      handler({ phase: payload.type, paths, position: { x: position.x, y: position.y } } satisfies Drop);
    });
  },

  openPath: (path) => ask('open_path', { path }),
  nameTray: (words) => ask('name_tray', { ...words }),

  mediaUrl: (id) => mediaAddress(id, navigator.userAgent),
};
