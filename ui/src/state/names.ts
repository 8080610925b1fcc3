import { t } from '../i18n/index.svelte';

/** What the core calls a member whose name was erased. */
const erased = '(erased)';

/** A member's name as it is shown; of one who was erased, words in its place. */
export function nameOf(name: string): string {
  return isErased(name) ? t('people.erased') : name;
}

/** Whether nothing is left of a name. */
export function isErased(name: string): boolean {
  return name === '' || name === erased;
}
