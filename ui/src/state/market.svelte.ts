/** Price series, the functions of the catalogue, and what is drawn. */
import { shell } from '$shell';

import type { FunctionInfo } from '../bindings/FunctionInfo';
import type { SeriesInfo } from '../bindings/SeriesInfo';
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

/** Forgets all, when the profile is locked. */
export function forgetMarket(): void {
  series.clear();
  functions.clear();
  Object.assign(market, { symbol: undefined, drawn: usual() });
}
