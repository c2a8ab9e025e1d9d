// Projects: which there are, what happened when, and of each its newest runs, its datasets and its dashboard.
import type { Period } from '../core/bars.ts';
import { loadAsset } from '../core/assets.ts';
import * as format from '../core/format.ts';
import type { Connector, JsonObject } from '../core/protocol.ts';
import { readSnapshot } from '../core/protocol.ts';
import { Unreadable, finite, words } from '../core/safe.ts';
import { SnapshotConnector } from '../core/snapshot.ts';
import { Table } from '../core/table.ts';
import { mountDashboard } from './dashboard.ts';
import { h, put, uniqueId } from './dom.ts';
import { Live } from './live.ts';
import { FilterBox, STATUS, Sheets, around, beside, besideText, facts, part, quiet, rowOf, runSpecs, signature, told } from './parts.ts';
import { Sheet } from './sheet.ts';
import type { Spec } from './sheet.ts';
import { activity, sparkline } from './svg.ts';
import { Tabs } from './tabs.ts';

type Tab = 'runs' | 'datasets';
const TABS = [['runs', 'Newest runs'], ['datasets', 'Datasets']] as const;

export function mountProjects(el: HTMLElement, connector: Connector): () => void {
  const view = new Projects(el, connector);
  return () => view.dispose();
}

class Projects {
  #el: HTMLElement;
  #connector: Connector;
  #live: Live;
  #table = Table.empty;
  #days = new Map<string, Period[]>();
  #first = Infinity;
  #latest = -Infinity;
  #filter = new FilterBox('Filter projects', 'Filter: runs > 10 and failed > 0', () => this.#apply());
  #sheet: Sheet;
  #id: string | null = null;
  #known = '';
  #runs = Table.empty;
  #datasets = Table.empty;
  #totals = { runs: 0, datasets: 0 };
  /** The project that is on the screen; another one may have been chosen. */
  #read: string | null = null;
  #about_ = '';
  #turn = 0;
  #sheets = new Sheets();
  #unmountResult: (() => void) | null = null;

  #stats = h('dl', { class: 'ml-stats' });
  #notice = h('p', { class: 'ml-quiet', hidden: true });
  #all = h('div');
  #empty = h('div', { class: 'ml-message', hidden: true });
  #main = h('div', { hidden: true });
  #detail = h('section', { class: 'ml-detail', hidden: true });
  #heading = h('h3', { id: uniqueId('project') });
  #about = h('div');
  #own = h('div');
  #tabs: Tabs<Tab>;
  #trouble = h('div');
  #result = h('div');

