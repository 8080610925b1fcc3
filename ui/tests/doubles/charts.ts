/** Remembers what was drawn, for a page without a canvas. */
export const CandlestickSeries = 'candles';
export const HistogramSeries = 'histogram';
export const LineSeries = 'line';
export const CrosshairMode = { Normal: 0 };
export const LineStyle = { SparseDotted: 4 };

interface Drawn {
  kind: string;
  pane: number;
  data: { time: number; value?: number }[];
}

export const drawn: Drawn[] = [];
type Move = (event: { time?: number }) => void;
export const crosshair: { move: Move } = { move: () => undefined };
type Seen = (range: { from: number; to: number }) => void;
export const view: { seen: Seen } = { seen: () => undefined };

/** Views that were set, and the newest options of the time axis. */
export const views: { from: number; to: number }[] = [];
export const axis: Record<string, unknown> = {};

interface Margins {
  top: number;
  bottom: number;
}
/** What is left free above and below a series. */
export const margins = new Map<Drawn, Margins>();

/** The drawing that a screenshot gives. */
export const shot = Object.assign(document.createElement('canvas'), { width: 600, height: 400 });

export function createChart() {
  drawn.length = 0;
  margins.clear();
  views.length = 0;
  const timeScale = {
    setVisibleLogicalRange: (range: { from: number; to: number }) => void views.push(range),
    getVisibleLogicalRange: () => ({ from: 0, to: 100 }),
    scrollToPosition: () => undefined,
    scrollPosition: () => 0,
    fitContent: () => undefined,
    subscribeVisibleLogicalRangeChange(seen: Seen) {
      view.seen = seen;
    },
  };
  return {
    addSeries(kind: string, _options: unknown, pane = 0) {
      const series: Drawn = { kind, pane, data: [] };
      drawn.push(series);
      return {
        series,
        setData: (data: Drawn['data']) => {
          series.data = data;
        },
        applyOptions: () => undefined,
        priceScale: () => ({
          applyOptions: ({ scaleMargins }: { scaleMargins: Margins }) =>
            void margins.set(series, scaleMargins),
        }),
      };
    },
    removeSeries({ series }: { series: Drawn }) {
      drawn.splice(drawn.indexOf(series), 1);
    },
    subscribeCrosshairMove(move: Move) {
      crosshair.move = move;
    },
    panes: () =>
      Array.from({ length: 1 + Math.max(0, ...drawn.map(({ pane }) => pane)) }, () => ({
        setStretchFactor: () => undefined,
      })),
    timeScale: () => timeScale,
    takeScreenshot: () => shot,
    applyOptions: ({ timeScale: options }: { timeScale?: Record<string, unknown> }) =>
      void Object.assign(axis, options),
    remove: () => undefined,
  };
}
