/**
 * A shell without a desktop, for tests and for `npm run dev`. It keeps its own state, answers every
 * command, and lets a test replace any answer. It is never part of the shipped page.
 */
import type { Args, Event, Name, Reply, Shell } from './contract';
import { CallError } from './contract';
import * as data from './fake/data';
import type { Check } from './bindings/Check';
import type { DeviceInfo } from './bindings/DeviceInfo';
import type { DoorInfo } from './bindings/DoorInfo';
import type { InviteState } from './bindings/InviteState';
import type { JobInfo } from './bindings/JobInfo';
import type { MemberInfo } from './bindings/MemberInfo';
import type { Message } from './bindings/Message';
import type { Notes } from './bindings/Notes';
import type { Overlay } from './bindings/Overlay';
import type { PolicyInfo } from './bindings/PolicyInfo';
import type { ReportInfo } from './bindings/ReportInfo';
import type { RoomInfo } from './bindings/RoomInfo';
import type { SpaceInfo } from './bindings/SpaceInfo';
import { rebase } from './places/rooms/merge';

type Answers = { [K in Name]: (args: Args<K>) => Reply<K> | Promise<Reply<K>> };

/** What was handed over to be kept as a file. */
interface Kept {
  name: string;
  room?: string;
  content: Blob;
}

interface World {
  now: number;
  open: boolean;
  profile: string;
  profiles: string[];
  spaces: SpaceInfo[];
  rooms: RoomInfo[];
  messages: Map<string, Message[]>;
  jobs: JobInfo[];
  symbols: string[];
  products: number;
  backups: number;
  settings: Map<string, string>;
  invites: InviteState[];
  door: DoorInfo | null;
  members: Map<string, MemberInfo[]>;
  devices: DeviceInfo[];
  kept: Kept[];
  notes: Map<string, data.Page>;
  reports: ReportInfo[];
  rules: PolicyInfo[];
  theNext: number;
}

function fresh(): World {
  const now = Date.now();
  return {
    now,
    open: true,
    profile: 'Maria Ivanova',
    profiles: ['Maria Ivanova', 'Лабораторія 4'],
    spaces: data.spaces(),
    rooms: data.rooms(now),
    messages: new Map([
      ['r1', data.messages(now)],
      ['r2', data.older(900, now, 6)],
    ]),
    jobs: data.jobs(now),
    symbols: ['BTCUSD', 'EURUSD', 'GOOG'],
    products: 8120,
    backups: 3,
    settings: new Map(),
    invites: data.invites(now),
    door: null,
    members: data.everyone(),
    devices: data.devices(),
    kept: [],
    notes: data.notes(now),
    reports: data.reports(now),
    rules: data.rules(now),
    theNext: 5000,
  };
}

let world = fresh();
const listeners = new Set<(event: Event) => void>();
let dropHandler: Parameters<Shell['onDrop']>[0] | undefined;
let picked: string[] = [];
let replaced: Partial<Record<Name, (args: never) => unknown>> = {};

function tell(event: Event): void {
  for (const listener of [...listeners]) listener(event);
}

function missing(what: string): never {
  throw new CallError('not_found', `There is no ${what}.`);
}

function oneJob(number: number): JobInfo {
  return world.jobs.find((job) => job.job === number) ?? missing(`job ${number}`);
}

function change(number: number, more: Partial<JobInfo>): JobInfo {
  const job = { ...oneJob(number), ...more };
  world.jobs = world.jobs.map((one) => (one.job === number ? job : one));
  tell({ type: 'job', job });
  return job;
}

function start(more: Partial<JobInfo>): JobInfo {
  const job = data.job({ done: 0, state: 'running', job: (world.theNext += 1), ...more }, Date.now());
  world.jobs = [job, ...world.jobs];
  tell({ type: 'job', job });
  return job;
}

function write(room: string, more: Partial<Message>): Message {
  const [pattern] = data.messages(Date.now());
  if (!pattern) return missing('message');
  const number = (world.theNext += 1);
  const message: Message = {
    ...pattern,
    id: `m${number}`,
    order: data.orderOf(number),
    at: Date.now(),
    reactions: [],
    read_by: [],
    attachments: [],
    text: '',
    ...more,
  };
  world.messages.set(room, [...(world.messages.get(room) ?? []), message]);
  tell({ type: 'message', room, message });
  return message;
}

function changeMessage(id: string, more: Partial<Message>): Message {
  for (const [room, list] of world.messages) {
    const at = list.findIndex((message) => message.id === id);
    const known = list[at];
    if (!known) continue;
    const message = { ...known, ...more };
    world.messages.set(room, list.with(at, message));
    tell({ type: 'message', room, message });
    return message;
  }
  return missing(`message ${id}`);
}

function erase(message: string): void {
  changeMessage(message, { deleted: true, deleting_until: null, text: '', attachments: [], result: null });
}

