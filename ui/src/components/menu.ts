/** Moves among the rows of a menu by arrows, Home and End; whether the key was one of these. */
export function walk(menu: HTMLElement | undefined, event: KeyboardEvent): boolean {
  const rows = [...(menu?.querySelectorAll<HTMLElement>('[role="menuitem"]') ?? [])];
  const at = rows.findIndex((row) => row === document.activeElement);
  const to: Record<string, number> = {
    ArrowDown: (at + 1) % rows.length,
    ArrowUp: (at - 1 + rows.length) % rows.length,
    Home: 0,
    End: rows.length - 1,
  };
  const next = to[event.key];
  if (next === undefined) return false;
  event.preventDefault();
  rows[next]?.focus();
  return true;
}
