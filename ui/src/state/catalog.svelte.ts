/** Product tables that are imported, and what was looked for and chosen among the products. */
import { shell } from '$shell';

import type { CatalogFile } from '../bindings/CatalogFile';
import { Importing } from './importing.svelte';

interface Look {
  brand: string | undefined;
  product: string | undefined;
  search: string;
}

const nothing = (): Look => ({ brand: undefined, product: undefined, search: '' });

export const catalog = $state<Look>(nothing());

export const tables = new Importing<CatalogFile>(
  async (paths) => (await shell.call('catalog.import', { paths, map: [] })).files,
);

/** Shows the products of one brand, or all. */
export function chooseBrand(brand: string | undefined): void {
  if (brand !== catalog.brand) catalog.search = '';
  catalog.brand = brand;
}

/** Forgets all, when the profile is locked. */
export function forgetCatalog(): void {
  tables.forget();
  Object.assign(catalog, nothing());
}