/** Those of a space; whoever founded one is alone in it. */
function membersOf(space: string): MemberInfo[] {
  return world.members.get(space) ?? data.members.slice(0, 1);
}

function changeMember(space: string, member: string, more: Partial<MemberInfo>): null {
  const list = membersOf(space);
  if (!list.some((one) => one.member === member)) return missing(`member ${member}`);
  world.members.set(
    space,
    list.map((one) => (one.member === member ? { ...one, ...more } : one)),
  );
  tell({ type: 'spaces' });
  return null;
}

const recovery = 'MFRGG-ZDFMZ-TWQ2L-KNNWG-23TPO-BYXEM';

function mustFit(name: string, passphrase: string): void {
  if (passphrase === 'wrong')
    throw new CallError('wrong_passphrase', `The passphrase does not open “${name}”.`);
}

function average(values: number[], period: number): (number | null)[] {
  let sum = 0;
  return values.map((value, at) => {
    sum += value - (at >= period ? (values[at - period] ?? 0) : 0);
    return at + 1 >= period ? sum / period : null;
  });
}

function overlay(symbol: string, spelled: string): Overlay {
  const [name = '', ...parameters] = spelled.split(':');
  const info = data.functions.find((one) => one.name === name) ?? missing(`function ${name}`);
  const { time, close } = data.bars(symbol, world.now);
  const column = [name, ...parameters].join('_');
  const period = Number(parameters[0] ?? 14);
  const base = average(close, period);
  if (info.overlap) {
    return { columns: [{ name: column, time, values: base }], overlap: true, backend: 'cpu' };
  }
  const swing = close.map((value, at) => {
    const mean = base[at];
    return mean === null || mean === undefined
      ? null
      : Math.max(4, Math.min(96, 50 + (value / mean - 1) * 500));
  });
  return { columns: [{ name: column, time, values: swing }], overlap: false, backend: 'cpu' };
}

function notesOf(room: string): Notes {
  const page = world.notes.get(room);
  const space = world.rooms.find((one) => one.room === room)?.space ?? missing(`room ${room}`);
  const role = world.spaces.find((one) => one.space === space)?.role ?? '';
  const staff = role === 'owner' || role === 'teacher';
  return {
    editors: page ? (page.students ? 'students' : 'teachers') : null,
    text: page?.texts.at(-1) ?? '',
    base: page ? [`${room}:${page.texts.length}`] : [],
    editable: page !== undefined && (staff || (page.students && role === 'student')),
    opens_to: world.rules.find((rule) => rule.key === 'pages')?.value ?? 'students',
    may_open: staff,
    changed_by: page?.by ?? null,
    changed_at: page?.at ?? null,
  };
}

/** Gives notes a text that was made from the one with this number, the newest unless given. */
function note(room: string, text: string, by: string, from?: number): void {
  const page = world.notes.get(room) ?? missing('notes in this room');
  const latest = page.texts.at(-1) ?? '';
  const base = page.texts[(from ?? page.texts.length) - 1] ?? missing('such base');
  page.texts.push(rebase(base, text, latest));
  Object.assign(page, { by, at: Date.now() });
  tell({ type: 'notes', room });
}

const me = (): { author: string; name: string; role: string; mine: boolean } => ({
  author: data.key(0),
  name: world.profile,
  role: 'owner',
  mine: true,
});

