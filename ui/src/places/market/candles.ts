/** The chart itself: candles, volume and indicator lines, drawn by lightweight-charts. */
import {
  CandlestickSeries,
  CrosshairMode,
  HistogramSeries,
  LineSeries,
  LineStyle,
  createChart,
  type IChartApi,
  type ISeriesApi,
  type SeriesType,
  type UTCTimestamp,
} from 'lightweight-charts';

import type { Bars } from '../../bindings/Bars';
import type { Overlay } from '../../bindings/Overlay';
import { barTime, price } from '../../format';
import { captioned } from './picture';

/** What the legend says about the bar under the crosshair. */
export interface Reading {
  time: number;
  /** Whether a day has several bars. */
  intraday: boolean;
  open: number;
  high: number;
  low: number;
  close: number;
  volume: number;
  /** Values of the drawn functions by column. */
  lines: { column: string; value: number | undefined; colour: string }[];
}

/** Colours of the theme, as the canvas needs them. */
export interface Ink {
  text: string;
  ground: string;
  line: string;
  up: string;
  down: string;
  lines: string[];
}

/** Reads the colours in use from the page. */
export function inkOf(element: Element): Ink {
  const style = getComputedStyle(element);
  const of = (name: string): string => style.getPropertyValue(name).trim();
  return {
    text: of('--text-2'),
    ground: of('--surface'),
    line: of('--line'),
    up: of('--up'),
    down: of('--down'),
    lines: [1, 2, 3, 4, 5, 6].map((at) => of(`--line-${at}`)),
  };
}

const seconds = (at: number): UTCTimestamp => Math.round(at / 1000) as UTCTimestamp;

/** Shares of the height: of prices, and of each pane below. */
const [tall, low] = [300, 90];
/** Height of the axis of time in pixels, and the part of the prices' height that is free above them at least. */
const [timeAxis, least] = [28, 0.08];

/** How many bars before the oldest one more are asked for. */
const nearOldest = 20;

/** Whether a day has several of these bars; gaps, as over a night or a weekend, do not count. */
export function intraday(times: readonly number[]): boolean {
  return times.some((at, index) => index > 0 && at - (times[index - 1] ?? 0) < 86_400_000);
}

/** Digits after the point that prices of this size need. */
export function precision(prices: readonly number[]): number {
  const last = Math.abs(prices.at(-1) ?? 1);
  return last >= 10 ? 2 : last >= 0.1 ? 4 : 8;
}

export class Candles {
  readonly #chart: IChartApi;
  readonly #read: (reading: Reading | undefined) => void;
  #price: ISeriesApi<'Candlestick'>;
  #volume: ISeriesApi<'Histogram'>;
  #lines: { column: string; series: ISeriesApi<SeriesType>; values: Map<number, number>; colour: number }[] =
    [];
  #bars: Bars | undefined;
  #intraday = false;
  #index = new Map<number, number>();
  #ink: Ink;
  readonly #font: string;

