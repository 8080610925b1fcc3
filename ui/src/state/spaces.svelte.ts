/** Spaces, rooms and members; which of them is chosen. */
import { shell } from '$shell';

import type { MemberInfo } from '../bindings/MemberInfo';
import type { RoomInfo } from '../bindings/RoomInfo';
import type { SpaceInfo } from '../bindings/SpaceInfo';
import { on } from './events';
import { Query } from './query.svelte';

export interface Overview {
  spaces: SpaceInfo[];
  rooms: RoomInfo[];
}

export const overview = new Query<Overview>(async () => {
  const [spaces, rooms] = await Promise.all([
    shell.call('space.list', {}),
    shell.call('room.list', { space: null }),
  ]);
  return { spaces, rooms };
});

interface Chosen {
  space: string | undefined;
  room: string | undefined;
  /** Who is to be shown among the people, until it is done. */
  person: string | undefined;
}

const nothing = (): Chosen => ({ space: undefined, room: undefined, person: undefined });

export const chosen = $state<Chosen>(nothing());

export const members = new Query<MemberInfo[]>(() =>
  chosen.space === undefined ? Promise.resolve([]) : shell.call('space.members', { space: chosen.space }),
);

/** The chosen space, if it is still there. */
export function currentSpace(): SpaceInfo | undefined {
  return overview.data?.spaces.find((space) => space.space === chosen.space);
}

/** A conversation in which nothing was said yet: no list has it. */
let begun = $state.raw<RoomInfo>();

/** Rooms and conversations of a space, the one that is being begun among them. */
export function roomsOf(space: string): RoomInfo[] {
  const rooms = (overview.data?.rooms ?? []).filter((room) => room.space === space);
  const listed = begun?.space !== space || rooms.some((room) => room.room === begun?.room);
  return begun === undefined || listed ? rooms : [...rooms, begun];
}

/** A room, if it is known. */
export function roomOf(id: string | undefined): RoomInfo | undefined {
  return overview.data?.rooms.find((room) => room.room === id) ?? (begun?.room === id ? begun : undefined);
}

/** Goes to the conversation with a member of the chosen space. */
export function writeTo(member: MemberInfo): void {
  const space = currentSpace();
  if (!space || member.conversation === null) return;
  if (!overview.data?.rooms.some((room) => room.room === member.conversation)) {
    begun = {
      room: member.conversation,
      space: space.space,
      space_name: space.name,
      name: `@${member.name}`,
      audience: 'direct',
      with: member.member,
      unread: 0,
      last: null,
      last_at: null,
      withheld: false,
    };
  }
  chosen.room = member.conversation;
}

/** The chosen room, if it is still there. */
export function currentRoom(): RoomInfo | undefined {
  return roomOf(chosen.room);
}

/** The caller's role in a space, the chosen one unless given; nothing for those who are not in it. */
export function myRole(space: SpaceInfo | undefined = currentSpace()): string {
  return space?.state === 'member' ? space.role : '';
}

export function chooseSpace(space: string): void {
  if (chosen.space !== space) members.clear();
  chosen.space = space;
  chosen.room = overview.data?.rooms.find((room) => room.space === space)?.room;
  void members.reload();
}

export function chooseRoom(room: string): void {
  const info = roomOf(room);
  if (info && info.space !== chosen.space) chooseSpace(info.space);
  chosen.room = room;
}

/** Reloads and settles on a space and a room that exist. */
export async function reloadSpaces(): Promise<void> {
  await overview.reload();
  const data = overview.data;
  if (!data) return;
  if (!data.spaces.some((space) => space.space === chosen.space)) {
    const first = data.spaces[0];
    chosen.space = undefined;
    chosen.room = undefined;
    if (first) chooseSpace(first.space);
  } else {
    if (!roomOf(chosen.room)) {
      chosen.room = data.rooms.find((room) => room.space === chosen.space)?.room;
    }
    void members.reload();
  }
}

/** Takes unread marks off a room that was just read; the count of its space follows. */
export function markRead(room: string): void {
  const data = overview.data;
  const info = data?.rooms.find((known) => known.room === room);
  if (!data || !info || info.unread === 0) return;
  overview.data = {
    rooms: data.rooms.map((known) => (known === info ? { ...known, unread: 0 } : known)),
    spaces: data.spaces.map((space) =>
      space.space === info.space ? { ...space, unread: Math.max(0, space.unread - info.unread) } : space,
    ),
  };
}

export function startSpaces(): () => void {
  overview.clear();
  members.clear();
  begun = undefined;
  Object.assign(chosen, nothing());
  void reloadSpaces();
  let waiting = false;
  const soon = (): void => {
    if (waiting) return;
    waiting = true;
    setTimeout(() => {
      waiting = false;
      void reloadSpaces();
    }, 100);
  };
  const stops = [on('spaces', soon), on('peers', soon), on('message', soon)];
  return () => stops.forEach((stop) => stop());
}