const answers: Answers = {
  'host.info': () => ({
    version: '0.1.0',
    home: '/home/maria/.local/share/artel',
    platform: 'Linux x86_64',
    cores: 8,
    memory: 16e9,
  }),
  'profile.list': () =>
    world.profiles.map((profile, at) => ({
      profile,
      member: data.key(at),
      in_use: false,
      created_at: world.now,
      problem: null,
    })),
  'profile.new': ({ name }) => {
    if (world.profiles.includes(name))
      throw new CallError('exists', `There is a profile “${name}” already.`, 'Choose another name.');
    world.profiles.push(name);
    return { profile: name, member: data.key(3), recovery };
  },
  'profile.recover': ({ name, code }) => {
    if (code.replace(/[\s-]/g, '').length !== 30)
      throw new CallError(
        'recovery_wrong',
        'this is not a recovery code: a recovery code has 30 letters and digits',
      );
    return { profile: name, recovery };
  },
  'profile.recovery': ({ passphrase }) => {
    mustFit(world.profile, passphrase);
    return { profile: world.profile, recovery };
  },
  'profile.delete': ({ name, passphrase }) => {
    mustFit(name, passphrase);
    world.profiles = world.profiles.filter((profile) => profile !== name);
    return null;
  },
  'care.restore': ({ backup: path, passphrase, name }) => {
    mustFit(path, passphrase);
    const profile = name ?? 'Анна Смирнова';
    if (world.profiles.includes(profile))
      throw new CallError('exists', `There is a profile “${profile}” already.`, 'Choose another name.');
    world.profiles.push(profile);
    return { profile, member: data.key(0), device: data.key(78), retires: true, tables: [['records', 8412]] };
  },
  'profile.show': () => ({
    profile: world.profile,
    member: data.key(0),
    device: data.key(77),
    incarnation: data.key(5),
    path: '/home/maria/.local/share/artel/maria',
    bytes: 48e6,
    schema: 6,
    created_at: world.now,
  }),
  'profile.passwd': ({ old }) => {
    mustFit(world.profile, old);
    return { recovery: null };
  },
  'space.new': ({ name }) => {
    const space = {
      space: `sp${(world.theNext += 1)}`,
      name,
      role: 'owner',
      state: 'member',
      members: 1,
      online: 1,
      unread: 0,
      direct: true,
      held: false,
    };
    world.spaces = [...world.spaces, space];
    world.rooms = [
      ...world.rooms,
      {
        room: `r${(world.theNext += 1)}`,
        space: space.space,
        space_name: space.name,
        name: 'General',
        audience: 'all',
        with: null,
        unread: 0,
        last: null,
        last_at: null,
        withheld: false,
      },
    ];
    tell({ type: 'spaces' });
    return space;
  },
  'space.list': () => world.spaces,
  'space.invite': ({ space, role, seats, expires_s, approve }) => {
    const into = role ?? 'student';
    const mine = world.spaces.find((one) => one.space === space)?.role ?? missing(`space ${space}`);
    const staff = into === 'teacher' || into === 'owner';
    if (mine !== 'owner' && (mine !== 'teacher' || staff)) {
      throw new CallError('not_allowed', `${mine} may not invite as ${into}`);
    }
    const made = {
      id: `i${(world.theNext += 1)}`,
      role: into,
      seats: seats ?? (staff ? 1 : 40),
      expires_at: Date.now() + (expires_s ?? 86_400) * 1000,
    };
    if (into === 'owner') throw new CallError('bad_arguments', 'nobody is invited as an owner');
    if (staff && made.seats !== 1) throw new CallError('bad_arguments', 'a teacher is invited alone');
    const kept = { ...made, used: 0, approve: approve || staff, revoked: false, by: world.profile };
    world.invites = [...world.invites, kept];
    const invite = 'K7QDM-3XW9A-PL2VE-8TRZC-H4NJB-6YFSG-QW1DX-M5KUA';
    return { ...made, invite, link: `artel:${invite}?at=192.168.1.17:47600`, space };
  },
  'space.door': ({ space, invite, minutes }) => {
    world.door = {
      space,
      code: 'K7QM-2XPD',
      invite: invite ?? `i${(world.theNext += 1)}`,
      until: Date.now() + (minutes ?? 10) * 60_000,
      wrong: 0,
      guests: 0,
      came: [],
    };
    tell({ type: 'spaces' });
    return world.door;
  },
  'space.door_show': ({ space }) => ({ space, open: world.door?.space === space ? world.door : null }),
  'space.door_close': ({ space }) => {
    world.door = null;
    tell({ type: 'spaces' });
    return { space, open: null };
  },
  'space.join': ({ invite }) => {
    if (![8, 40].includes(invite.replace(/^artel:|\?.*$|[\s-]/gi, '').length)) {
      throw new CallError('invite_wrong', 'The code has to be eight groups of five characters.');
    }
    const space = {
      space: 'sp9',
      name: 'Lab 4',
      role: 'student',
      state: 'pending',
      members: 12,
      online: 5,
      unread: 0,
      direct: true,
      held: false,
    };
    world.spaces = [...world.spaces.filter((one) => one.space !== 'sp9'), space];
    return { space: 'sp9', name: 'Lab 4', state: 'pending' };
  },
  'space.join_cancel': () => null,
  'space.members': ({ space }) => membersOf(space),
  'space.admit': ({ space, member }) => changeMember(space, member, { state: 'member' }),
  'space.remove': ({ space, member, block }) =>
    changeMember(space, member, { state: 'removed', blocked: block, online: false, devices: [] }),
  'space.erase': ({ space, member, confirm }) => {
    const name = membersOf(space).find((one) => one.member === member)?.name;
    if (name !== confirm) throw new CallError('bad_arguments', `“${confirm}” is not the name of that member`);
    for (const [room, said] of world.messages) {
      const gone = (one: Message): Message =>
        one.author === member ? { ...one, name: '(erased)', text: '', deleted: true, attachments: [] } : one;
      world.messages.set(room, said.map(gone));
    }
    const nobody = { name: '(erased)', erased: true, state: 'removed', online: false, devices: [] };
    return changeMember(space, member, nobody);
  },
  'space.unblock': ({ space, member }) => changeMember(space, member, { blocked: false }),
  'space.role': ({ space, member, role }) => changeMember(space, member, { role }),
  'space.policy': ({ space, set }) => {
    const role = world.spaces.find((one) => one.space === space)?.role ?? missing(`space ${space}`);
    if (set.length > 0 && role !== 'owner' && role !== 'teacher') {
      throw new CallError('not_allowed', `${role} may not set the rules of the space`);
    }
    for (const text of set) {
      const [key = '', value = ''] = text.split('=');
      if (!world.rules.some((rule) => rule.key === key)) {
        throw new CallError('bad_arguments', `“${text}” is not a rule with its value`);
      }
      const made = { key, value, by: world.profile, at: Date.now() };
      world.rules = world.rules.map((rule) => (rule.key === key ? made : rule));
    }
    const direct = world.rules.find((rule) => rule.key === 'direct')?.value !== 'off';
    world.spaces = world.spaces.map((one) => (one.space === space ? { ...one, direct } : one));
    if (set.length > 0) tell({ type: 'spaces' });
    return world.rules;
  },
  'space.revoke': ({ invite }) => {
    world.invites = world.invites.map((one) => (one.id === invite ? { ...one, revoked: true } : one));
    tell({ type: 'spaces' });
    return null;
  },
  'space.leave': ({ space }) => {
    const owners = membersOf(space).filter((one) => one.role === 'owner' && one.state === 'member');
    if (owners.length === 1 && owners[0]?.me) {
      throw new CallError('not_allowed', 'the last owner cannot leave; first name another one');
    }
    world.spaces = world.spaces.map((one) => (one.space === space ? { ...one, state: 'removed' } : one));
    tell({ type: 'spaces' });
    return null;
  },
  'space.show': ({ space }) => {
    world.spaces = world.spaces.map((one) => (one.space === space ? { ...one, held: false } : one));
    tell({ type: 'spaces' });
    return world.spaces.find((one) => one.space === space) ?? missing(`space ${space}`);
  },
  'device.list': () => world.devices,
  'device.revoke': ({ device }) => {
    const ended = world.devices.find((one) => one.device === device) ?? missing(`device ${device}`);
    world.devices = world.devices.filter((one) => one !== ended);
    return { device, spaces: ended.spaces };
  },
  'space.invites': ({ space }) => (space === 'sp1' ? world.invites : []),
  'profile.lock': () => null,
  'room.new': ({ space, name, readers }) => {
    const [first] = readers;
    const audience = first === undefined || first === 'all' ? 'all' : first === 'teachers' ? first : 'chosen';
    const room: RoomInfo = {
      room: `r${(world.theNext += 1)}`,
      space,
      space_name: world.spaces.find((one) => one.space === space)?.name ?? '',
      name,
      audience,
      with: null,
      unread: 0,
      last: null,
      last_at: null,
      withheld: false,
    };
    world.rooms = [...world.rooms, room];
    return room;
  },
  'room.list': ({ space }) => world.rooms.filter((room) => !space || room.space === space),
  'room.send': ({ room, text, attach, reply_to }) => {
    const message = write(room, {
      ...me(),
      text,
      reply_to: reply_to ?? null,
      attachments: attach.map((path, at) => ({
        id: `f${world.theNext}${at}`,
        name: path.split('/').at(-1) ?? path,
        size: 120_000,
        hash: 'ef'.repeat(32),
        media_type: /\.(png|jpe?g|webp)$/i.test(path) ? 'image/png' : 'text/plain',
        have: 120_000,
      })),
    });
    return { message: message.id, state: 'stored', peers: 0 };
  },
  'room.edit': ({ message, text }) => {
    changeMessage(message, { text, edited: true });
    return { message, state: 'stored' };
  },
  'room.delete': ({ message, now }) => {
    if (now) {
      erase(message);
      return { message, state: 'deleted', until: null };
    }
    const until = Date.now() + 10_000;
    changeMessage(message, { deleting_until: until });
    const asked = world;
    setTimeout(() => {
      const waits = [...world.messages.values()].flat().some((one) => one.deleting_until === until);
      if (asked === world && waits) erase(message);
    }, 10_000);
    return { message, state: 'waiting', until };
  },
  'room.react': ({ message, emoji: sign }) => {
    const emoji = sign ?? null;
    const known = [...world.messages.values()].flat().find((one) => one.id === message);
    const mine = { member: data.key(0), name: world.profile };
    const others = (known?.reactions ?? []).map((one) => ({
      ...one,
      mine: false,
      members: one.members.filter((person) => person.member !== mine.member),
    }));
    const same = others.find((one) => one.emoji === emoji);
    if (same) Object.assign(same, { mine: true, members: [...same.members, mine] });
    else if (emoji !== null) others.push({ emoji, members: [mine], mine: true });
    changeMessage(message, { reactions: others.filter((one) => one.members.length > 0) });
    return { message, emoji };
  },
  'room.report': ({ message, text }) => {
    const said = [...world.messages.values()].flat().find((one) => one.id === message);
    if (!said) return missing(`message ${message}`);
    const mine = me();
    const id = `p${(world.theNext += 1)}`;
    world.reports = [
      ...world.reports,
      {
        id,
        by: mine.author,
        by_name: mine.name,
        at: Date.now(),
        text,
        reported: {
          message,
          author: said.author,
          name: said.name,
          room: 'General',
          at: said.at,
          text: said.text,
          edit: null,
          files: said.attachments.map((file) => file.name),
        },
      },
    ];
    return { message: id, state: 'stored', peers: 0 };
  },
  'space.reports': () => world.reports,
  'room.undelete': ({ message }) => {
    changeMessage(message, { deleting_until: null });
    return { message, state: 'kept', until: null };
  },
  'room.read': ({ room, before, limit }) => {
    const all = world.messages.get(room) ?? [];
    const space = world.rooms.find((one) => one.room === room)?.space;
    if (world.spaces.some((one) => one.space === space && one.held)) {
      throw new CallError('wrong_state', 'what was deleted since the backup is not known yet');
    }
    if (before && room === 'r1') {
      const number = Number(before.slice(1));
      const from = Math.min(number, 1000);
      const count = Math.min(limit ?? 100, from - 700);
      return {
        messages: count > 0 ? data.older(from, world.now, count) : [],
        more: from - count > 700,
        withheld: false,
      };
    }
    const withheld = world.rooms.some((one) => one.room === room && one.withheld);
    return { messages: all.slice(-(limit ?? 100)), more: room === 'r1' && !withheld, withheld };
  },
  'room.seen': () => null,
  'room.save': ({ to }) => ({ path: to, size: 120_000, hash: 'ef'.repeat(32) }),
  'notes.show': ({ room }) => notesOf(room),
  'notes.open': ({ room, students }) => {
    const { text, opens_to } = notesOf(room);
    const by_all = students ?? opens_to === 'students';
    world.notes.set(room, { students: by_all, texts: [text], by: world.profile, at: Date.now() });
    tell({ type: 'notes', room });
    return notesOf(room);
  },
  'notes.edit': ({ room, base, text }) => {
    note(room, text, world.profile, Number(base[0]?.split(':')[1]));
    return notesOf(room);
  },
  share: ({ result, room }) => {
    const message = write(room, {
      ...me(),
      result: {
        kind: result.startsWith('run') ? 'indicators' : 'images',
        title: result,
        facts: [['done', '240']],
        preview: null,
      },
    });
    return { message: message.id, state: 'stored', peers: 0 };
  },
  'node.start': () => ({ peer: '12D3KooWFake', addresses: ['/ip4/192.168.1.17/tcp/47600/p2p/12D3KooWFake'] }),
  'net.peers': () => ({
    node: {
      peer: '12D3KooWFake',
      addresses: [
        '/ip4/192.168.1.17/tcp/47600/p2p/12D3KooWQ7Gm5qTFakeFakeFake9mJ2Xv',
        '/ip6/fe80::1c3a:22ff:fe9b:4f/tcp/47600/p2p/12D3KooWQ7Gm5qTFakeFakeFake9mJ2Xv',
      ],
    },
    peers: data.members.slice(1, 7).map((member, at) => ({
      peer: `12D3KooW${member.member.slice(0, 12)}`,
      name: at === 5 ? null : member.name,
      address: `/ip4/192.168.1.${20 + at}/tcp/47600`,
      connected: at !== 3,
      found_by: at === 2 ? 'typed' : at === 3 ? 'remembered' : 'mdns',
      rtt_ms: at === 3 ? null : 0.8 + at * 0.7,
      spaces: at === 5 ? [] : ['9B · Computer science'],
    })),
  }),
  'net.dial': ({ address }) => {
    if (!address.startsWith('/ip')) {
      throw new CallError(
        'bad_arguments',
        `“${address}” is no address.`,
        'Write it as /ip4/192.168.1.20/tcp/47600.',
      );
    }
    return {
      peer: '12D3KooWNew',
      name: null,
      address,
      connected: true,
      found_by: 'typed',
      rtt_ms: 1.2,
      spaces: [],
    };
  },
  'jobs.list': () => world.jobs,
  'jobs.show': ({ job }) => oneJob(job),
  'jobs.items': ({ job, state, offset, limit }) => {
    const of = oneJob(job);
    const all = Array.from({ length: of.total }, (_, at) => data.item(of, at)).filter(
      (item) => !state || item.state === state,
    );
    return { items: all.slice(offset, offset + (limit ?? 100)), total: all.length };
  },
  'jobs.pause': ({ job }) => change(job, { state: 'paused', remaining_s: null }),
  'jobs.resume': ({ job }) => change(job, { state: 'running' }),
  'jobs.cancel': ({ job }) => change(job, { state: 'cancelled', remaining_s: null }),
  'jobs.retry': ({ job }) => change(job, { state: 'running', failed: 0, remaining_s: 4 }),
  'images.recipes': () => [
    {
      name: 'web',
      summary: 'Upright, 2048 pixels, gentle tone curve, JPEG',
      steps: ['orient', 'resize 2048', 'tone', 'jpeg 85'],
    },
  ],
  'images.run': ({ inputs, recipe, out }) => ({
    job: start({
      title: `${recipe}: ${inputs.map((input) => input.split('/').at(-1)).join(', ')}`,
      out,
      total: 320,
    }),
    ignored: 2,
  }),
  'market.import': ({ paths, skip_bad_rows }) => ({
    files: paths.map((path) => {
      const bad = path.includes('bad') && !skip_bad_rows;
      const symbol = (path.split('/').at(-1) ?? path).replace(/\.\w+$/, '');
      if (!bad && !world.symbols.includes(symbol)) world.symbols = [...world.symbols, symbol];
      return {
        path,
        symbol: bad ? null : symbol,
        interval: bad ? null : '1d',
        format: bad ? null : 'csv',
        bars: bad ? 0 : 720,
        added: bad ? 0 : 720,
        replaced: 0,
        skipped: path.includes('bad') ? [{ line: 812, reason: 'high 3.1 is below low 3.4' }] : [],
        skipped_total: path.includes('bad') ? 1 : 0,
        error: bad
          ? {
              code: 'bad_input',
              message: 'bad.csv, line 812: high 3.1 is below low 3.4',
              hint: 'Fix the row, or import with --skip-bad-rows.',
            }
          : null,
      };
    }),
  }),
  'market.list': () =>
    world.symbols.map((symbol) => {
      const { close, time, interval } = data.bars(symbol, world.now);
      const last = close.at(-1) ?? 0;
      const before = close.at(-2) ?? last;
      return {
        series: symbol,
        has_volume: true,
        symbol,
        interval,
        bars: close.length,
        from: time[0] ?? 0,
        to: time.at(-1) ?? 0,
        last,
        change: last / before - 1,
        gaps: 0,
      };
    }),
  'market.functions': () => data.functions,
  'market.bars': ({ symbol }) => data.bars(symbol, world.now),
  'market.overlay': (args) => overlay(args.symbol, args.function),
  'market.indicators': ({ symbols, out }) => ({
    run: 'run:7',
    symbols: (symbols.length > 0 ? symbols : world.symbols).map((symbol) => ({
      symbol,
      bars: 720,
      functions: data.functions.length,
      seconds: 0.04,
      cache: 'miss',
      backend: 'cpu',
      error: null,
    })),
    out: out ? [out] : [],
  }),
  'catalog.import': ({ paths }) => {
    world.products = 8120;
    tell({ type: 'catalog' });
    return {
      files: paths.map((path) => ({
        path,
        format: 'csv, UTF-8',
        products: 8120,
        added: 120,
        changed: 14,
        columns: [
          ['vendor_code', 'Артикул*'],
          ['name', 'Название товара'],
          ['brand', 'Бренд в одежде и обуви*'],
          ['size', 'Российский размер*'],
        ],
        switched_off: ['stock', 'last'],
        skipped: [{ line: 44, reason: 'the vendor code is empty' }],
        skipped_total: 1,
        error: null,
      })),
    };
  },
  'catalog.enrich': () => ({
    job: start({ kind: 'catalog', title: 'Rich Content: standard, showcase', total: world.products }),
    switched_off: ['stock'],
  }),
  'catalog.stats': () => ({
    products: world.products,
    documents: world.products === 0 ? 0 : 3105,
    without:
      world.products === 0
        ? []
        : [
            ['too_few', 195],
            ['not_enriched', 4820],
          ],
    brands: world.products === 0 ? [] : data.brands.map((brand, at) => [brand, 2100 - at * 240]),
    mean_recommendations: 4.8,
    outdated: world.products === 0 ? 0 : 214,
    switched_off: world.products === 0 ? [] : ['stock', 'last'],
  }),
  'catalog.products': ({ search, brand, offset, limit }) => {
    const wanted = search?.toLocaleLowerCase();
    if (!wanted && !brand) {
      const count = Math.max(0, Math.min(limit ?? 100, world.products - offset));
      return {
        products: Array.from({ length: count }, (_, at) => data.product(offset + at)),
        total: world.products,
      };
    }
    const all = Array.from({ length: world.products }, (_, at) => data.product(at)).filter(
      (row) =>
        (!brand || row.brand === brand) &&
        (!wanted || `${row.vendor_code} ${row.name}`.toLocaleLowerCase().includes(wanted)),
    );
    return { products: all.slice(offset, offset + (limit ?? 100)), total: all.length };
  },
  'catalog.document': ({ vendor_code }) => {
    const matches = [1, 6, 11, 16].map((at) => data.product(at));
    return {
      fields: [
        ['vendor_code', vendor_code],
        ['brand', 'Nordstep'],
        ['size', '41'],
        ['season', 'зима'],
      ],
      recommendations: matches.map((match, at) => ({
        vendor_code: match.vendor_code,
        name: match.name,
        score: 360 - at * 42,
        terms: [
          ['size', at === 2 ? -50 : 100],
          ['season', 80],
          ['color', 40],
          ['stock', 20],
        ],
      })),
      document: JSON.stringify({
        content: [
          {
            widgetName: 'raShowcase',
            type: 'tileM',
            blocks: matches.map((match) => ({
              img: {
                src: `https://pictures.invalid/${match.vendor_code}.jpg`,
                srcMobile: `https://pictures.invalid/${match.vendor_code}.jpg`,
                alt: match.name,
              },
              title: { content: [match.name] },
            })),
          },
        ],
        version: 0.3,
      }),
      reason: null,
      detail: null,
      left_out: ['The link to NS-10006-42: its SKU is not known.'],
      outdated: false,
    };
  },
  'catalog.export': ({ out }) => ({ path: out, rows: 3105 }),
  'catalog.validate': () => ({
    checked: 3105,
    valid: 3105,
    faults: [],
    warnings: [['NS-10005-41', 'the title is longer than 200 characters']],
  }),
  'care.health': () => ({
    verdict: 'warnings',
    checks: [
      check('database', 'well', 'database_whole', 'every page is whole'),
      check('disk_space', 'well', 'disk_space_enough', '212 GiB free on the disk of /home', {
        free: '212 GiB',
        path: '/home',
      }),
      {
        ...check('backup', 'warning', 'backup_days_old', 'the last one is 9 days old', { days: '9' }),
        hint: 'Make one: artel care backup. Keep a copy on another disk.',
      },
      check('clock', 'well', 'clock_agrees', 'the clock agrees with what was made before'),
    ],
  }),
  'net.export': ({ file, space }) => ({
    file,
    space: space ?? '9B',
    records: 812,
    bytes: 431_000,
    left_out: [],
  }),
  'net.import': ({ file }) => ({ file, space: '7-Б', records: 37, waiting: 0, problem: null }),
  'net.doctor': () => ({
    verdict: 'warnings',
    checks: [
      check('interfaces', 'well', 'net_interfaces', 'eth0 192.168.1.5', { list: 'eth0 192.168.1.5' }),
      check('multicast', 'well', 'net_multicast', 'heard on eth0; others that answered: 2', {
        names: 'eth0',
        others: '2',
      }),
      {
        ...check('vpn', 'warning', 'net_vpn_default', 'everything goes through wg0', { name: 'wg0' }),
        hint: 'Allow local networks in the settings of the VPN.',
      },
    ],
  }),
  'care.backup': () => {
    world.backups += 1;
    return backup(world.backups);
  },
  'care.backups': () => Array.from({ length: world.backups }, (_, at) => backup(world.backups - at)),
  'care.verify': (args) => ({
    backup: args.backup ?? '',
    good: true,
    tables: [
      ['records', 8412],
      ['bodies', 7903],
    ],
    problem: null,
  }),
  'gpu.info': () => ({
    adapters: [
      {
        name: 'NVIDIA GeForce RTX 4060',
        api: 'vulkan',
        kind: 'discrete',
        driver: 'NVIDIA 570.86',
        max_buffer: 2 ** 31,
      },
      { name: 'llvmpipe (LLVM 19.1)', api: 'vulkan', kind: 'cpu', driver: 'Mesa 25.0', max_buffer: 2 ** 31 },
    ],
    in_use: 'NVIDIA GeForce RTX 4060',
    reason: null,
  }),
  'settings.list': () =>
    [
      {
        key: 'network.ping_seconds',
        default: '25',
        allowed: '2 to 600 s',
        summary: 'Time between two pings',
      },
      {
        key: 'network.mdns',
        default: 'on',
        allowed: 'on or off',
        summary: 'Whether to find others by mDNS',
      },
    ].map((one) => ({ ...one, value: world.settings.get(one.key) ?? one.default })),
  'settings.set': ({ key, value }) => {
    world.settings.set(key, value);
    return { key, value, default: 'on', allowed: 'on or off', summary: 'Whether to find others by mDNS' };
  },
};

