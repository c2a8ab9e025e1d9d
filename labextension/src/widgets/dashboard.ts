// The dashboard: a project, its runs, and what their numbers look like. Reads from a Connector, draws, asks; keeps no truth.
import * as figures from '../core/figures.ts';
import { FilterError, filterRows, parseFilter } from '../core/filter.ts';
import * as format from '../core/format.ts';
import type { Connector, JsonObject, Snapshot } from '../core/protocol.ts';
import { isObject, readSnapshot } from '../core/protocol.ts';
import { Unreadable, finite, own, words } from '../core/safe.ts';
import { Table, readTable } from '../core/table.ts';
import { Chart } from './chart.ts';
import { choices, h, uniqueId } from './dom.ts';
import { Grid } from './grid.ts';
import type { GridColumn } from './grid.ts';
import { mountReport } from './report.ts';

/** Status as a shape and a word; colour only repeats them. */
const STATUS = new Map(Object.entries({ running: '▶', finished: '✓', failed: '✕', interrupted: '■', stale: '◌' }));
const FIXED: Record<string, string> = {
  name: 'name', status: 'status', started_at: 'started', duration: 'duration', dataset: 'dataset', tags: 'tags', note: 'note', run_id: 'run id',
};
const LINES = 10;
const DOTS = 2000;
const THREADS = 3000;
const EVERY = 3000;

type Tab = 'curves' | 'scatter' | 'parallel';
type Verb = 'tag' | 'note' | 'trash' | 'compare';

export function mountDashboard(el: HTMLElement, connector: Connector): () => void {
  const view = new Dashboard(el, connector);
  void view.open();
  return () => view.dispose();
}

class Dashboard {
  #el: HTMLElement;
  #connector: Connector;
  #table = Table.empty;
  #project: JsonObject = {};
  #verbs: string[] = [];
  #token = '';
  #order: Int32Array = new Int32Array();
  #selected = new Set<string>();
  #filter = '';
  #sort = { name: 'started_at', descending: true };
  #hidden: Set<string> | null = null;
  #tab: Tab = 'curves';
  #timer: ReturnType<typeof setTimeout> | null = null;
  #gone = false;
  #updated: number | null = null;
  #asked = 0;
  #best: ReadonlyMap<string, number> = new Map();
  #counts: ReadonlyMap<string, number> = new Map();
  #seriesShown = '';

