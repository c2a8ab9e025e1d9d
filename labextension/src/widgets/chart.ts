// A Plotly figure in the colours of the page, drawn when it is first seen and again when its size or the theme changes.
import { loadAsset } from '../core/assets.ts';
import type { Figure } from '../core/figures.ts';
import type { Connector } from '../core/protocol.ts';
import { Unreadable, safeFigure } from '../core/safe.ts';
import { spoken } from '../core/spoken.ts';
import { h } from './dom.ts';

interface Plotly {
  react(el: HTMLElement, data: unknown, layout: unknown, config: unknown): Promise<unknown>;
  purge(el: HTMLElement): void;
  Plots: { resize(el: HTMLElement): void };
}

const CONFIG = {
  displaylogo: false,
  responsive: false,
  showSendToCloud: false,
  plotlyServerURL: '',
  // A name with dollar signs is a name, also on a page that has MathJax.
  typesetMath: false,
  // The chart stays on this machine: nothing that sends it away.
  modeBarButtonsToRemove: ['sendChartToCloud', 'lasso2d', 'select2d', 'autoScale2d', 'toggleSpikelines'],
};

function merge(base: Record<string, unknown>, over: Record<string, unknown>): Record<string, unknown> {
  const out = { ...base };
  for (const [key, value] of Object.entries(over)) {
    const old = out[key];
    const both = [old, value].every(v => typeof v === 'object' && v !== null && !Array.isArray(v));
    out[key] = both ? merge(old as Record<string, unknown>, value as Record<string, unknown>) : value;
  }
  return out;
}

/** Dark colours of the palette have lighter twins for dark pages, of the same hue. */
const ON_DARK = new Map([['#0072B2', '#56B4E9'], ['#56B4E9', '#B3DDF7'], ['#8C6D31', '#C9A55B'], ['#D55E00', '#F08A3C'], ['#009E73', '#2FC79A']]);

function recolour(value: unknown, dark: boolean): unknown {
  if (!dark) return value;
  if (typeof value === 'string') return ON_DARK.get(value) ?? value;
  if (Array.isArray(value)) return typeof value[0] === 'number' ? value : value.map(v => recolour(v, dark));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([k, v]) => [k, recolour(v, dark)]));
}

/** The values of a figure as a table, for those who do not see it. */
function valuesOf(figure: Figure): HTMLElement | null {
  const found = spoken(figure);
  if (found === null) return null;
  const more = found.left > 0 ? `; the first ${found.rows.length} of ${found.rows.length + found.left}` : '';
  return h('table', {}, h('caption', {}, `Values of the figure${more}`),
    h('thead', {}, h('tr', {}, ...found.heads.map(head => h('th', { scope: 'col' }, head)))),
    h('tbody', {}, ...found.rows.map(row => h('tr', {}, ...row.map((cell, i) => h(i === 0 ? 'th' : 'td', i === 0 ? { scope: 'row' } : {}, cell))))));
}

function isDark(el: HTMLElement): boolean {
  const [r = 0, g = 0, b = 0] = (getComputedStyle(el).color.match(/[\d.]+/gu) ?? []).map(Number);
  return 0.3 * r + 0.6 * g + 0.1 * b > 140;
}

/** A plot as Plotly leaves it: an element that also tells what a person does with it. */
interface Plot extends HTMLElement {
  on?(event: 'plotly_relayout', heard: (change: Record<string, unknown>) => void): void;
}

export class Chart {
  readonly el: HTMLElement;
  #revision = '';
  #zoomed: ((range: readonly [number, number] | null) => void) | null = null;
  #plot = h('div', { class: 'ml-plot' });
  #message = h('p', { class: 'ml-quiet', role: 'status' });
  #values = h('div', { class: 'ml-sr' });
  #connector: Connector;
  #height: number;
  #figure: Figure | null = null;
  #plotly: Plotly | null = null;
  #width = 0;
  #size: ResizeObserver;
  #theme: MutationObserver;
  #scheme = matchMedia('(prefers-color-scheme: dark)');
  #settled: ReturnType<typeof setTimeout> | null = null;
  #again = (): void => {
    // A theme is named before its colours have arrived: draw when they have.
    void this.#draw();
    if (this.#settled !== null) clearTimeout(this.#settled);
    this.#settled = setTimeout(() => void this.#draw(), 400);
  };