function check(
  name: string,
  grade: string,
  code: string,
  message: string,
  params: Record<string, string> = {},
): Check {
  return { name, grade, code, message, params, hint: null };
}

function backup(number: number) {
  return {
    backup: `maria-2026-11-${String(9 + number).padStart(2, '0')}`,
    path: `/home/maria/.local/share/artel/backups/maria-2026-11-${9 + number}.artel`,
    profile: world.profile,
    at: world.now - (12 - number) * 86_400_000,
    bytes: 47_800_000 + number * 120_000,
    seconds: null,
    problem: null,
  };
}

export const shell: Shell = {
  async call<K extends Name>(name: K, args: Args<K>): Promise<Reply<K>> {
    const answer = (replaced[name] ?? answers[name]) as (args: Args<K>) => Reply<K> | Promise<Reply<K>>;
    return answer(args);
  },
  listen(handler) {
    listeners.add(handler);
    return Promise.resolve(() => listeners.delete(handler));
  },
  openProfile(name, passphrase) {
    try {
      mustFit(name, passphrase);
    } catch (reason) {
      return Promise.reject(CallError.from(reason));
    }
    world.open = true;
    world.profile = name;
    return Promise.resolve();
  },
  lockProfile() {
    world.open = false;
    return Promise.resolve();
  },
  sessionState: () => Promise.resolve({ open: world.open, profile: world.open ? world.profile : null }),
  pickFiles: () => Promise.resolve(picked),
  pickFolder: () => Promise.resolve(picked[0]),
  pickSave: (_title, suggestion) => Promise.resolve(picked[0] ?? `/home/maria/${suggestion}`),
  saveAs(_title, suggestion, _kind, content) {
    const path = picked[0] ?? `/home/maria/${suggestion}`;
    world.kept.push({ name: path, content });
    return Promise.resolve(path);
  },
  stash(room, name, content) {
    world.kept.push({ room, name, content });
    return Promise.resolve(`/home/maria/.local/share/artel/maria/pasted/${world.kept.length}/${name}`);
  },
  onDrop(handler) {
    dropHandler = handler;
    return Promise.resolve(() => {
      dropHandler = undefined;
    });
  },
  openPath: () => Promise.resolve(),
  nameTray: () => Promise.resolve(),
  mediaUrl: data.picture,
};