  #title = h('h2', {}, 'Runs');
  #stats = h('dl', { class: 'ml-stats' });
  #state = h('span', { role: 'status' });
  #refresh = h('button', { type: 'button', title: 'Read the runs again', onclick: () => void this.open() }, '↻ Refresh');
  #trouble = h('div', { class: 'ml-error', role: 'alert', hidden: true });
  #notice = h('p', { class: 'ml-quiet', hidden: true });
  #slip = h('p', { class: 'ml-slip', id: uniqueId('slip'), role: 'alert', hidden: true });
  #box = h('input', {
    type: 'search',
    class: 'ml-filter',
    placeholder: 'Filter: accuracy > 0.9 and not status = failed',
    'aria-label': 'Filter runs',
    'aria-describedby': this.#slip.id,
    spellcheck: 'false',
    autocomplete: 'off',
    'data-lm-suppress-shortcuts': 'true',
    oninput: () => this.#filterTyped(),
  });
  #count = h('span', { class: 'ml-quiet', role: 'status' });
  #columnsMenu = h('div', { class: 'ml-pop' });
  #actions = h('span', { class: 'ml-choose' });
  #ask = h('div', { class: 'ml-bar ml-ask', role: 'group', hidden: true, 'data-lm-suppress-shortcuts': 'true' });
  #empty = h('div', { class: 'ml-message', hidden: true });
  #main = h('div', { hidden: true });
  #result = h('div');
  #unmountResult: (() => void) | null = null;
  #grid: Grid;
  #tabs = h('div', { class: 'ml-tabs', role: 'tablist', 'aria-label': 'Charts' });
  #panel = h('div', { role: 'tabpanel', id: uniqueId('panel') });
  #choose = h('div', { class: 'ml-choose' });
  #said = h('p', { class: 'ml-quiet', role: 'status' });
  #chart: Chart;
  #metric = h('select', { onchange: () => void this.#drawChart() });
  #x = h('select', { onchange: () => void this.#drawChart() });
  #y = h('select', { onchange: () => void this.#drawChart() });

  constructor(el: HTMLElement, connector: Connector) {
    this.#connector = connector;
    this.#grid = new Grid('Runs', { sort: name => this.#sortBy(name), select: rows => this.#select(rows) });
    this.#chart = new Chart(connector, 'Metric curves');
    this.#refresh.hidden = !connector.live;
    this.#panel.append(this.#choose, this.#said, this.#chart.el);
    this.#main.append(
      h(
        'div',
        { class: 'ml-bar' },
        this.#box,
        this.#menu('?', 'How to filter', this.#help()),
        this.#count,
        h('span', { class: 'ml-spacer' }),
        this.#actions,
        this.#menu('Columns ▾', 'Choose columns', this.#columnsMenu),
      ),
      this.#slip,
      this.#ask,
      this.#grid.el,
      this.#result,
      this.#tabs,
      this.#panel,
    );
    this.#el = h(
      'section',
      { class: 'modellab', 'aria-label': 'ModelLab dashboard' },
      h('div', { class: 'ml-top' }, this.#title, h('div', { class: 'ml-state' }, this.#state, this.#refresh)),
      this.#stats,
      this.#notice,
      this.#trouble,
      this.#empty,
      this.#main,
    );
    el.append(this.#el);
    this.#say('Loading runs…');
    connector.listen(verb => {
      if (verb === 'changed') void this.#poll();
    });
  }

  dispose(): void {
    this.#gone = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#unmountResult?.();
    this.#grid.dispose();
    this.#chart.dispose();
    this.#connector.dispose();
    this.#el.remove();
  }

  // Data ------------------------------------------------------------------------------------------------------------

  async open(): Promise<void> {
    this.#refresh.disabled = true;
    try {
      const answer = await this.#connector.call('open');
      if (this.#gone) return;
      this.#take(answer.payload, answer.buffers);
      this.#fail(null);
    } catch (error) {
      this.#fail(error);
    } finally {
      this.#refresh.disabled = false;
      this.#later(EVERY);
    }
  }

  async #poll(): Promise<void> {
    if (this.#gone) return;
    // Hidden pages and scrolled-away cells ask nothing.
    if (document.visibilityState === 'hidden' || !this.#el.isConnected || this.#el.clientWidth === 0) return this.#later(EVERY);
    const began = performance.now();
    try {
      const answer = await this.#connector.call('poll', { token: this.#token });
      if (this.#gone) return;
      if (answer.payload.changed === true) this.#take(answer.payload, answer.buffers);
      this.#fail(null);
    } catch (error) {
      this.#fail(error);
    }
    // Asking never takes more than a fiftieth of the time.
    this.#later(Math.max(EVERY, 50 * (performance.now() - began)));
  }

  #later(ms: number): void {
    if (!this.#connector.live || this.#gone) return;
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.#poll(), Math.min(ms, 60_000));
  }

  #fail(error: unknown): void {
    this.#trouble.hidden = error === null;
    if (error === null) {
      this.#updated = Date.now();
      this.#say(this.#connector.live ? 'live' : 'saved with the notebook');
      return;
    }
    if (error instanceof Error && error.name === 'NoAnswer' && this.#updated !== null) {
      // A long cell is running: what is on the screen stays, and says how old it is.
      this.#trouble.hidden = true;
      this.#say(`the kernel is busy; as of ${new Date(this.#updated).toLocaleTimeString()}`);
      return;
    }
    const again = h('button', { type: 'button', onclick: () => void this.open() }, 'Try again');
    const text = error instanceof Error ? error.message : String(error);
    this.#trouble.replaceChildren(h('span', {}, text), again);
    this.#say(this.#updated === null ? 'no data' : `as of ${new Date(this.#updated).toLocaleTimeString()}`);
    if (this.#updated === null) this.#empty.hidden = true;
  }

  #say(text: string): void {
    if (this.#state.textContent !== text) this.#state.textContent = text;
  }

  #take(payload: JsonObject, buffers: DataView[]): void {
    this.#token = words(payload.token);
    this.#project = isObject(payload.project) ? payload.project : {};
    this.#verbs = Array.isArray(payload.verbs) ? payload.verbs.map(words) : [];
    if (!isObject(payload.runs)) throw new Unreadable('These runs are damaged; run the cell again.');
    this.#table = readTable(payload.runs, buffers);
    this.#seriesShown = '';
    const table = this.#table;
    this.#best = bests(table, payload);
    this.#counts = counts(table, payload);
    this.#drawHeader(payload);
    const none = table.rows === 0;
    this.#empty.hidden = !none;
    this.#main.hidden = none;
    if (none) {
      this.#empty.replaceChildren(
        h('p', {}, 'No runs yet. The first one appears here by itself:'),
        h('pre', {}, 'with ml.start_run(name="first") as run:\n    ml.log_params({"depth": 3})\n    ml.log_metrics({"accuracy": 0.9})'),
      );
      return;
    }
    if (this.#hidden === null) this.#hidden = this.#usuallyHidden();
    this.#drawColumnsMenu();
    this.#apply();
    this.#drawTabs();
  }

  // Header ----------------------------------------------------------------------------------------------------------

  #drawHeader(payload: JsonObject): void {
    const p = this.#project;
    const table = this.#table;
    this.#title.replaceChildren(h('bdi', {}, format.clip(words(p.name) || 'Runs', 300)));
    const now = Date.now();
    const last = typeof p.last_activity === 'string' ? Date.parse(p.last_activity) : NaN;
    const items: [string, string, string?][] = [['runs', format.number(finite(p.runs) ?? table.rows)]];
    for (const word of ['running', 'failed', 'stale']) {
      const n = this.#counts.get(word) ?? 0;
      if (n > 0) items.push([word, `${STATUS.get(word)} ${format.number(n)}`]);
    }
    items.push(['datasets', format.number(finite(p.datasets))]);
    if (!Number.isNaN(last)) items.push(['last activity', this.#connector.live ? format.ago(last, now) : format.time(last)]);
    const ids = table.column('run_id');
    const best = typeof p.best_run === 'string' && ids ? Array.from({ length: table.rows }, (_, i) => i).find(i => ids.get(i) === p.best_run) : undefined;
    if (best !== undefined) {
      const metric = [...this.#best.keys()].find(m => table.column(m)!.number(best) === this.#best.get(m));
      items.push(['best run', format.clip(table.text('name', best), 60), metric ? ` ${figures.label(metric)} ${format.number(table.column(metric)!.number(best))}` : '']);
    }
    this.#stats.replaceChildren(
      ...items.map(([term, value, more]) => h('div', {}, h('dt', {}, term), h('dd', {}, h('bdi', {}, value), more ? h('small', {}, format.clip(more, 60)) : null))),
    );
    const cut = format.clip(words(payload.notice), 1000);
    this.#notice.hidden = cut === '';
    this.#notice.textContent = cut;
    this.#say(this.#connector.live ? 'live' : 'saved with the notebook');
  }

  // Table -----------------------------------------------------------------------------------------------------------

  #names(): string[] {
    const t = this.#table;
    const all = ['name', 'status', ...t.keys('metrics.'), ...t.keys('params.'), 'started_at', 'duration', 'dataset', 'tags', 'note', 'run_id'];
    return all.filter(n => t.column(n));
  }

  #usuallyHidden(): Set<string> {
    const t = this.#table;
    const quiet = new Set<string>(['run_id']);
    for (const name of ['dataset', 'tags', 'note']) {
      const column = t.column(name);
      const said = column && Array.from({ length: t.rows }, (_, i) => column.get(i)).some(v => v !== null && v.toString() !== '');
      if (!said) quiet.add(name);
    }
    // Many columns: those that tell runs apart stay.
    t.keys('metrics.').slice(8).forEach(n => quiet.add(n));
    const params = t.keys('params.');
    const telling = t.rows > 1 ? params.filter(n => t.column(n)!.distinct(2) > 1) : params;
    const kept = new Set([...telling, ...params].slice(0, 8));
    params.filter(n => !kept.has(n)).forEach(n => quiet.add(n));
    return quiet;
  }

  #gridColumns(): GridColumn[] {
    const t = this.#table;
    const sample = this.#order.slice(0, 60);
    return this.#names()
      .filter(n => n === 'name' || !this.#hidden!.has(n))
      .map(name => {
        const column = t.column(name)!;
        const isMetric = name.startsWith('metrics.');
        const title = FIXED[name] ?? figures.label(name);
        const widest = sample.reduce((w, row) => {
          const bar = isMetric ? t.interval(name, row) : null;
          return Math.max(w, Math.min(40, this.#text(name, row).length) * 7.2 + (bar ? 8 + format.interval(...bar).length * 5.9 : 0));
        }, 0);
        const badges = name === 'name' ? 70 : isMetric ? 18 : 0;
        return {
          name,
          title,
          group: isMetric ? 'metric' : name.startsWith('params.') ? 'param' : '',
          width: Math.round(Math.max(64, Math.min(280, Math.max(widest + badges, Math.min(title.length, 22) * 7.5 + 14) + 20))),
          numeric: column.kind === 'number',
          fill: (cell: HTMLElement, row: number) => this.#fill(cell, name, row),
        };
      });
  }

  #text(name: string, row: number): string {
    const column = this.#table.column(name)!;
    const value = column.get(row);
    if (value === null || value === '') return name === 'name' ? this.#table.text('run_id', row) : format.MISSING;
    if (name === 'duration') return format.duration(value as number);
    if (name === 'status') return `${STATUS.get(String(value)) ?? '?'} ${String(value)}`;
    if (column.kind === 'time') return format.time(value as number);
    if (column.kind === 'number') return format.number(value as number);
    return Array.isArray(value) ? value.join(', ') || format.MISSING : String(value);
  }

  #fill(cell: HTMLElement, name: string, row: number): void {
    const t = this.#table;
    const text = this.#text(name, row);
    if (name === 'status') {
      const word = t.text('status', row);
      const known = STATUS.has(word) ? word : 'unknown';
      cell.append(h('span', { class: `ml-status-${known}` }, h('span', { class: 'ml-shape', 'aria-hidden': 'true' }, STATUS.get(word) ?? '?'), h('bdi', {}, format.clip(word || 'unknown', 30))));
      return;
    }
    if (name.startsWith('metrics.')) {
      const value = t.column(name)!.number(row);
      const best = value !== null && this.#best.get(name) === value;
      if (best) cell.append(h('span', { class: 'ml-star', 'aria-hidden': 'true' }, '★'));
      cell.append(h('span', best ? { class: 'ml-best' } : {}, text));
      if (best) cell.append(h('span', { class: 'ml-sr' }, ' best'));
      const bar = t.interval(name, row);
      if (bar) cell.append(h('span', { class: 'ml-ci' }, format.interval(...bar)));
      const n = t.support(name, row);
      const parts = [`${format.clip(figures.label(name), 80)} = ${value ?? 'missing'}`];
      if (bar) parts.push(`interval ${format.interval(...bar)}`);
      if (n !== null) parts.push(`n = ${format.number(n)}`);
      if (best) parts.push('best of all runs');
      cell.title = parts.join(', ');
      return;
    }
    cell.append(h('bdi', {}, format.clip(text, 200)));
    if (text.length > 18) cell.title = format.clip(text, 1000);
    if (name === 'name' && t.column('baseline')?.get(row) === true) cell.append(h('span', { class: 'ml-badge' }, '◆ baseline'));
  }

  #apply(): void {
    const t = this.#table;
    try {
      const rows = filterRows(t, parseFilter(this.#filter, t));
      const column = t.column(this.#sort.name);
      this.#order = column ? t.sorted(rows, this.#sort.name, this.#sort.descending) : rows;
      this.#slip.hidden = true;
      this.#box.classList.remove('ml-wrong');
      this.#box.removeAttribute('aria-invalid');
    } catch (error) {
      if (!(error instanceof FilterError)) throw error;
      // The last table stays while something is being typed.
      this.#slip.textContent = error.message;
      this.#slip.hidden = false;
      this.#box.classList.add('ml-wrong');
      this.#box.setAttribute('aria-invalid', 'true');
      if (this.#order.some(row => row >= t.rows)) this.#order = Int32Array.from({ length: t.rows }, (_, i) => i);
    }
    this.#drawGrid();
    void this.#drawChart();
  }

  #selectedRows(): Set<number> {
    const ids = this.#table.column('run_id');
    const rows = new Set<number>();
    if (ids && this.#selected.size > 0) for (let i = 0; i < this.#table.rows; i++) if (this.#selected.has(String(ids.get(i)))) rows.add(i);
    return rows;
  }

  #drawGrid(): void {
    const chosen = this.#selectedRows();
    this.#grid.set(this.#gridColumns(), this.#order, chosen, this.#sort);
    this.#drawCount(chosen.size);
  }

  #drawCount(chosen: number): void {
    const all = this.#table.rows;
    const some = this.#order.length < all ? `${this.#order.length.toLocaleString('en-US')} of ${format.count(all, 'run')}` : format.count(all, 'run');
    this.#count.textContent = chosen > 0 ? `${some}, ${chosen.toLocaleString('en-US')} selected` : some;
    this.#drawActions(chosen);
  }

  #filterTyped(): void {
    this.#filter = this.#box.value;
    this.#apply();
  }

  #sortBy(name: string): void {
    const metric = name.startsWith('metrics.') ? this.#table.greaterIsBetter.get(figures.label(name)) : undefined;
    // The best first where we know what best is; the newest first; else from the start of the alphabet.
    const first = metric ?? name === 'started_at';
    this.#sort = this.#sort.name === name ? { name, descending: !this.#sort.descending } : { name, descending: first };
    this.#apply();
  }

  #select(rows: ReadonlySet<number>): void {
    this.#selected = new Set([...rows].map(row => this.#table.text('run_id', row)));
    this.#drawCount(rows.size);
    void this.#drawChart();
  }

  // Menus and actions -----------------------------------------------------------------------------------------------

  #menu(text: string, label: string, content: HTMLElement): HTMLElement {
    const menu = h('details', { class: 'ml-menu' }, h('summary', { 'aria-label': label, title: label }, text), content);
    menu.addEventListener('keydown', event => {
      if (event.key === 'Escape' && menu.open) {
        menu.open = false;
        menu.querySelector('summary')?.focus();
        event.stopPropagation();
      }
    });
    menu.addEventListener('focusout', event => {
      if (event.relatedTarget instanceof Node && !menu.contains(event.relatedTarget)) menu.open = false;
    });
    return menu;
  }

  #help(): HTMLElement {
    const line = (code: string, text: string): HTMLElement => h('p', {}, h('code', {}, code), ` ${text}`);
    return h(
      'div',
      { class: 'ml-pop' },
      line('rf', 'the word anywhere in a run: name, tags, note, params'),
      line('accuracy >= 0.9', 'compare: = != < <= > >='),
      line('name ~ rf', 'contains (!~ does not)'),
      line('depth is missing', 'or: is not missing'),
      line('duration > 5min', 'units: ms, s, min, h, d'),
      line('started >= 2026-11-01', 'dates'),
      line('tag = best or baseline', 'and, or, not, ( )'),
      line('"learning rate" < 0.1', 'quotes for names with spaces'),
      h('p', { class: 'ml-quiet' }, 'A missing value is neither equal nor different: only "is missing" finds it.'),
    );
  }

  #drawColumnsMenu(): void {
    this.#columnsMenu.replaceChildren(
      ...this.#names()
        .filter(n => n !== 'name')
        .map(name => {
          const tick = h('input', {
            type: 'checkbox',
            onchange: () => {
              if (tick.checked) this.#hidden!.delete(name);
              else this.#hidden!.add(name);
              this.#drawGrid();
            },
          });
          tick.checked = !this.#hidden!.has(name);
          const group = name.startsWith('metrics.') ? 'metric ' : name.startsWith('params.') ? 'param ' : '';
          return h('label', {}, tick, h('bdi', {}, h('span', { class: 'ml-quiet' }, group), format.clip(FIXED[name] ?? figures.label(name), 200)));
        }),
    );
  }

  #drawActions(chosen: number): void {
    if (!this.#connector.live) return;
    const button = (verb: Verb, text: string, least: number, why: string): HTMLElement => {
      const missing = !this.#verbs.includes(verb);
      const title = missing ? 'Not available here' : chosen < least ? why : '';
      return h('button', { type: 'button', disabled: missing || chosen < least, title, onclick: () => this.#askFor(verb) }, text);
    };
    this.#actions.replaceChildren(
      button('compare', 'Compare', 2, 'Select two runs or more'),
      button('tag', 'Tag', 1, 'Select a run'),
      button('note', 'Note', 1, 'Select a run'),
      button('trash', 'Trash', 1, 'Select a run'),
    );
  }

  #askFor(verb: Verb): void {
    if (verb === 'compare') {
      void this.#act(verb, {});
      return;
    }
    const runs = format.count(this.#selected.size, 'run');
    const asks: Record<'tag' | 'note' | 'trash', string> = { tag: `Add a tag to ${runs}:`, note: `Set the note of ${runs}:`, trash: `Move ${runs} to the trash?` };
    const field = verb === 'trash' ? null : h('input', { type: 'text', 'aria-label': asks[verb], class: 'ml-filter' });
    const close = (): void => {
      this.#ask.hidden = true;
      this.#grid.el.focus();
    };
    const act = (): void => {
      if (verb === 'tag' && field!.value.trim() === '') return;
      close();
      const payload: JsonObject = verb === 'tag' ? { tag: field!.value.trim() } : verb === 'note' ? { note: field!.value } : {};
      void this.#act(verb, payload);
    };
    const go = h('button', { type: 'button', onclick: act }, { tag: 'Add tag', note: 'Set note', trash: 'Move to trash' }[verb]);
    this.#ask.replaceChildren(h('span', {}, asks[verb]), field ?? '', go, h('button', { type: 'button', onclick: close }, 'Cancel'));
    this.#ask.onkeydown = event => {
      if (event.key === 'Escape') close();
      else if (event.key === 'Enter' && event.target === field) act();
      else return;
      event.preventDefault();
      event.stopPropagation();
    };
    this.#ask.hidden = false;
    (field ?? go).focus();
  }

  async #act(verb: Verb, payload: JsonObject): Promise<void> {
    try {
      const answer = await this.#connector.call('act', { verb, run_ids: [...this.#selected], payload });
      if (this.#gone) return;
      if (verb === 'trash') this.#selected.clear();
      // What was just written is shown.
      if (verb === 'tag') this.#hidden?.delete('tags');
      if (verb === 'note') this.#hidden?.delete('note');
      if (isObject(answer.payload.shown)) this.#show(readSnapshot(answer.payload.shown));
      await this.open();
    } catch (error) {
      this.#fail(error);
    }
  }

  /** What an action gave back (a comparison), below the table until closed. */
  #show(shown: Snapshot | string): void {
    if (typeof shown === 'string') throw new Error(shown);
    this.#unmountResult?.();
    const place = h('div');
    const close = h('button', { type: 'button', onclick: () => this.#closeResult() }, 'Close');
    this.#result.replaceChildren(h('div', { class: 'ml-bar' }, h('span', { class: 'ml-spacer' }), close), place);
    this.#unmountResult = mountReport(place, this.#connector, shown.data, shown.title);
  }

  #closeResult(): void {
    this.#unmountResult?.();
    this.#unmountResult = null;
    this.#result.replaceChildren();
    this.#grid.el.focus();
  }

  // Charts ----------------------------------------------------------------------------------------------------------

  #drawTabs(): void {
    const metrics = this.#table.keys('metrics.');
    const params = this.#table.keys('params.');
    const telling = params.filter(n => this.#table.column(n)!.distinct(2) > 1);
    const title = (name: string): string => format.clip(FIXED[name] ?? figures.label(name), 60);
    choices(this.#metric, metrics, title, this.#metric.value);
    choices(this.#x, [...params, 'started_at', 'duration', ...metrics], title, this.#x.value || (telling.find(n => this.#table.column(n)!.kind === 'number') ?? telling[0] ?? ''));
    choices(this.#y, metrics, title, this.#y.value);
    const names: [Tab, string][] = [['curves', 'Curves'], ['scatter', 'Param against metric'], ['parallel', 'Parallel coordinates']];
    if (this.#tabs.childElementCount === 0) {
      this.#tabs.append(
        ...names.map(([tab, text]) =>
          h('button', { type: 'button', role: 'tab', id: uniqueId('tab'), 'data-tab': tab, 'aria-controls': this.#panel.id, onclick: () => this.#chooseTab(tab) }, text),
        ),
      );
      this.#tabs.addEventListener('keydown', event => {
        const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
        if (step === undefined) return;
        const all = names.map(n => n[0]);
        this.#chooseTab(all[(all.indexOf(this.#tab) + step + all.length) % all.length]!);
        this.#tabs.querySelector<HTMLElement>('[aria-selected=true]')?.focus();
        event.stopPropagation();
      });
      this.#tabs.setAttribute('data-lm-suppress-shortcuts', 'true');
      this.#chooseTab(this.#tab);
    }
  }

  #chooseTab(tab: Tab): void {
    this.#tab = tab;
    for (const button of this.#tabs.querySelectorAll('button')) {
      const on = button.dataset.tab === tab;
      button.setAttribute('aria-selected', String(on));
      button.tabIndex = on ? 0 : -1;
      if (on) this.#panel.setAttribute('aria-labelledby', button.id);
    }
    const field = (text: string, select: HTMLSelectElement): HTMLElement => h('label', {}, text, select);
    this.#choose.replaceChildren(
      ...(tab === 'scatter' ? [field('x', this.#x), field('y', this.#y)] : [field(tab === 'curves' ? 'metric' : 'coloured by', this.#metric)]),
    );
    this.#seriesShown = '';
    void this.#drawChart();
  }

  async #drawChart(): Promise<void> {
    const t = this.#table;
    if (t.rows === 0 || this.#metric.options.length === 0) {
      this.#said.textContent = '';
      this.#chart.show(null, t.rows === 0 ? '' : 'No metrics have been logged yet.');
      return;
    }
    const chosen = this.#selectedRows();
    const shown = chosen.size > 0 ? [...this.#order].filter(row => chosen.has(row)) : [...this.#order];
    if (this.#tab === 'curves') return this.#drawCurves(shown, chosen.size > 0);
    if (this.#tab === 'scatter') {
      const rows = [...this.#order].slice(0, DOTS);
      const figure = figures.scatter(t, rows, this.#x.value, this.#y.value, chosen);
      this.#said.textContent = this.#cut(rows.length, this.#order.length);
      this.#chart.describe(`${figures.label(this.#y.value)} against ${figures.label(this.#x.value)}, one point for each run`);
      this.#chart.show(figure.data.length > 0 ? figure : null, figure.data.length > 0 ? '' : 'No run shown here has both values.');
      return;
    }
    const metric = this.#metric.value;
    const params = t.keys('params.').filter(n => t.column(n)!.distinct(2) > 1 && (t.column(n)!.kind === 'number' || t.column(n)!.distinct(31) <= 30));
    const visible = params.filter(n => !this.#hidden!.has(n)).slice(0, 7);
    const others = t.keys('metrics.').filter(n => n !== metric && !this.#hidden!.has(n)).slice(0, visible.length > 3 ? 1 : 3);
    const rows = shown.slice(0, THREADS);
    const figure = figures.parallel(t, rows, [...visible, ...others, metric]);
    const enough = (figure.data[0]!.dimensions as unknown[]).length > 1 && rows.length > 1;
    this.#said.textContent = enough ? `${this.#cut(rows.length, shown.length)} Drag along an axis to keep part of the runs.`.trim() : '';
    this.#chart.describe(`Parallel coordinates of ${format.count(rows.length, 'run')}, coloured by ${figures.label(metric)}`);
    this.#chart.show(enough ? figure : null, enough ? '' : 'Parallel coordinates need two runs that differ in a param or a metric.');
  }

  #cut(drawn: number, all: number): string {
    return drawn < all ? `The first ${drawn.toLocaleString('en-US')} of ${all.toLocaleString('en-US')} runs in table order are drawn.` : '';
  }

  /** Where no run has steps, what there is: one estimate each, with its interval. */
  #drawEstimates(rows: readonly number[], all: number): void {
    const metric = this.#metric.value;
    const figure = figures.estimates(this.#table, rows, metric);
    const drawn = figure.data.length > 0;
    this.#said.textContent = drawn ? `Without steps: one value for each run, with its interval where it has one. ${this.#cut(rows.length, all)}`.trim() : '';
    this.#chart.describe(`${figures.label(metric)} of ${format.count(rows.length, 'run')}, with intervals`);
    this.#chart.show(drawn ? figure : null, drawn ? '' : `No run shown here has a value of ${format.clip(figures.label(metric), 60)}.`);
  }

  async #drawCurves(shown: number[], isChoice: boolean): Promise<void> {
    const t = this.#table;
    const metric = this.#metric.value;
    const rows = shown.slice(0, LINES);
    const ids = rows.map(row => t.text('run_id', row));
    const wanted = JSON.stringify([metric, ids]);
    if (wanted === this.#seriesShown) return;
    this.#seriesShown = wanted;
    const turn = ++this.#asked;
    try {
      const answer = await this.#connector.call('series', { run_ids: ids, key: figures.label(metric), points: 1000 });
      // A later question may have been answered first.
      if (this.#gone || turn !== this.#asked || this.#tab !== 'curves') return;
      const figure = figures.curves(readTable(answer.payload, answer.buffers), t, rows, metric);
      if (!figure.data.some(line => (line.x as number[]).length > 1)) {
        this.#drawEstimates(rows, shown.length);
        return;
      }
      this.#chart.describe(`${figures.label(metric)} against step for ${format.count(figure.data.length, 'run')}`);
      const missing = rows.length - figure.data.length;
      const told = [
        shown.length > rows.length ? `The first ${rows.length} of ${shown.length.toLocaleString('en-US')} ${isChoice ? 'selected runs' : 'runs in table order'} are drawn${isChoice ? '' : '; select runs to choose'}.` : '',
        missing > 0 && figure.data.length > 0 ? `${format.count(missing, 'run')} ${this.#connector.live ? 'without' : 'without a saved'} curve.` : '',
      ];
      this.#said.textContent = told.filter(Boolean).join(' ');
      this.#chart.show(figure, '');
    } catch (error) {
      if (this.#gone || turn !== this.#asked) return;
      this.#seriesShown = '';
      this.#said.textContent = '';
      this.#chart.show(null, error instanceof Error ? error.message : String(error));
    }
  }
}

/** The best value of each metric that has a direction: of all runs, also where only some were saved. */
function bests(table: Table, payload: JsonObject): Map<string, number> {
  const found = new Map<string, number>();
  if (isObject(payload.best)) {
    for (const metric of table.keys('metrics.')) {
      const value = finite(own(payload.best, metric));
      if (value !== null) found.set(metric, value);
    }
    return found;
  }
  // One run alone is not the best of anything.
  if (table.rows < 2) return found;
  for (const metric of table.keys('metrics.')) {
    const greater = table.greaterIsBetter.get(figures.label(metric));
    const row = greater === undefined ? null : table.column(metric)!.extreme(greater);
    if (row !== null) found.set(metric, table.column(metric)!.number(row)!);
  }
  return found;
}

function counts(table: Table, payload: JsonObject): Map<string, number> {
  if (isObject(payload.counts)) return new Map(Object.entries(payload.counts).map(([word, n]) => [word, finite(n) ?? 0]));
  const found = new Map<string, number>();
  for (let row = 0; row < table.rows; row++) {
    const word = table.text('status', row);
    found.set(word, (found.get(word) ?? 0) + 1);
  }
  return found;
}
