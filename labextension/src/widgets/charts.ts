// What the numbers of the runs look like: curves, a param against a metric, parallel coordinates.
import * as figures from '../core/figures.ts';
import * as format from '../core/format.ts';
import type { Answer, Connector, JsonObject } from '../core/protocol.ts';
import { isObject } from '../core/protocol.ts';
import { own } from '../core/safe.ts';
import { readTable } from '../core/table.ts';
import type { Table } from '../core/table.ts';
import { Chart } from './chart.ts';
import { choices, h, say } from './dom.ts';
import type { Look, Tab } from './look.ts';
import { Tabs } from './tabs.ts';

const LINES = 10;
const DOTS = 2000;
const THREADS = 3000;
const POINTS = 1000;
const NAMES: readonly [Tab, string][] = [['curves', 'Curves'], ['scatter', 'Param against metric'], ['parallel', 'Parallel coordinates']];

/** What the charts draw: the runs in table order, and those that are selected. */
export interface Shown {
  table: Table;
  order: Int32Array;
  selected: ReadonlySet<number>;
  hidden: ReadonlySet<string>;
}

export class Charts {
  readonly el: HTMLElement;
  #connector: Connector;
  #changed: () => void;
  #title: (name: string) => string;
  #shown: Shown | null = null;
  #asked = 0;
  #drawn = '';
  /** The curves that are on the screen. */
  #seen = '';
  /** The part of the steps that was zoomed to, of what is drawn. */
  #range: readonly [number, number] | null = null;
  #zoomedOn = '';
  #gone = false;
  /** Curves of runs that are being recorded, by metric: sent while the kernel cannot be asked. */
  #sent: JsonObject | null = null;
  #tabs: Tabs<Tab>;
  #choose = h('div', { class: 'ml-choose' });
  #said = h('p', { class: 'ml-quiet', role: 'status' });
  #chart: Chart;
  #metric: HTMLSelectElement;
  #x: HTMLSelectElement;
  #y: HTMLSelectElement;

