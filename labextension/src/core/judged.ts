// Plotly figures of one class at a threshold as plain data; the point of the threshold is the last trace.
import { PALETTE } from './figures.ts';
import type { Figure, Trace } from './figures.ts';
import type { At, Band, Bins, Line, Operating } from './operating.ts';

const QUIET = '#808080';
const rate = (text: string): Record<string, unknown> => ({ title: { text }, range: [-0.02, 1.02], zeroline: false });

function guide(x: number[], y: number[]): Trace {
  return { type: 'scatter', mode: 'lines', x, y, hoverinfo: 'skip', showlegend: false, line: { color: QUIET, width: 1.2, dash: 'dash' } };
}

function band(found: Band | null): Trace[] {
  if (!found) return [];
  const edge = { type: 'scatter', mode: 'lines', x: found.x, hoverinfo: 'skip', showlegend: false, line: { width: 0, color: PALETTE[0] } };
  return [{ ...edge, y: found.low }, { ...edge, y: found.high, fill: 'tonexty', fillcolor: 'rgba(0,114,178,0.18)' }];
}

function point(x: number | null, y: number | null, hover: string): Trace {
  return { type: 'scatter', mode: 'markers', x: [x], y: [y], showlegend: false, marker: { size: 13, color: PALETTE[1], symbol: 'diamond', line: { width: 1.5, color: '#ffffff' } }, hovertemplate: `${hover}<extra></extra>` };
}

function curve({ x, y }: Line, hover: string): Trace {
  return { type: 'scatter', mode: 'lines', x, y, showlegend: false, line: { color: PALETTE[0], width: 2 }, hovertemplate: `${hover}<extra></extra>` };
}

const layout = (x: string, y: string): Record<string, unknown> => ({ xaxis: rate(x), yaxis: rate(y), margin: { t: 8, r: 12, b: 44, l: 52 } });

export function rocFigure(one: Operating, at: At): Figure {
  const [x, y] = [at.specificity.value === null ? null : 1 - at.specificity.value, at.recall.value];
  const hover = 'false positive rate %{x:.3f}<br>true positive rate %{y:.3f}';
  return { data: [guide([0, 1], [0, 1]), ...band(one.bands.roc), curve(one.roc(), hover), point(x, y, hover)], layout: layout('false positive rate', 'true positive rate') };
}

export function prFigure(one: Operating, at: At): Figure {
  const hover = 'recall %{x:.3f}<br>precision %{y:.3f}';
  return { data: [...band(one.bands.pr), curve(one.pr(), hover), point(at.recall.value, at.precision.value, hover)], layout: layout('recall', 'precision') };
}

const ends = (y: (number | null)[], low: (number | null)[] | null, high: (number | null)[] | null, color: string | undefined): Record<string, unknown> => ({
  type: 'data', symmetric: false, color, thickness: 1.4, width: 4,
  array: y.map((v, i) => (v === null || high?.[i] == null ? 0 : Math.max(0, high[i] - v))),
  arrayminus: y.map((v, i) => (v === null || low?.[i] == null ? 0 : Math.max(0, v - low[i]))),
});

/** Bins with their intervals, where the threshold cuts them, and both groups that it makes. */
export function calibrationFigure(bins: Bins | null, at: At): Figure {
  const data: Trace[] = [guide([0, 1], [0, 1]), { ...guide([at.threshold, at.threshold], [-0.02, 1.02]), line: { color: PALETTE[1], width: 1.4, dash: 'dot' } }];
  if (bins) {
    data.push({
      type: 'scatter', mode: 'lines+markers', x: bins.predicted, y: bins.observed, showlegend: false, line: { color: PALETTE[0], width: 1.5 }, marker: { size: 7, color: PALETTE[0] },
      error_y: ends(bins.observed, bins.low, bins.high, PALETTE[0]),
      text: bins.n.map(n => (n === null ? '' : `${n.toLocaleString('en-US')} rows`)), hovertemplate: 'predicted %{x:.3f}<br>observed %{y:.3f}<br>%{text}<extra></extra>',
    });
  }
  const groups = [at.rest, at.said];
  const y = groups.map(g => g.value);
  data.push({
    ...point(null, null, 'group: predicted %{x:.3f}<br>observed %{y:.3f}'),
    x: groups.map(g => g.mean), y, error_y: ends(y, groups.map(g => g.low), groups.map(g => g.high), PALETTE[1]),
  });
  return { data, layout: layout('predicted probability', 'observed share') };
}
