/** Who may do what to whom. The core decides; the page only leaves out what it would refuse. */
export const roles = ['owner', 'teacher', 'student', 'observer'] as const;
export type Role = (typeof roles)[number];

const staff: readonly string[] = ['owner', 'teacher'];

/** Whether a role may make rooms, begin notes and invite. */
export function mayLead(mine: string): boolean {
  return staff.includes(mine);
}

/** Whether a role may change, remove or invite those of another. */
export function mayChange(mine: string, theirs: string): boolean {
  return mine === 'owner' || (mine === 'teacher' && !staff.includes(theirs));
}

/** Whether a role may write, to all or to one. */
export function mayWrite(mine: string): boolean {
  return mine !== '' && mine !== 'observer';
}

/** Whether a role may delete what others wrote. */
export function mayDeleteOthers(role: string): boolean {
  return staff.includes(role);
}

/** The roles that someone may invite into, the usual one first. Nobody is invited as an owner. */
export function invitable(mine: string): Role[] {
  const asked: Role[] = ['student', 'teacher', 'observer'];
  return asked.filter((role) => mayChange(mine, role));
}

/** Whether those of a role are invited one at a time, and each let in by hand. */
export function invitedAlone(role: Role): boolean {
  return staff.includes(role);
}

/** The roles that someone may be given, besides the one they have. */
export function rolesFor(mine: string, theirs: string): Role[] {
  if (!mayChange(mine, theirs)) return [];
  return roles.filter((role) => role !== theirs && mayChange(mine, role));
}

/** Where a role stands, the highest first. */
export function rank(role: string): number {
  const at = roles.findIndex((known) => known === role);
  return at < 0 ? roles.length : at;
}