  constructor(el: HTMLElement, connector: Connector) {
    this.#connector = connector;
    this.#sheet = new Sheet('Projects', 'one', row => void this.#choose(this.#table.text('project_id', row)), 'project_id');
    this.#tabs = new Tabs<Tab>('About this project', TABS, () => this.#drawPanel());
    this.#live = new Live(connector, { root: () => this.#el, take: (payload, buffers) => this.#take(payload, buffers) });
    this.#detail.setAttribute('aria-labelledby', this.#heading.id);
    this.#detail.append(this.#heading, this.#about, this.#own, this.#trouble, this.#tabs.el, this.#tabs.panel, this.#result);
    this.#main.append(this.#all, h('div', { class: 'ml-bar' }, this.#filter.box, this.#filter.count), this.#filter.slip, this.#sheet.el, this.#detail);
    this.#el = h('section', { class: 'modellab', 'aria-label': 'ModelLab projects' },
      h('div', { class: 'ml-top' }, h('h2', {}, 'Projects'), this.#live.el), this.#stats, this.#notice, this.#live.trouble, this.#empty, this.#main);
    el.append(this.#el);
    void this.#live.open();
  }

  dispose(): void {
    this.#turn++;
    this.#live.dispose();
    this.#sheet.dispose();
    this.#sheets.clear();
    this.#unmountResult?.();
    this.#el.remove();
  }

  // The list --------------------------------------------------------------------------------------------------------

  #take(payload: JsonObject, buffers: DataView[]): void {
    const t = (this.#table = part(payload, buffers, 'projects', 0));
    const all = this.#readDays(part(payload, buffers, 'activity', 1));
    const cut = format.clip(words(payload.notice), 1000);
    this.#notice.hidden = cut === '';
    this.#notice.textContent = cut;
    this.#empty.hidden = t.rows > 0;
    this.#main.hidden = this.#stats.hidden = t.rows === 0;
    if (t.rows === 0) {
      this.#empty.replaceChildren(
        h('p', {}, this.#connector.live ? 'No projects yet. The first run makes one, and it appears here by itself:' : 'No projects yet.'),
        h('pre', {}, 'with ml.start_run("first", project_id="churn") as run:\n    ml.log_metrics({"accuracy": 0.9})'),
      );
      return;
    }
    const sum = (name: string): number => this.#rows().reduce((total, row) => total + (t.column(name)?.number(row) ?? 0), 0);
    const last = t.column('last_activity')?.extreme(true) ?? null;
    const when = last === null ? null : t.column('last_activity')!.number(last);
    const words_ = ['running', 'failed', 'interrupted', 'stale'].filter(word => sum(word) > 0);
    this.#stats.replaceChildren(...facts([
      ['projects', format.number(finite(payload.total) ?? t.rows)],
      ['runs', format.number(sum('runs'))],
      ...words_.map(word => [word, `${STATUS.get(word)} ${format.number(sum(word))}`] as const),
      ...(when === null ? [] : [['last activity', this.#connector.live ? format.ago(when, Date.now()) : format.time(when)] as const]),
    ]));
    this.#all.replaceChildren(activity(all));
    this.#apply();
    const row = rowOf(t, 'project_id', this.#id);
    if (row === undefined) void this.#choose(t.text('project_id', this.#sheet.order[0] ?? 0));
    else if (signature(t, row) !== this.#known) void this.#choose(this.#id!);
  }

  #rows(): number[] {
    return Array.from({ length: this.#table.rows }, (_, row) => row);
  }

  /** Keep the days of each project, and give those of all. */
  #readDays(table: Table): Period[] {
    const all = new Map<number, Period>();
    this.#days = new Map();
    [this.#first, this.#latest] = [Infinity, -Infinity];
    for (let i = 0; i < table.rows; i++) {
      const start = table.column('day')?.number(i) ?? null;
      if (start === null) continue;
      const day = { start, runs: Math.max(0, table.column('runs')?.number(i) ?? 0), failed: Math.max(0, table.column('failed')?.number(i) ?? 0) };
      const id = table.text('project_id', i);
      const mine = this.#days.get(id);
      if (mine) mine.push(day);
      else this.#days.set(id, [day]);
      const known = all.get(start);
      all.set(start, known ? { start, runs: known.runs + day.runs, failed: known.failed + day.failed } : day);
      this.#first = Math.min(this.#first, start);
      this.#latest = Math.max(this.#latest, start);
    }
    return [...all.values()];
  }

  #apply(): void {
    const t = this.#table;
    const rows = this.#filter.rows(t);
    this.#filter.tell(rows.length, t.rows, 'project');
    this.#sheet.show(t, this.#specs(), rows, rowOf(t, 'project_id', this.#id) ?? null);
  }

  #specs(): Spec[] {
    const t = this.#table;
    const number = (name: string, row: number): number | null => t.column(name)?.number(row) ?? null;
    const plain = (name: string, title: string): Spec => ({ name, title, numeric: true, text: row => format.number(number(name, row)) });
    const specs: Spec[] = [
      { name: 'name', title: 'name', text: row => t.text('name', row) || t.text('project_id', row) },
      {
        name: 'runs', title: 'activity', group: 'runs over time', width: 138, text: () => '',
        fill: (cell, row) => {
          const days = this.#days.get(t.text('project_id', row)) ?? [];
          cell.append(days.length > 0 ? sparkline(days, this.#first, this.#latest) : h('span', { class: 'ml-quiet' }, format.MISSING));
        },
      },
      plain('runs', 'runs'),
      ...['finished', 'failed', 'running', 'interrupted', 'stale'].filter(word => word === 'finished' || this.#rows().some(row => (number(word, row) ?? 0) > 0)).map((word): Spec => ({
        name: word, title: `${STATUS.get(word)} ${word}`, numeric: true, text: row => format.number(number(word, row)),
        fill: (cell, row) => {
          const n = number(word, row) ?? 0;
          cell.append(h('span', { class: n === 0 ? 'ml-quiet' : `ml-status-${word}` }, format.number(n)));
        },
      })),
      plain('datasets', 'datasets'),
      { name: 'last_activity', title: 'last activity', text: row => format.time(number('last_activity', row)) },
      { name: 'best_run', title: 'best run', text: row => t.text('best_run', row) || format.MISSING },
      { name: 'metric', title: 'by', group: 'best run', text: row => t.text('metric', row) || format.MISSING },
      {
        name: 'value', title: 'value', group: 'best run', numeric: true, text: row => `${format.number(number('value', row))} ${besideText(...around(t, row))}`,
        fill: (cell, row) => {
          cell.append(h('span', {}, format.number(number('value', row))));
          cell.append(beside(...around(t, row)) ?? '');
        },
      },
      { name: 'description', title: 'description', text: row => t.text('description', row) },
    ];
    const judged = this.#rows().some(row => t.text('best_run', row) !== '');
    const described = this.#rows().some(row => t.text('description', row) !== '');
    return specs.filter(spec => (judged || !['best_run', 'metric', 'value'].includes(spec.name)) && (described || spec.name !== 'description'));
  }

  // One of them -----------------------------------------------------------------------------------------------------

  async #choose(id: string): Promise<void> {
    const t = this.#table;
    const row = rowOf(t, 'project_id', id);
    if (row === undefined) return;
    this.#known = signature(t, row);
    if (id !== this.#id) {
      this.#id = id;
      this.#closeResult();
      this.#apply();
    }
    const name = t.text('name', row) || id;
    this.#detail.hidden = false;
    this.#heading.replaceChildren(h('bdi', {}, format.clip(name, 300)));
    this.#drawAbout(id, name, t.text('description', row));
    const days = this.#days.get(id) ?? [];
    this.#own.replaceChildren(days.length > 0 ? activity(days) : '');
    const turn = ++this.#turn;
    const waiting = setTimeout(() => {
      if (turn === this.#turn && this.#read !== id) this.#tabs.panel.replaceChildren(h('p', { class: 'ml-message', role: 'status' }, 'Reading…'));
    }, 250);
    try {
      const { payload, buffers } = await this.#connector.call('project', { project_id: id });
      if (turn !== this.#turn) return;
      if (this.#read !== id) this.#sheets.clear();
      this.#read = id;
      this.#runs = part(payload, buffers, 'runs', 0);
      this.#datasets = part(payload, buffers, 'datasets', 1);
      this.#totals = { runs: t.column('runs')?.number(row) ?? this.#runs.rows, datasets: finite(payload.datasets_total) ?? this.#datasets.rows };
      this.#trouble.replaceChildren();
      this.#tabs.title('runs', `Newest runs (${format.number(this.#totals.runs)})`);
      this.#tabs.title('datasets', `Datasets (${format.number(this.#totals.datasets)})`);
      this.#tabs.el.hidden = this.#tabs.panel.hidden = false;
      this.#drawPanel();
    } catch (error) {
      if (turn !== this.#turn) return;
      this.#read = null;
      this.#tabs.el.hidden = this.#tabs.panel.hidden = true;
      this.#trouble.replaceChildren(told(this.#connector, error, () => void this.#choose(id)));
    } finally {
      clearTimeout(waiting);
    }
  }

  /** Drawn again only where it says something else: who stands on its button stays there. */
  #drawAbout(id: string, name: string, description: string): void {
    const says = JSON.stringify([id, name, description]);
    if (says === this.#about_) return;
    this.#about_ = says;
    const open = h('button', { type: 'button', onclick: () => void this.#openDashboard(id) }, 'Show its dashboard here');
    this.#about.replaceChildren(
      description ? h('p', {}, h('bdi', {}, format.clip(description, 2000))) : '',
      h('div', { class: 'ml-bar' }, h('span', {}, 'Open it in a cell: ', h('code', { class: 'ml-whole' }, h('bdi', {}, `ml.dashboard(${format.quoted(name)})`))), this.#connector.live ? open : ''));
  }

  #drawPanel(): void {
    const isRuns = this.#tabs.chosen === 'runs';
    const t = isRuns ? this.#runs : this.#datasets;
    const total = isRuns ? this.#totals.runs : this.#totals.datasets;
    if (t.rows === 0) {
      this.#tabs.panel.replaceChildren(quiet(isRuns ? 'No runs yet.' : 'No datasets yet; ml.log_dataset(frame, name) in a run, or ml.datasets.add, registers one.'));
      return;
    }
    const number = (name: string, row: number): number | null => t.column(name)?.number(row) ?? null;
    const plain = (name: string, title: string): Spec => ({ name, title, numeric: true, text: row => format.number(number(name, row)) });
    const sheet = isRuns ? this.#sheets.of('Newest runs', 'run_id') : this.#sheets.of('Datasets of it', 'dataset_id');
    sheet.show(t, isRuns
      ? [
          { name: 'name', title: 'run', text: row => t.text('name', row) || t.text('run_id', row) },
          ...runSpecs(t),
          { name: 'started_at', title: 'started', text: row => format.time(number('started_at', row)) },
          { name: 'duration', title: 'duration', numeric: true, text: row => format.duration(number('duration', row)) },
        ]
      : [
          { name: 'name', title: 'dataset', text: row => t.text('name', row) || t.text('dataset_id', row) },
          { name: 'version', title: 'version', text: row => `v${format.number(number('version', row))}` },
          plain('rows', 'rows'),
          plain('columns', 'columns'),
          plain('runs', 'runs'),
          { name: 'last_used', title: 'last used', text: row => format.time(number('last_used', row)) },
        ]);
    put(this.#tabs.panel, [sheet.el, t.rows < total ? quiet(`The newest ${format.number(t.rows)} of ${format.number(total)}.`) : '']);
  }

  // Its dashboard ---------------------------------------------------------------------------------------------------

  async #openDashboard(id: string): Promise<void> {
    this.#closeResult();
    this.#result.replaceChildren(h('p', { class: 'ml-message', role: 'status' }, 'Reading…'));
    try {
      const { payload } = await this.#connector.call('dashboard', { project_id: id });
      if (id !== this.#id) return;
      const shown = readSnapshot(payload.shown);
      if (typeof shown === 'string') throw new Unreadable(shown);
      // What is shown asks no kernel: where no extension has the shared Plotly, it is fetched before.
      await loadAsset('plotly', __PLOTLY__, async () => (await this.#connector.call('asset', { name: 'plotly', hash: __PLOTLY__ })).buffers[0]!);
      const place = h('div', { class: 'ml-nested' });
      const close = h('button', { type: 'button', onclick: () => this.#closeResult(true) }, 'Close');
      this.#result.replaceChildren(h('div', { class: 'ml-bar' }, quiet('As it is now; a cell of its own stays live.'), h('span', { class: 'ml-spacer' }), close), place);
      this.#unmountResult?.();
      this.#unmountResult = mountDashboard(place, new SnapshotConnector(shown));
      close.focus();
    } catch (error) {
      if (id === this.#id) this.#result.replaceChildren(told(this.#connector, error, () => void this.#openDashboard(id)));
    }
  }

  #closeResult(focus = false): void {
    this.#unmountResult?.();
    this.#unmountResult = null;
    this.#result.replaceChildren();
    if (focus) this.#about.querySelector('button')?.focus();
  }
}
