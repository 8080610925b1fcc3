import { maybe, t } from '../../i18n/index.svelte';

/** Terms of a comparison by their names, as a list. */
export function terms(codes: readonly string[]): string {
  return codes.map((term) => maybe(`term.${term}`) ?? term).join(t('common.comma'));
}