  constructor(
    element: HTMLElement,
    ink: Ink,
    language: string,
    read: (reading: Reading | undefined) => void,
    /** Told when the view comes near the oldest bar. */
    oldest: () => void,
  ) {
    this.#ink = ink;
    this.#read = read;
    this.#font = getComputedStyle(element).fontFamily;
    this.#chart = createChart(element, {
      autoSize: true,
      layout: {
        attributionLogo: false,
        fontSize: 11,
        fontFamily: this.#font,
      },
      crosshair: { mode: CrosshairMode.Normal },
      localization: { locale: language, priceFormatter: price },
    });
    this.#price = this.#chart.addSeries(CandlestickSeries, {});
    this.#volume = this.#chart.addSeries(HistogramSeries, {
      priceScaleId: 'volume',
      priceFormat: { type: 'volume' },
      priceLineVisible: false,
      lastValueVisible: false,
    });
    this.#volume.priceScale().applyOptions({ scaleMargins: { top: 0.82, bottom: 0 } });
    this.leave(0, 0);
    this.#chart.subscribeCrosshairMove(({ time }) => {
      const at = typeof time === 'number' ? this.#index.get(time) : undefined;
      this.#read(this.reading(at ?? this.#newest()));
    });
    this.#chart.timeScale().subscribeVisibleLogicalRangeChange((range) => {
      if (range && range.from < nearOldest && this.#bars) oldest();
    });
    this.paint(ink);
  }

  #newest(): number {
    return (this.#bars?.time.length ?? 0) - 1;
  }

  /** Takes everything off, until there are other bars. */
  clear(): void {
    this.#bars = undefined;
    this.#index.clear();
    this.#price.setData([]);
    this.#volume.setData([]);
    this.setOverlays([]);
  }

  /** Puts bars on the chart; the view goes to the newest when the series is another. */
  setBars(bars: Bars): void {
    const changed = this.#bars?.symbol !== bars.symbol || this.#bars.interval !== bars.interval;
    this.#bars = bars;
    this.#intraday = intraday(bars.time);
    this.#chart.applyOptions({ timeScale: { timeVisible: this.#intraday } });
    this.#index = new Map(bars.time.map((at, index) => [seconds(at), index]));
    const digits = precision(bars.close);
    this.#price.applyOptions({ priceFormat: { type: 'price', precision: digits, minMove: 10 ** -digits } });
    this.#price.setData(
      bars.time.map((at, index) => ({
        time: seconds(at),
        open: bars.open[index] ?? 0,
        high: bars.high[index] ?? 0,
        low: bars.low[index] ?? 0,
        close: bars.close[index] ?? 0,
      })),
    );
    this.#paintVolume();
    this.#paintLast();
    if (changed) {
      const count = bars.time.length;
      this.#chart.timeScale().setVisibleLogicalRange({ from: Math.max(-2, count - 160), to: count + 4 });
    }
    this.#read(this.reading(this.#newest()));
  }

  #paintVolume(): void {
    const bars = this.#bars;
    if (!bars) return;
    this.#volume.setData(
      bars.time.map((at, index) => ({
        time: seconds(at),
        value: bars.volume[index] ?? 0,
        color: `${(bars.close[index] ?? 0) >= (bars.open[index] ?? 0) ? this.#ink.up : this.#ink.down}55`,
      })),
    );
  }

  /** The newest price in the colour of its candle's outline: a hollow one has the colour of the ground. */
  #paintLast(): void {
    const last = this.#newest();
    const rising = (this.#bars?.close[last] ?? 0) >= (this.#bars?.open[last] ?? 0);
    this.#price.applyOptions({ priceLineColor: rising ? this.#ink.up : this.#ink.down });
  }

  /** Draws functions: those that overlap on the prices, each other in a pane of its own. */
  setOverlays(overlays: readonly Overlay[]): void {
    for (const { series } of this.#lines) this.#chart.removeSeries(series);
    this.#lines = [];
    let pane = 0;
    let colour = 0;
    for (const overlay of overlays) {
      const where = overlay.overlap ? 0 : ++pane;
      for (const column of overlay.columns) {
        const points = column.time.map((at, index) => {
          const value = column.values[index];
          return value === null || value === undefined ? { time: seconds(at) } : { time: seconds(at), value };
        });
        const bars = /hist/i.test(column.name);
        const tone = this.#ink.lines[colour % this.#ink.lines.length] ?? this.#ink.text;
        const series = bars
          ? this.#chart.addSeries(HistogramSeries, { color: `${tone}99`, priceLineVisible: false }, where)
          : this.#chart.addSeries(
              LineSeries,
              {
                color: tone,
                lineWidth: 2,
                priceLineVisible: false,
                lastValueVisible: where > 0,
                crosshairMarkerRadius: 3,
              },
              where,
            );
        series.setData(points);
        // The axis has its highest number whole.
        if (where > 0) series.priceScale().applyOptions({ scaleMargins: { top: 0.18, bottom: 0.1 } });
        const values = new Map(
          column.time.flatMap((at, index) => {
            const value = column.values[index];
            return value === null || value === undefined ? [] : [[seconds(at) as number, value] as const];
          }),
        );
        this.#lines.push({ column: column.name, series, values, colour });
        colour += 1;
      }
    }
    const panes = this.#chart.panes();
    panes.forEach((one, at) => one.setStretchFactor(at === 0 ? tall : low));
    this.#read(this.reading(this.#newest()));
  }

  /** Leaves so many pixels free above the prices, of so many that the chart has; the legend lies there. */
  leave(pixels: number, of: number): void {
    const below = this.#chart.panes().length - 1;
    const height = ((of - timeAxis) * tall) / (tall + low * below);
    const top = height > 0 ? Math.min(0.35, Math.max(least, pixels / height)) : least;
    this.#price.priceScale().applyOptions({ scaleMargins: { top, bottom: 0.22 } });
  }

  /** The legend for a bar by its index. */
  reading(at: number): Reading | undefined {
    const bars = this.#bars;
    const time = bars?.time[at];
    if (!bars || time === undefined) return undefined;
    return {
      time,
      intraday: this.#intraday,
      open: bars.open[at] ?? 0,
      high: bars.high[at] ?? 0,
      low: bars.low[at] ?? 0,
      close: bars.close[at] ?? 0,
      volume: bars.volume[at] ?? 0,
      lines: this.#lines.map(({ column, values, colour }) => ({
        column,
        value: values.get(seconds(time)),
        colour: this.#ink.lines[colour % this.#ink.lines.length] ?? this.#ink.text,
      })),
    };
  }

  /** Takes the colours of the theme. Rising candles are hollow, so that colour is not the only sign. */
  paint(ink: Ink): void {
    this.#ink = ink;
    this.#chart.applyOptions({
      layout: {
        background: { color: ink.ground },
        textColor: ink.text,
        panes: { separatorColor: ink.line, separatorHoverColor: `${ink.text}33`, enableResize: true },
      },
      grid: {
        vertLines: { color: ink.line, style: LineStyle.SparseDotted },
        horzLines: { color: ink.line, style: LineStyle.SparseDotted },
      },
      rightPriceScale: { borderColor: ink.line },
      timeScale: { borderColor: ink.line, timeVisible: this.#intraday, rightOffset: 4 },
    });
    this.#price.applyOptions({
      upColor: ink.ground,
      borderUpColor: ink.up,
      wickUpColor: ink.up,
      downColor: ink.down,
      borderDownColor: ink.down,
      wickDownColor: ink.down,
    });
    this.#paintVolume();
    this.#paintLast();
    for (const line of this.#lines) {
      const tone = ink.lines[line.colour % ink.lines.length] ?? ink.text;
      line.series.applyOptions({ color: tone });
    }
  }

  /** Moves the view by bars, or nearer and farther. */
  move(bars: number): void {
    const scale = this.#chart.timeScale();
    scale.scrollToPosition(scale.scrollPosition() + bars, false);
  }

  zoom(factor: number): void {
    const scale = this.#chart.timeScale();
    const range = scale.getVisibleLogicalRange();
    if (!range) return;
    const half = ((range.to - range.from) * factor) / 2;
    const middle = (range.to + range.from) / 2;
    scale.setVisibleLogicalRange({ from: middle - half, to: middle + half });
  }

  /** What is in view as a PNG, below what it is. */
  picture(title: string): Promise<Blob> {
    const bars = this.#bars;
    const range = this.#chart.timeScale().getVisibleLogicalRange();
    const last = this.#newest();
    const within = (at: number): string =>
      barTime(bars?.time[Math.min(last, Math.max(0, Math.round(at)))] ?? 0, this.#intraday);
    const days = range && bars ? `${within(range.from)} – ${within(range.to)}` : '';
    const words = [
      { text: title, colour: this.#ink.text },
      { text: days, colour: this.#ink.text },
      ...(this.reading(last)?.lines ?? []).map(({ column, colour }) => ({ text: column, colour })),
    ];
    const shot = this.#chart.takeScreenshot(true);
    return captioned(shot, words, this.#ink, this.#font, window.devicePixelRatio || 1);
  }

  /** All bars at once. */
  fit(): void {
    this.#chart.timeScale().fitContent();
  }

  stop(): void {
    this.#chart.remove();
  }
}