  constructor(connector: Connector, describe: string, height = 340) {
    this.#connector = connector;
    this.#height = height;
    this.el = h('div', { class: 'ml-chart', role: 'figure', 'aria-label': describe }, this.#message, this.#plot, this.#values);
    this.#plot.style.minHeight = `${height}px`;
    this.#size = new ResizeObserver(() => this.#resized());
    this.#size.observe(this.el);
    this.#theme = new MutationObserver(this.#again);
    this.#theme.observe(document.body, { attributes: true, attributeFilter: ['data-jp-theme-name', 'data-jp-theme-light', 'class'] });
    this.#scheme.addEventListener('change', this.#again);
  }

  /** Call back with the ends of the x axis that somebody zoomed to, null for all of it. */
  onZoom(zoomed: (range: readonly [number, number] | null) => void): void {
    this.#zoomed = zoomed;
  }

  /** Show a figure, or the sentence that says why there is none; a zoom stays while the figure is of the same `topic`. */
  show(figure: unknown, message = '', topic = ''): void {
    this.#figure = null;
    this.#revision = topic;
    let told = message;
    try {
      // The one door to Plotly: whoever made the figure, only what we know goes through.
      if (figure !== null) this.#figure = safeFigure(figure);
    } catch (error) {
      if (!(error instanceof Unreadable)) throw error;
      told = error.message;
    }
    this.#message.textContent = told;
    this.#message.hidden = told === '';
    this.#plot.hidden = this.#figure === null;
    this.#values.replaceChildren(this.#figure === null ? '' : (valuesOf(this.#figure) ?? ''));
    void this.#draw();
  }

  describe(text: string): void {
    this.el.setAttribute('aria-label', text);
  }

  dispose(): void {
    this.#size.disconnect();
    this.#theme.disconnect();
    this.#scheme.removeEventListener('change', this.#again);
    if (this.#settled !== null) clearTimeout(this.#settled);
    this.#plotly?.purge(this.#plot);
    this.#figure = null;
  }

  #resized(): void {
    const width = this.el.clientWidth;
    if (width === this.#width) return;
    const first = this.#width === 0;
    this.#width = width;
    if (width === 0) return;
    if (first) void this.#draw();
    else if (this.#figure && this.#plotly && this.#plot.classList.contains('js-plotly-plot')) this.#plotly.Plots.resize(this.#plot);
  }

  async #draw(): Promise<void> {
    // Nothing is drawn, and no Plotly is fetched, before the chart is on the screen.
    if (!this.#figure || this.el.clientWidth === 0) return;
    try {
      this.#plotly ??= (
        await loadAsset<{ default: Plotly }>(
          'plotly',
          __PLOTLY__,
          this.#connector.live
            ? async () => (await this.#connector.call('asset', { name: 'plotly', hash: __PLOTLY__ })).buffers[0]!
            : undefined,
        )
      ).default;
      if (!this.#figure) return;
      const first = !this.#plot.classList.contains('js-plotly-plot');
      await this.#plotly.react(this.#plot, recolour(this.#figure.data, isDark(this.el)), this.#layout(this.#figure.layout), CONFIG);
      // Of a drawing screen readers say single letters; the values are in the table. Plotly's buttons stay theirs.
      for (const drawing of this.#plot.querySelectorAll('svg.main-svg')) drawing.setAttribute('aria-hidden', 'true');
      if (first) (this.#plot as Plot).on?.('plotly_relayout', change => this.#heard(change));
    } catch (error) {
      this.#plot.hidden = true;
      this.#message.hidden = false;
      this.#message.textContent = `The chart could not be drawn: ${error instanceof Error ? error.message : String(error)}`;
    }
  }

  #heard(change: Record<string, unknown>): void {
    const [low, high] = [change['xaxis.range[0]'], change['xaxis.range[1]']];
    if (typeof low === 'number' && typeof high === 'number') this.#zoomed?.([low, high]);
    else if (change['xaxis.autorange'] === true) this.#zoomed?.(null);
  }

  #layout(own: Record<string, unknown>): Record<string, unknown> {
    const style = getComputedStyle(this.el);
    const grid = style.getPropertyValue('--ml-line').trim() || '#e0e0e0';
    const paper = style.getPropertyValue('--ml-paper').trim() || '#fff';
    const axis = { gridcolor: grid, linecolor: grid, zerolinecolor: grid, automargin: true, title: { font: { size: 12 } } };
    const base = {
      height: this.#height,
      autosize: true,
      // Without a topic each figure stands for itself.
      uirevision: this.#revision || undefined,
      margin: { t: 24, r: 16, b: 44, l: 56 },
      paper_bgcolor: paper,
      plot_bgcolor: 'rgba(0,0,0,0)',
      font: { family: style.fontFamily, size: 12, color: style.color },
      xaxis: axis,
      yaxis: axis,
      legend: { bgcolor: 'rgba(0,0,0,0)', font: { size: 11 } },
      hoverlabel: { font: { family: style.fontFamily, size: 12 }, align: 'left' },
      modebar: { bgcolor: 'rgba(0,0,0,0)', color: grid, activecolor: style.color },
    };
    return merge(base, own);
  }
}
