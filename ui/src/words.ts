/** Words in the language in use for what the core says in English: titles made of codes, backends, sizes. */
import { count, language, maybe, t } from './i18n/index.svelte';

/** Names of a title, of which the core says the first ones: `A, B, C and 5 more`. */
function names(list: string): string {
  const [, said, more] = /^(.+, .+, .+) and (\d+) more$/s.exec(list) ?? [];
  return said === undefined ? list : t('title.more', { list: said, more: Number(more) });
}

/** What a job or a shared result is called; words of people stay as they are. */
export function titleOf(kind: string, title: string): string {
  const [, head, tail] = /^([^:]+): (.+)$/s.exec(title) ?? [];
  if (head === undefined || tail === undefined) return title;
  if (kind === 'images') {
    const recipe = maybe(`recipe.${head}`);
    return recipe === undefined ? title : t('title.of', { what: recipe, list: names(tail) });
  }
  if (kind === 'indicators' && head === 'Indicators') {
    return t('title.of', { what: t('market.indicators'), list: names(tail) });
  }
  if (kind === 'catalog' && head === 'Rich Content') {
    // A brand, which may have commas, then the preset and the template.
    const parts = tail.split(', ');
    const preset = maybe(`preset.${parts.at(-2)}`);
    if (preset === undefined) return title;
    const list = [...parts.slice(0, -2), preset].join(t('common.comma'));
    return t('title.of', { what: t('title.documents'), list });
  }
  return title;
}

/** Where something was computed; a graphics card keeps its name. */
export function backendOf(backend: string): string {
  return backend.replace(
    /(^|, )(cpu|gpu)(?=$|[,:])/g,
    (_, before: string, code: string) => before + (maybe(`backend.${code}`) ?? code),
  );
}

/** A number or a size as it is written in the language in use; anything else as it is. */
export function valueOf(value: string): string {
  const [, digits, part = '', unit] = /^(\d+)(\.\d+)?(?: ([KMG]iB))?$/.exec(value) ?? [];
  if (digits === undefined) return value;
  const places = Math.max(0, part.length - 1);
  const number = count(Number(digits + part), language(), places, places);
  return unit === undefined ? number : (maybe(`unit.${unit}`, { value: number }) ?? value);
}

/** What a setting may be: the core says `2 to 600 s`, or `on or off`. */
export function rangeOf(allowed: string): string {
  const [, from, to] = /^(\d+) to (\d+)\b/.exec(allowed) ?? [];
  if (from === undefined || to === undefined) return t('settings.switch');
  return t('settings.range', { from: count(Number(from)), to: count(Number(to)) });
}

/** The value of a fact about a result. */
export function factOf(name: string, value: string): string {
  return name === 'backend' ? backendOf(value) : valueOf(value);
}
