/** Price series, the functions of the catalogue, and what is drawn. */
import { shell } from '$shell';

import type { FunctionInfo } from '../bindings/FunctionInfo';
import type { MarketFile } from '../bindings/MarketFile';
import type { SeriesInfo } from '../bindings/SeriesInfo';
import { Importing } from './importing.svelte';
import { Query } from './query.svelte';

export const series = new Query<SeriesInfo[]>(() => shell.call('market.list', {}));
export const functions = new Query<FunctionInfo[]>(() => shell.call('market.functions', {}));

/** A function on the chart, with its parameters in the order of the catalogue. */
export interface Drawn {
  name: string;
  values: number[];
}

const usual = (): Drawn[] => [
  { name: 'SMA', values: [50] },
  { name: 'RSI', values: [14] },
];

export const market = $state<{ symbol: string | undefined; drawn: Drawn[] }>({
  symbol: undefined,
  drawn: usual(),
});

/** Function and parameters on the wire, such as `MACD:12:26:9`. */
export function spell(drawn: Drawn): string {
  return [drawn.name, ...drawn.values].join(':');
}

export function chooseSymbol(symbol: string): void {
  market.symbol = symbol;
}

/** Price files that are imported. The first good one is shown. */
export const prices = new Importing<MarketFile>(
  async (paths, skip) => (await shell.call('market.import', { paths, map: [], skip_bad_rows: skip })).files,
  async (files) => {
    await series.reload();
    const good = files.find((file) => file.error === null && file.symbol !== null);
    const made = series.data?.find((one) => one.symbol === good?.symbol && one.interval === good?.interval);
    if (made) chooseSymbol(made.series);
  },
);

/** Forgets all, when the profile is locked. */
export function forgetMarket(): void {
  series.clear();
  functions.clear();
  prices.forget();
  Object.assign(market, { symbol: undefined, drawn: usual() });
}