/** What a test or the development page does to the world outside. */
export const fake = {
  /** Everything as at the start. */
  reset(): void {
    world = fresh();
    replaced = {};
    picked = [];
    listeners.clear();
    dropHandler = undefined;
  },
  world: (): World => world,
  /** Replaces the answer to a command. */
  answer<K extends Name>(name: K, answer: (args: Args<K>) => Reply<K> | Promise<Reply<K>>): void {
    replaced[name] = answer as (args: never) => unknown;
  },
  /** The usual answer to a command, for one that does more than that. */
  usual<K extends Name>(name: K): (args: Args<K>) => Reply<K> | Promise<Reply<K>> {
    return answers[name];
  },
  /** Gives the usual answer again. */
  restore(name: Name): void {
    delete replaced[name];
  },
  tell,
  write,
  /** Someone else writes in the notes of a room. */
  note,
  change,
  /** What the next file dialogs give back. */
  pick(paths: string[]): void {
    picked = paths;
  },
  drop(phase: 'enter' | 'over' | 'drop' | 'leave', paths: string[] = []): void {
    dropHandler?.({ phase, paths, position: { x: 10, y: 10 } });
  },
};

/** In `npm run dev` the world moves: people write, jobs go on. The address chooses what is shown. */
async function live(): Promise<void> {
  const asked = new URLSearchParams(location.search);
  for (const name of ['language', 'theme', 'pane']) {
    const value = asked.get(name);
    if (value) localStorage.setItem(`artel.${name}`, value);
  }
  if (asked.get('state') === 'first') Object.assign(world, { open: false, profiles: [] });
  if (asked.get('state') === 'back') world.open = false;
  if (asked.get('state') === 'empty') {
    Object.assign(world, { spaces: [], rooms: [], jobs: [], symbols: [], products: 0, backups: 0 });
  }
  if (asked.get('drop')) setTimeout(() => fake.drop('enter', []), 1200);
  const clicks = (asked.get('do') ?? '').split(',').filter(Boolean);
  for (const id of clicks) {
    await new Promise((done) => setTimeout(done, 350));
    const [testid = '', text] = id.split('=');
    const element = document.querySelector<HTMLElement>(`[data-testid="${testid}"]`);
    if (
      text !== undefined &&
      (element instanceof HTMLInputElement || element instanceof HTMLTextAreaElement)
    ) {
      element.value = text;
      element.dispatchEvent(new InputEvent('input', { bubbles: true }));
    } else element?.click();
  }
  if (asked.has('still')) return;
  setInterval(() => {
    for (const job of world.jobs) {
      if (job.state !== 'running') continue;
      const done = Math.min(job.total - job.failed, job.done + 3);
      const over = done + job.failed >= job.total;
      const state = over ? (job.failed > 0 ? 'done_in_part' : 'done') : 'running';
      change(job.job, {
        done,
        state,
        seconds: job.seconds + 0.5,
        remaining_s: over ? null : (job.total - done) / 6.4,
      });
    }
  }, 500);
  setInterval(() => {
    const who = data.members[1 + (world.theNext % 30)];
    if (!who) return;
    write('r1', {
      author: who.member,
      name: who.name,
      role: who.role,
      mine: false,
      delivered: 0,
      text: 'Done here as well.',
    });
  }, 15_000);
}

if (import.meta.env.MODE === 'fake') void live();
