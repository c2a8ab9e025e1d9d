// The dashboard: a project, its runs, and what their numbers look like. Reads from a Connector, draws, asks; keeps no truth.
import * as figures from '../core/figures.ts';
import * as format from '../core/format.ts';
import type { Connector, JsonObject, Snapshot } from '../core/protocol.ts';
import { isObject, readSnapshot } from '../core/protocol.ts';
import { Unreadable, finite, own, words } from '../core/safe.ts';
import { Table, readTable } from '../core/table.ts';
import { Charts } from './charts.ts';
import { h, say } from './dom.ts';
import { Grid } from './grid.ts';
import type { GridColumn } from './grid.ts';
import { Live } from './live.ts';
import { chosenColumns, hiddenOf, readLook, remember, remembered, writeLook } from './look.ts';
import type { Look } from './look.ts';
import { progressCards, readProgress } from './progress.ts';
import type { Going } from './progress.ts';
import { FilterBox, STATUS, beside, besideText, status } from './parts.ts';
import { mountReport } from './report.ts';

const FIXED: Record<string, string> = {
  name: 'name', status: 'status', started_at: 'started', duration: 'duration', dataset: 'dataset', tags: 'tags', note: 'note', run_id: 'run id',
};
const EVERY = 3000;
/** While something is being recorded the page looks more often; the kernel says when that would cost too much. */
const EVERY_LIVE = 1000;
const SETTLED = 500;
/** An action may take long: a comparison of many runs draws resamples of each. */
const PATIENCE = 600_000;

type Verb = 'tag' | 'note' | 'trash' | 'compare';

export function mountDashboard(el: HTMLElement, connector: Connector): () => void {
  const view = new Dashboard(el, connector);
  return () => view.dispose();
}

class Dashboard {
  #el: HTMLElement;
  #connector: Connector;
  #table = Table.empty;
  #project: JsonObject = {};
  #verbs: string[] = [];
  #order: Int32Array = new Int32Array();
  #selected = new Set<string>();
  #filter = new FilterBox('Filter runs', 'Filter: accuracy > 0.9 and not status = failed', () => this.#filterTyped());
  #sort = { name: 'started_at', descending: true };
  #hidden: Set<string> | null = null;
  #live: Live;
  #gone = false;
  #best: ReadonlyMap<string, Best> = new Map();
  #counts: ReadonlyMap<string, number> = new Map();
  #going: Going[] = [];
  #ticking: ReturnType<typeof setInterval> | null = null;
  /** Under which the look of this cell is kept; empty before the first answer. */
  #key = '';
  #views: JsonObject = {};
  #settled: ReturnType<typeof setTimeout> | null = null;
  /** What is being done to the selected runs, in words. */
  #acting: string | null = null;

  #title = h('h2', {}, 'Runs');
  #stats = h('dl', { class: 'ml-stats' });
  #notice = h('p', { class: 'ml-quiet', hidden: true });
  #stars = h('p', { class: 'ml-quiet', hidden: true });
  #columnsMenu = h('div', { class: 'ml-pop' });
  #ticks = new Map<string, HTMLInputElement>();
  #actions = h('span', { class: 'ml-choose' });
  #buttons = new Map<Verb, HTMLButtonElement>();
  #doing = h('span', { class: 'ml-quiet', role: 'status' });
  #ask = h('div', { class: 'ml-bar ml-ask', role: 'group', hidden: true, 'data-lm-suppress-shortcuts': 'true' });
  #empty = h('div', { class: 'ml-message', hidden: true });
  #main = h('div', { hidden: true });
  #result = h('div');
  #unmountResult: (() => void) | null = null;
  #grid: Grid;
  #charts: Charts;
  #progress = h('ul', { class: 'ml-progress', 'aria-label': 'Runs that are being recorded', hidden: true });
  #viewsMenu = h('div', { class: 'ml-pop' });
  #viewsList = h('div');
  /** The names in the menu as they are drawn; empty before the first. */
  #viewsDrawn = '';