  constructor(connector: Connector, title: (name: string) => string, changed: () => void) {
    this.#connector = connector;
    this.#changed = changed;
    this.#title = title;
    const select = (): HTMLSelectElement => h('select', { onchange: () => this.#chosen() });
    [this.#metric, this.#x, this.#y] = [select(), select(), select()];
    this.#chart = new Chart(connector, 'Metric curves');
    this.#chart.onZoom(range => this.#refine(range));
    this.#tabs = new Tabs<Tab>('Charts', NAMES, () => this.#chosenTab());
    this.#tabs.panel.append(this.#choose, this.#said, this.#chart.el);
    this.el = h('div', {}, this.#tabs.el, this.#tabs.panel);
    this.#drawTab();
  }

  dispose(): void {
    this.#gone = true;
    this.#chart.dispose();
  }

  get look(): Pick<Look, 'tab' | 'metric' | 'x' | 'y'> {
    return { tab: this.#tabs.chosen, metric: this.#metric.value, x: this.#x.value, y: this.#y.value };
  }

  /** The table is a new one: offer its params and metrics, keeping what was chosen where it is still there. */
  offer(table: Table, look: Pick<Look, 'tab' | 'metric' | 'x' | 'y'>, sent: JsonObject | null): void {
    const [metrics, params] = [table.keys('metrics.'), table.keys('params.')];
    const telling = params.filter(n => table.column(n)!.distinct(2) > 1);
    choices(this.#metric, metrics, this.#title, look.metric);
    choices(this.#x, [...params, 'started_at', 'duration', ...metrics], this.#title, look.x || (telling.find(n => table.column(n)!.kind === 'number') ?? telling[0] ?? ''));
    choices(this.#y, metrics, this.#title, look.y);
    this.#sent = sent;
    this.#drawn = '';
    if (this.#tabs.chosen !== look.tab) {
      this.#tabs.mark(look.tab);
      this.#drawTab();
    }
  }

  show(shown: Shown): void {
    this.#shown = shown;
    void this.#draw();
  }

  #chosen(): void {
    void this.#draw();
    this.#changed();
  }

  #chosenTab(): void {
    this.#drawn = '';
    this.#drawTab();
    this.#chosen();
  }

  #drawTab(): void {
    const field = (text: string, select: HTMLSelectElement): HTMLElement => h('label', {}, text, select);
    this.#choose.replaceChildren(
      ...(this.#tabs.chosen === 'scatter' ? [field('x', this.#x), field('y', this.#y)] : [field(this.#tabs.chosen === 'curves' ? 'metric' : 'coloured by', this.#metric)]),
    );
  }

  async #draw(): Promise<void> {
    if (!this.#shown) return;
    const { table, order, selected, hidden } = this.#shown;
    if (table.rows === 0 || this.#metric.options.length === 0) {
      say(this.#said, '');
      this.#chart.show(null, table.rows === 0 ? '' : 'No metrics have been logged yet.');
      return;
    }
    const shown = selected.size > 0 ? [...order].filter(row => selected.has(row)) : [...order];
    if (this.#tabs.chosen === 'curves') return this.#drawCurves(shown);
    this.#drawn = this.#seen = '';
    if (this.#tabs.chosen === 'scatter') {
      const rows = [...order].slice(0, DOTS);
      const figure = figures.scatter(table, rows, this.#x.value, this.#y.value, selected);
      const drawn = figure.data.length > 0;
      say(this.#said, this.#cut(rows.length, order.length));
      this.#chart.describe(`${format.named(figures.label(this.#y.value), 60)} against ${format.named(figures.label(this.#x.value), 60)}, one point for each run`);
      this.#chart.show(drawn ? figure : null, drawn ? '' : 'No run shown here has both values.');
      return;
    }
    const metric = this.#metric.value;
    const params = table.keys('params.').filter(n => table.column(n)!.distinct(2) > 1 && (table.column(n)!.kind === 'number' || table.column(n)!.distinct(31) <= 30));
    const visible = params.filter(n => !hidden.has(n)).slice(0, 7);
    const others = table.keys('metrics.').filter(n => n !== metric && !hidden.has(n)).slice(0, visible.length > 3 ? 1 : 3);
    const rows = shown.slice(0, THREADS);
    const figure = figures.parallel(table, rows, [...visible, ...others, metric]);
    const enough = (figure.data[0]!.dimensions as unknown[]).length > 1 && rows.length > 1;
    say(this.#said, enough ? `${this.#cut(rows.length, shown.length)} Drag along an axis to keep part of the runs.`.trim() : '');
    this.#chart.describe(`Parallel coordinates of ${format.count(rows.length, 'run')}, coloured by ${format.named(figures.label(metric), 60)}`);
    this.#chart.show(enough ? figure : null, enough ? '' : 'Parallel coordinates need two runs that differ in a param or a metric.');
  }

  #cut(drawn: number, all: number): string {
    return drawn < all ? `The first ${drawn.toLocaleString('en-US')} of ${all.toLocaleString('en-US')} runs in table order are drawn.` : '';
  }

  /** Where no run has steps, what there is: one estimate each, with its interval. */
  #drawEstimates(rows: readonly number[], all: number): void {
    const metric = this.#metric.value;
    const figure = figures.estimates(this.#shown!.table, rows, metric);
    const drawn = figure.data.length > 0;
    say(this.#said, drawn ? `Without steps: one value for each run, with its interval where it has one. ${this.#cut(rows.length, all)}`.trim() : '');
    this.#chart.describe(`${format.named(figures.label(metric), 60)} of ${format.count(rows.length, 'run')}, with intervals`);
    this.#chart.show(drawn ? figure : null, drawn ? '' : `No run shown here has a value of ${format.named(figures.label(metric), 60)}.`);
  }

  /** The curves of the chosen metric that came unasked; null where none has a point. */
  #pushed(): JsonObject | null {
    const sent = own(this.#sent, figures.label(this.#metric.value));
    return isObject(sent) && typeof sent.rows === 'number' && sent.rows > 0 ? sent : null;
  }

  #ask(ids: readonly string[], steps: readonly [number, number] | null, pushed: JsonObject | null): Promise<Answer> {
    if (pushed) return Promise.resolve({ payload: pushed, buffers: [] });
    return this.#connector.call('series', { run_ids: [...ids], key: figures.label(this.#metric.value), points: POINTS, steps: steps && [...steps] });
  }

  async #drawCurves(shown: number[]): Promise<void> {
    const { table, selected } = this.#shown!;
    const metric = this.#metric.value;
    // What was sent is of the runs that are being recorded: where none of those is shown it says nothing.
    const going = this.#pushed() ? shown.filter(row => table.text('status', row) === 'running') : [];
    const pushed = going.length > 0 ? this.#pushed() : null;
    const rows = (pushed ? going : shown).slice(0, LINES);
    const ids = rows.map(row => table.text('run_id', row));
    const wanted = JSON.stringify([metric, ids]);
    if (wanted === this.#drawn) return;
    if (metric !== this.#zoomedOn) this.#range = null;
    this.#drawn = wanted;
    this.#zoomedOn = metric;
    const turn = ++this.#asked;
    try {
      const answer = await this.#ask(ids, this.#range, pushed);
      // A later question may have been answered first.
      if (this.#gone || turn !== this.#asked || this.#tabs.chosen !== 'curves') return;
      const figure = figures.curves(readTable(answer.payload, answer.buffers), table, rows, metric);
      if (!figure.data.some(line => (line.x as number[]).length > 1)) {
        this.#seen = '';
        this.#drawEstimates(rows, shown.length);
        return;
      }
      this.#chart.describe(`${format.named(figures.label(metric), 60)} against step for ${format.count(figure.data.length, 'run')}`);
      const [missing, isChoice] = [rows.length - figure.data.length, selected.size > 0];
      const told = [
        shown.length > rows.length && !pushed ? `The first ${rows.length} of ${shown.length.toLocaleString('en-US')} ${isChoice ? 'selected runs' : 'runs in table order'} are drawn${isChoice ? '' : '; select runs to choose'}.` : '',
        missing > 0 && figure.data.length > 0 ? `${format.count(missing, 'run')} ${this.#connector.live ? 'without' : 'without a saved'} curve.` : '',
      ];
      say(this.#said, told.filter(Boolean).join(' '));
      this.#chart.show(figure, '', metric);
      this.#seen = wanted;
    } catch (error) {
      if (this.#gone || turn !== this.#asked) return;
      this.#drawn = '';
      // While the kernel is busy, what is on the screen stays.
      if (error instanceof Error && error.name === 'NoAnswer' && this.#seen === wanted) return;
      this.#seen = '';
      say(this.#said, '');
      this.#chart.show(null, error instanceof Error ? error.message : String(error));
    }
  }

  /** A part of the steps was zoomed to: as many points of it are drawn as of the whole. */
  #refine(range: readonly [number, number] | null): void {
    if (this.#tabs.chosen !== 'curves' || !this.#connector.live || this.#drawn === '') return;
    // A little more on both sides, so that lines reach the edge.
    const more = range === null ? 0 : 0.05 * (range[1] - range[0]);
    this.#range = range && [range[0] - more, range[1] + more];
    this.#drawn = '';
    void this.#draw();
  }
}
