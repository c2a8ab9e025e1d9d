// Plotly figures of the dashboard as plain data. Every name passes plotlyText; colours are Okabe and Ito's.
import { MISSING, number, plotlyText } from './format.ts';
import { inOrder } from './order.ts';
import type { Table } from './table.ts';

export type Trace = Record<string, unknown>;

export interface Figure {
  data: Trace[];
  layout: Record<string, unknown>;
}

/** Told apart by people with any colour vision; yellow comes last because it is faint on white. */
export const PALETTE = ['#0072B2', '#D55E00', '#009E73', '#CC79A7', '#E69F00', '#56B4E9', '#8C6D31', '#F0E442'];
/** Runs of one kind that are still drawn with their intervals. */
const BARS = 150;
const DASHES = ['solid', 'dash', 'dot', 'dashdot'];

/** The part of a column's name that people gave. */
export function label(name: string): string {
  return name.replace(/^(params|metrics)\./u, '');
}

/** Metric against step, one line for each run, in the order of `rows`. */
export function curves(series: Table, runs: Table, rows: readonly number[], metric: string): Figure {
  const ids = series.column('run_id');
  const points = new Map<string, { x: number[]; y: (number | null)[] }>();
  for (let i = 0; i < series.rows; i++) {
    const id = String(ids?.get(i));
    let line = points.get(id);
    if (!line) points.set(id, (line = { x: [], y: [] }));
    line.x.push(series.column('step')?.number(i) ?? 0);
    line.y.push(series.column('value')?.number(i) ?? null);
  }
  const data: Trace[] = [];
  rows.forEach((row, i) => {
    const line = points.get(runs.text('run_id', row));
    if (!line) return;
    const name = plotlyText(runs.text('name', row) || runs.text('run_id', row), 40);
    data.push({
      type: 'scatter',
      mode: line.x.length < 40 ? 'lines+markers' : 'lines',
      name,
      x: line.x,
      y: line.y,
      line: { width: 2, color: PALETTE[i % PALETTE.length], dash: DASHES[Math.floor(i / PALETTE.length) % DASHES.length] },
      marker: { size: 5 },
      // By reference: a name may look like a placeholder itself.
      hovertemplate: '%{fullData.name}<br>step %{x}: %{y:.5g}<extra></extra>',
    });
  });
  return {
    data,
    layout: { xaxis: { title: { text: 'step' } }, yaxis: { title: { text: plotlyText(label(metric)) } }, hovermode: 'closest' },
  };
}

/** One value for each run with its interval, from the top down in the order of `rows`; the baseline is a diamond. */
export function estimates(table: Table, rows: readonly number[], metric: string): Figure {
  const values = table.column(metric);
  const known = rows.filter(row => typeof values?.number(row) === 'number');
  const bars = known.map(row => table.interval(metric, row));
  const baseline = known.map(row => table.column('baseline')?.get(row) === true);
  const names = known.map(row => plotlyText(table.text('name', row) || table.text('run_id', row), 40));
  return {
    data: known.length === 0 ? [] : [
      {
        type: 'scatter',
        mode: 'markers',
        x: known.map(row => values!.number(row)),
        y: known.map((_, i) => i),
        error_x: {
          type: 'data',
          symmetric: false,
          array: known.map((row, i) => (bars[i] ? bars[i][1] - values!.number(row)! : 0)),
          arrayminus: known.map((row, i) => (bars[i] ? values!.number(row)! - bars[i][0] : 0)),
          color: PALETTE[0],
          thickness: 1.6,
          width: 4,
        },
        marker: { size: 9, color: baseline.map(b => (b ? PALETTE[1] : PALETTE[0])), symbol: baseline.map(b => (b ? 'diamond' : 'circle')) },
        text: names,
        hovertemplate: '%{text}: %{x:.5g}<extra></extra>',
      },
    ],
    layout: {
      xaxis: { title: { text: plotlyText(label(metric)) }, zeroline: false },
      yaxis: { tickvals: known.map((_, i) => i), ticktext: names, range: [known.length - 0.5, -0.5], zeroline: false, automargin: true },
      showlegend: false,
    },
  };
}