  constructor(el: HTMLElement, connector: Connector) {
    this.#connector = connector;
    this.#grid = new Grid('Runs', { sort: name => this.#sortBy(name), select: rows => this.#select(rows) });
    this.#charts = new Charts(connector, name => format.clip(FIXED[name] ?? figures.label(name), 60), () => this.#looked());
    this.#live = new Live(connector, {
      root: () => this.#el,
      take: (payload, buffers) => this.#take(payload, buffers),
      every: () => (this.#going.length > 0 ? EVERY_LIVE : EVERY),
    });
    this.#main.append(
      h(
        'div',
        { class: 'ml-bar' },
        this.#filter.box,
        this.#menu('?', 'How to filter', this.#help()),
        this.#filter.count,
        h('span', { class: 'ml-spacer' }),
        this.#actions,
        this.#menu('Columns ▾', 'Choose columns', this.#columnsMenu),
        connector.live ? this.#menu('Views ▾', 'Named views', this.#viewsMenu) : null,
      ),
      this.#filter.slip,
      this.#ask,
      this.#grid.el,
      this.#stars,
      this.#result,
      this.#charts.el,
    );
    this.#el = h(
      'section',
      { class: 'modellab', 'aria-label': 'ModelLab dashboard' },
      h('div', { class: 'ml-top' }, this.#title, this.#live.el),
      this.#stats,
      this.#notice,
      this.#live.trouble,
      this.#progress,
      this.#empty,
      this.#main,
    );
    el.append(this.#el);
    void this.#live.open();
  }

  dispose(): void {
    this.#gone = true;
    this.#live.dispose();
    if (this.#settled !== null) clearTimeout(this.#settled);
    if (this.#ticking !== null) clearInterval(this.#ticking);
    this.#unmountResult?.();
    this.#grid.dispose();
    this.#charts.dispose();
    this.#connector.dispose();
    this.#el.remove();
  }

  // Data ------------------------------------------------------------------------------------------------------------

  #take(payload: JsonObject, buffers: DataView[]): void | false {
    // What is sent unasked may be how far the runs are, and no more.
    if (this.#connector.live && payload.changed === true && payload.runs === undefined) {
      this.#follow(payload);
      return false;
    }
    this.#project = isObject(payload.project) ? payload.project : {};
    this.#verbs = Array.isArray(payload.verbs) ? payload.verbs.map(words) : [];
    if (!isObject(payload.runs)) throw new Unreadable('These runs are damaged; run the cell again.');
    this.#table = readTable(payload.runs, buffers);
    const table = this.#table;
    const toTell = this.#hidden === null && table.rows > 0 && this.#recall(payload);
    if (isObject(payload.views)) this.#views = payload.views;
    this.#best = bests(table, payload);
    this.#counts = counts(table, payload);
    this.#drawHeader(payload);
    this.#follow(payload);
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
    this.#drawColumnsMenu();
    this.#drawViewsMenu();
    // A saved view asks for its curves as a live one does; what comes unasked is of the runs that are being recorded.
    this.#charts.offer(table, this.#pictured, this.#connector.live && isObject(payload.series) && Object.keys(payload.series).length > 0 ? payload.series : null);
    // What was chosen for somebody stays too.
    const { metric, x, y } = this.#charts.look;
    this.#pictured = { ...this.#pictured, metric: this.#pictured.metric || metric, x: this.#pictured.x || x, y: this.#pictured.y || y };
    this.#apply();
    if (toTell) this.#looked();
  }

  /** Show how far the runs are that are being recorded; the clocks go on between two answers. */
  #follow(payload: JsonObject): void {
    this.#going = readProgress(payload.progress, Date.now());
    const tick = (): void => this.#progress.replaceChildren(...progressCards(this.#going, this.#table, Date.now()));
    const going = this.#going.length > 0 && this.#connector.live;
    this.#progress.hidden = !going;
    if (this.#ticking !== null) clearInterval(this.#ticking);
    this.#ticking = going ? setInterval(tick, 1000) : null;
    if (going) tick();
    else this.#progress.replaceChildren();
  }

  // Look ------------------------------------------------------------------------------------------------------------

  #pictured: Pick<Look, 'tab' | 'metric' | 'x' | 'y'> = { tab: 'curves', metric: '', x: '', y: '' };

  /** Show the runs as this cell did last: the kernel knows, or after it was started anew the browser, which tells it (true). */
  #recall(payload: JsonObject): boolean {
    this.#key = words(payload.look);
    const kept = isObject(payload.state) && Object.keys(payload.state).length > 0 ? payload.state : undefined;
    const here = this.#connector.live && !kept ? remembered(this.#key) : undefined;
    this.#set(readLook(kept ?? here));
    return isObject(here);
  }

  #set(look: Look): void {
    this.#filter.text = look.filter;
    this.#sort = { ...look.sort };
    this.#hidden = hiddenOf(look, this.#names()) ?? this.#usuallyHidden();
    this.#selected = new Set(look.selected);
    this.#pictured = { tab: look.tab, metric: look.metric, x: look.x, y: look.y };
  }

  #look(): Look {
    return { filter: this.#filter.text, sort: this.#sort, ...chosenColumns(this.#hidden!, this.#names()), selected: [...this.#selected], ...this.#pictured };
  }

  /** Something is shown in another way: have it remembered when it has settled. */
  #looked(): void {
    this.#pictured = this.#charts.look;
    if (!this.#connector.live || this.#hidden === null) return;
    if (this.#settled !== null) clearTimeout(this.#settled);
    this.#settled = setTimeout(() => {
      remember(this.#key, this.#look());
      this.#live.keepSoon();
      this.#connector.call('look', { state: writeLook(this.#look()) }).catch((error: unknown) => {
        // Of a busy kernel nobody has to know here: the browser remembers.
        if (!(error instanceof Error && error.name === 'NoAnswer')) this.#live.refuse(error);
      });
    }, SETTLED);
  }

  /** Drawn once; then only the names are, and only when they are others: what is being typed stays. */
  #drawViewsMenu(): void {
    const names = Object.keys(this.#views);
    const drawn = JSON.stringify(names);
    if (drawn === this.#viewsDrawn) return;
    if (this.#viewsDrawn === '') this.#buildViewsMenu();
    this.#viewsDrawn = drawn;
    const focused = this.#viewsList.contains((this.#viewsList.getRootNode() as Document).activeElement);
    this.#viewsList.replaceChildren(
      ...names.map(name => {
        const said = format.named(name, 100);
        return h('div', { class: 'ml-view' },
          h('button', { type: 'button', onclick: () => this.#showView(name) }, h('bdi', {}, said)),
          h('button', { type: 'button', 'aria-label': `Forget the view ${said}`, title: 'Forget', onclick: () => void this.#keepView(name, null) }, '✕'));
      }),
      names.length === 0 ? h('p', { class: 'ml-quiet' }, 'A view keeps filter, order, columns, selection and chart under a name.') : '',
    );
    // A menu that loses its focus to nobody would not notice that somebody goes elsewhere.
    if (focused) this.#viewsMenu.querySelector('input')?.focus();
  }

  #buildViewsMenu(): void {
    const field = h('input', { type: 'text', 'aria-label': 'Name of this view', placeholder: 'name of this view', maxlength: 200 });
    const keep = (): void => {
      const name = field.value.trim();
      if (name !== '') void this.#keepView(name, writeLook(this.#look())).then(kept => (field.value = kept ? '' : field.value));
    };
    field.addEventListener('keydown', event => {
      if (event.key === 'Enter') keep();
      if (event.key !== 'Escape') event.stopPropagation();
    });
    this.#viewsMenu.append(this.#viewsList, h('div', { class: 'ml-view' }, field, h('button', { type: 'button', onclick: keep }, 'Keep')));
  }

  #showView(name: string): void {
    this.#set(readLook(this.#views[name]));
    this.#drawColumnsMenu();
    this.#charts.offer(this.#table, this.#pictured, null);
    this.#apply();
    this.#looked();
    (this.#viewsMenu.parentElement as HTMLDetailsElement).open = false;
    this.#grid.el.focus();
  }

  async #keepView(name: string, state: JsonObject | null): Promise<boolean> {
    const answer = await this.#live.act(() => this.#connector.call('keep', { name, state }));
    if (this.#gone || answer === undefined) return false;
    this.#views = isObject(answer.payload.views) ? answer.payload.views : {};
    this.#drawViewsMenu();
    return true;
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
      const by = typeof p.best_metric === 'string' ? `metrics.${p.best_metric}` : '';
      const metric = table.column(by) ? by : [...this.#best.keys()].find(m => this.#best.get(m)!.runs.has(String(p.best_run)));
      items.push(['best run', format.clip(table.text('name', best), 60), metric ? ` ${format.named(figures.label(metric), 40)} ${format.number(table.column(metric)!.number(best))}` : '']);
    }
    this.#stats.replaceChildren(
      ...items.map(([term, value, more]) => h('div', {}, h('dt', {}, term), h('dd', {}, h('bdi', {}, value), more ? h('small', {}, format.clip(more, 80)) : null))),
    );
    const cut = format.clip(words(payload.notice), 1000);
    this.#notice.hidden = cut === '';
    this.#notice.textContent = cut;
    const stars = format.clip(words(payload.best_note), 1000);
    this.#stars.hidden = stars === '';
    say(this.#stars, stars);
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
          const words_ = isMetric ? besideText(t.interval(name, row), t.support(name, row)) : '';
          return Math.max(w, Math.min(40, this.#text(name, row).length) * 7.2 + (words_ ? 8 + words_.length * 5.9 : 0));
        }, 0);
        const badges = name === 'name' ? 70 + (sample.some(row => (t.column('lost')?.number(row) ?? 0) > 0) ? 150 : 0) : isMetric ? 28 : 0;
        return {
          name,
          title,
          group: isMetric ? 'metric' : name.startsWith('params.') ? 'param' : '',
          width: Math.round(Math.max(64, Math.min(name === 'name' ? 340 : 280, Math.max(widest + badges, Math.min(title.length, 22) * 7.5 + 14) + 20))),
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
      // What was saved while it ran says nothing of now.
      cell.append(status(word, word === 'running' && !this.#connector.live ? ' when saved' : ''));
      return;
    }
    if (name.startsWith('metrics.')) {
      const value = t.column(name)!.number(row);
      const found = value === null ? undefined : this.#best.get(name);
      const best = found?.runs.has(t.text('run_id', row)) === true;
      if (best) cell.append(h('span', { class: 'ml-star', 'aria-hidden': 'true' }, '★'));
      cell.append(h('span', best ? { class: 'ml-best' } : {}, text));
      if (best) cell.append(h('span', { class: 'ml-sr' }, ' best'));
      const bar = t.interval(name, row);
      const n = t.support(name, row);
      cell.append(beside(bar, n) ?? '');
      const parts = [`${format.named(figures.label(name), 80)} = ${value ?? 'missing'}`];
      if (bar) parts.push(`interval ${format.interval(...bar)}`);
      if (n !== null) parts.push(`n = ${format.number(n)}`);
      if (best) parts.push(found!.others > 0 ? `best of the ${format.count(found!.among, 'run')} whose figures are of the same rows` : 'best of all runs');
      cell.title = parts.join(', ');
      return;
    }
    cell.append(h('bdi', {}, format.clip(text, 200)));
    if (text.length > 18) cell.title = format.clip(text, 1000);
    if (name === 'name' && t.column('baseline')?.get(row) === true) cell.append(h('span', { class: 'ml-badge' }, '◆ baseline'));
    const lost = name === 'name' ? (t.column('lost')?.number(row) ?? 0) : 0;
    if (lost > 0) cell.append(h('span', { class: 'ml-badge ml-lost' }, `incomplete, ${format.count(lost, 'record')} lost`));
  }

  #apply(): void {
    const t = this.#table;
    this.#order = t.sorted(this.#filter.rows(t), this.#sort.name, this.#sort.descending);
    this.#drawGrid();
    this.#drawCharts();
  }

  #drawCharts(): void {
    this.#charts.show({ table: this.#table, order: this.#order, selected: this.#selectedRows(), hidden: this.#hidden! });
  }

  #selectedRows(): Set<number> {
    const ids = this.#table.column('run_id');
    const rows = new Set<number>();
    if (ids && this.#selected.size > 0) for (let i = 0; i < this.#table.rows; i++) if (this.#selected.has(String(ids.get(i)))) rows.add(i);
    return rows;
  }

  /** Ids of the selected runs that there still are: others may have been trashed elsewhere. */
  #chosen(): string[] {
    return [...this.#selectedRows()].map(row => this.#table.text('run_id', row));
  }

  #drawGrid(): void {
    const chosen = this.#selectedRows();
    const table = this.#table;
    this.#grid.set(this.#gridColumns(), this.#order, chosen, this.#sort, row => table.text('run_id', row));
    this.#drawCount(chosen.size);
  }

  #drawCount(chosen: number): void {
    this.#filter.tell(this.#order.length, this.#table.rows, 'run', chosen > 0 ? `, ${chosen.toLocaleString('en-US')} selected` : '');
    this.#drawActions(chosen);
  }

  #filterTyped(): void {
    this.#apply();
    this.#looked();
  }

  #sortBy(name: string): void {
    const metric = name.startsWith('metrics.') ? this.#table.greaterIsBetter.get(figures.label(name)) : undefined;
    // The best first where we know what best is; the newest first; else from the start of the alphabet.
    const first = metric ?? name === 'started_at';
    this.#sort = this.#sort.name === name ? { name, descending: !this.#sort.descending } : { name, descending: first };
    this.#apply();
    this.#looked();
  }

  #select(rows: ReadonlySet<number>): void {
    this.#selected = new Set([...rows].map(row => this.#table.text('run_id', row)));
    this.#drawCount(rows.size);
    this.#drawCharts();
    this.#looked();
  }

  // Menus and actions -----------------------------------------------------------------------------------------------

  #menu(text: string, label: string, content: HTMLElement): HTMLElement {
    // What is pressed in it takes the focus; else the host's cell does, and the menu closes under the mouse.
    content.tabIndex = -1;
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
    const names = this.#names().filter(n => n !== 'name');
    if (names.length !== this.#ticks.size || names.some(n => !this.#ticks.has(n))) {
      this.#ticks.clear();
      this.#columnsMenu.replaceChildren(...names.map(name => this.#columnTick(name)));
    }
    for (const [name, tick] of this.#ticks) tick.checked = !this.#hidden!.has(name);
  }

  #columnTick(name: string): HTMLElement {
    const tick = h('input', {
      type: 'checkbox',
      onchange: () => {
        if (tick.checked) this.#hidden!.delete(name);
        else this.#hidden!.add(name);
        this.#drawGrid();
        this.#drawCharts();
        this.#looked();
      },
    });
    this.#ticks.set(name, tick);
    const group = name.startsWith('metrics.') ? 'metric ' : name.startsWith('params.') ? 'param ' : '';
    return h('label', {}, tick, h('bdi', {}, h('span', { class: 'ml-quiet' }, group), format.clip(FIXED[name] ?? figures.label(name), 200)));
  }

  /** The buttons stay the same ones: who stands on one, or presses it, keeps it while runs come and go. */
  #drawActions(chosen: number): void {
    if (!this.#connector.live) return;
    if (this.#buttons.size === 0) {
      for (const verb of ['compare', 'tag', 'note', 'trash'] as const) {
        this.#buttons.set(verb, h('button', { type: 'button', onclick: () => this.#askFor(verb) }, verb[0]!.toUpperCase() + verb.slice(1)));
      }
      this.#actions.append(...this.#buttons.values(), this.#doing);
    }
    for (const [verb, button] of this.#buttons) {
      const missing = !this.#verbs.includes(verb);
      const few = chosen < (verb === 'compare' ? 2 : 1);
      button.disabled = missing || few || this.#acting !== null;
      button.title = missing ? 'Not available here' : few ? (verb === 'compare' ? 'Select two runs or more' : 'Select a run') : '';
    }
    say(this.#doing, this.#acting ?? '');
  }

  #askFor(verb: Verb): void {
    if (verb === 'compare') {
      void this.#act(verb, {});
      return;
    }
    const runs = format.count(this.#chosen().length, 'run');
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
    if (this.#acting !== null) return;
    const ids = this.#chosen();
    if (verb === 'compare') this.#acting = `Comparing ${format.count(ids.length, 'run')}…`;
    else this.#acting = 'Working…';
    const root = this.#el.getRootNode() as Document;
    const from = root.activeElement;
    this.#drawActions(ids.length);
    try {
      await this.#live.act(() => this.#carryOut(verb, ids, payload));
    } finally {
      this.#acting = null;
      if (!this.#gone) this.#drawActions(this.#selectedRows().size);
      // A button that cannot be pressed loses the focus; who pressed it gets it back.
      if (!this.#gone && (root.activeElement === null || root.activeElement === document.body) && from instanceof HTMLButtonElement) (from.disabled ? this.#grid.el : from).focus();
    }
  }

  async #carryOut(verb: Verb, ids: string[], payload: JsonObject): Promise<void> {
    const answer = await this.#connector.call('act', { verb, run_ids: ids, payload }, PATIENCE);
    if (this.#gone) return;
    if (verb === 'trash') this.#selected.clear();
    // What was just written is shown.
    if (verb === 'tag') this.#hidden?.delete('tags');
    if (verb === 'note') this.#hidden?.delete('note');
    if (verb !== 'compare') this.#looked();
    if (isObject(answer.payload.shown)) this.#show(readSnapshot(answer.payload.shown));
    await this.#live.open();
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
}

interface Best {
  /** Ids of the runs that have the best value. */
  runs: ReadonlySet<string>;
  /** How many runs it is the best of, and how many have the metric of other rows. */
  among: number;
  others: number;
}

/** The best runs by each metric, as Python found them: of all runs, also where only some were saved. */
function bests(table: Table, payload: JsonObject): Map<string, Best> {
  const found = new Map<string, Best>();
  for (const metric of table.keys('metrics.')) {
    const one = own(payload.best, metric);
    if (isObject(one)) found.set(metric, { runs: new Set(Array.isArray(one.runs) ? one.runs.map(words) : []), among: finite(one.among) ?? 0, others: finite(one.others) ?? 0 });
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
