/** What the chart draws, as a table. */
import type { Bars } from '../../bindings/Bars';
import type { Overlay } from '../../bindings/Overlay';

/** Bars and drawn functions as CSV: a row a bar, times in UTC, numbers in full, empty where undefined. */
export function csvOf(bars: Bars, overlays: readonly Overlay[]): string {
  const columns = overlays
    .flatMap((overlay) => overlay.columns)
    .map(({ name, time, values }) => ({ name, at: new Map(time.map((when, row) => [when, values[row]])) }));
  const head = ['time', 'open', 'high', 'low', 'close', 'volume', ...columns.map(({ name }) => name)];
  const rows = bars.time.map((when, row) => [
    new Date(when).toISOString().replace('.000Z', 'Z'),
    ...[bars.open, bars.high, bars.low, bars.close, bars.volume].map((values) => values[row]),
    ...columns.map(({ at }) => at.get(when)),
  ]);
  return [head, ...rows].map((row) => `${row.map(cell).join(',')}\n`).join('');
}

function cell(value: string | number | null | undefined): string {
  const text = value === null || value === undefined ? '' : String(value);
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