/** One point for each run, with its interval where it is known; chosen runs stand out by shape and colour. */
export function scatter(table: Table, rows: ArrayLike<number>, x: string, y: string, chosen: ReadonlySet<number>): Figure {
  const xs = table.column(x);
  const ys = table.column(y);
  // Texts get a place on the axis, and runs that share one stand a little beside each other.
  const levels = xs && xs.kind !== 'number' && xs.kind !== 'time' ? inOrder(new Set(Array.from(rows, row => String(xs.get(row) ?? '')).filter(Boolean))) : null;
  const place = new Map(levels?.map((text, i) => [text, i]));
  const known = xs?.kind === 'number' ? Array.from(rows, row => xs.number(row)).filter(v => v !== null) : [];
  const low = known.reduce((a, b) => Math.min(a, b), Infinity);
  const wide = low > 0 && known.reduce((a, b) => Math.max(a, b), 0) / low >= 50;
  const parts: { name: string; rows: number[]; color: string; symbol: string; size: number }[] = [
    { name: 'runs', rows: [], color: PALETTE[0]!, symbol: 'circle', size: 8 },
    { name: 'selected', rows: [], color: PALETTE[1]!, symbol: 'diamond', size: 12 },
  ];
  for (const row of Array.from(rows)) {
    if (ys?.number(row) !== null && xs?.get(row) !== null) parts[chosen.has(row) ? 1 : 0]!.rows.push(row);
  }
  const data = parts
    .filter(p => p.rows.length > 0)
    .map(p => {
      const bars = p.rows.map(row => table.interval(y, row));
      return {
        type: 'scatter',
        mode: 'markers',
        name: p.name,
        x: p.rows.map(row => {
          const value = xs?.get(row) ?? null;
          if (levels) return (place.get(String(value)) ?? 0) + (((row * 0.618034) % 1) - 0.5) * 0.4;
          return xs?.kind === 'time' ? new Date(value as number).toISOString() : value;
        }),
        y: p.rows.map(row => ys?.number(row) ?? null),
        error_y: {
          type: 'data',
          symmetric: false,
          array: p.rows.map((row, i) => (bars[i] ? bars[i][1] - ys!.number(row)! : 0)),
          arrayminus: p.rows.map((row, i) => (bars[i] ? ys!.number(row)! - bars[i][0] : 0)),
          thickness: 1,
          width: 3,
          // Hundreds of bars hide the points they belong to.
          visible: p.rows.length <= BARS && bars.some(b => b !== null),
        },
        marker: { size: p.size, color: p.color, symbol: p.symbol, opacity: 0.85 },
        text: p.rows.map(row => `${plotlyText(table.text('name', row), 40)}<br>${levels ? plotlyText(table.text(x, row), 40) : ''}`),
        hovertemplate: levels ? '%{text}: %{y:.5g}<extra></extra>' : '%{text}%{x}: %{y:.5g}<extra></extra>',
        customdata: p.rows,
      };
    });
  const ticks = levels ? { tickvals: levels.map((_, i) => i), ticktext: levels.map(t => plotlyText(t, 24)), zeroline: false } : {};
  return {
    data,
    layout: {
      xaxis: { title: { text: plotlyText(x === 'started_at' ? 'started' : label(x)) }, type: wide ? 'log' : undefined, ...ticks },
      yaxis: { title: { text: plotlyText(label(y)) } },
      hovermode: 'closest',
      showlegend: parts.every(p => p.rows.length > 0),
    },
  };
}

/** One axis for each name, one line for each run, coloured by the last axis. */
export function parallel(table: Table, rows: ArrayLike<number>, axes: readonly string[]): Figure {
  const chosen = Array.from(rows);
  const dimensions = axes.flatMap(name => {
    const column = table.column(name);
    if (!column) return [];
    const title = plotlyText(label(name), 22);
    if (column.kind === 'number') {
      const known = chosen.map(row => column.number(row)).filter(v => v !== null);
      if (known.length === 0) return [];
      const [low, high] = [known.reduce((a, b) => Math.min(a, b)), known.reduce((a, b) => Math.max(a, b))];
      // A missing value has its own place, under the axis.
      const gap = (high - low || Math.abs(high) || 1) * 0.12;
      const missing = known.length < chosen.length;
      const ticks = [0, 0.25, 0.5, 0.75, 1].map(t => low + t * (high - low));
      return [
        {
          label: title,
          values: chosen.map(row => column.number(row) ?? low - gap),
          range: [missing ? low - gap : low, high === low ? low + gap : high],
          tickvals: missing ? [low - gap, ...ticks] : ticks,
          ticktext: [...(missing ? [MISSING] : []), ...ticks.map(number)],
        },
      ];
    }
    const texts = chosen.map(row => String(column.get(row) ?? MISSING));
    const levels = inOrder(new Set(texts));
    const place = new Map(levels.map((t, i) => [t, i]));
    return [{ label: title, values: texts.map(t => place.get(t)!), tickvals: levels.map((_, i) => i), ticktext: levels.map(t => plotlyText(t, 18)) }];
  });
  const last = dimensions.at(-1);
  return {
    data: [
      {
        type: 'parcoords',
        dimensions,
        line: {
          color: last?.values ?? [],
          // Blue to gold over grey: told apart by all, and seen on white and on black.
          colorscale: [[0, '#2f7fd1'], [0.5, '#9d9d9d'], [1, '#f2a900']],
          showscale: false,
        },
        labelangle: 0,
      },
    ],
    layout: { margin: { t: 56, l: 70, r: 70, b: 24 } },
  };
}
