// Datasets: which there are, their versions, columns and first rows, what changed between two, and which runs used them.
import { shares } from '../core/bars.ts';
import * as format from '../core/format.ts';
import type { Answer, Connector, JsonObject } from '../core/protocol.ts';
import { finite, words } from '../core/safe.ts';
import { Table } from '../core/table.ts';
import { choices, h, put, uniqueId } from './dom.ts';
import { Live } from './live.ts';
import { FilterBox, Sheets, facts, part, quiet, rowOf, runSpecs, signature, told } from './parts.ts';
import { Sheet } from './sheet.ts';
import type { Spec } from './sheet.ts';
import { histogram, lanes, meter, mirrored } from './svg.ts';
import { Tabs } from './tabs.ts';

/** A saved list may be a stranger's, and a table may be very wide: what becomes an element of the page has bounds. */
const MOST_COLUMNS = 200;
const MOST_VERSIONS = 200;
const MOST_LANES = 8;

type Tab = 'columns' | 'rows' | 'drift' | 'runs';
const TABS = [['columns', 'Columns'], ['rows', 'First rows'], ['drift', 'What changed'], ['runs', 'Runs']] as const;

export function mountDatasets(el: HTMLElement, connector: Connector): () => void {
  const view = new Datasets(el, connector);
  return () => view.dispose();
}

class Datasets {
  #el: HTMLElement;
  #connector: Connector;
  #live: Live;
  #table = Table.empty;
  #filter = new FilterBox('Filter datasets', 'Filter: rows > 1000 and project = churn', () => this.#apply());
  #sheet: Sheet;
  #id: string | null = null;
  #known = '';
  /** The dataset that is on the screen; another one may have been chosen. */
  #read: string | null = null;
  #version: number | null = null;
  #versions = Table.empty;
  #runs = Table.empty;
  #runsTotal = 0;
  /** Questions about the chosen dataset, and about the version that is shown: what is answered late is not drawn. */
  #choice = 0;
  #turn = 0;
  /** What the panel shows, so that the same is brought up to date in its place. */
  #panelled = '';
  /** The versions that somebody compares; null leaves it to the chosen one and the one before. */
  #compared: { from: string; to: string } | null = null;
  /** Where they are chosen, for these versions. */
  #picks: { of: string; nodes: Node[]; compare: () => void } | null = null;
  #sheets = new Sheets();

  #title = h('h2', {}, 'Datasets');
  #stats = h('dl', { class: 'ml-stats' });
  #notice = h('p', { class: 'ml-quiet', hidden: true });
  #empty = h('div', { class: 'ml-message', hidden: true });
  #main = h('div', { hidden: true });
  #detail = h('section', { class: 'ml-detail', hidden: true });
  #heading = h('h3', { id: uniqueId('dataset') });
  #about = h('div');
  #versionList = h('div');
  #tabs: Tabs<Tab>;

  constructor(el: HTMLElement, connector: Connector) {
    this.#connector = connector;
    this.#sheet = new Sheet('Datasets', 'one', row => void this.#choose(this.#table.text('dataset_id', row)), 'dataset_id');
    this.#tabs = new Tabs<Tab>('About this version', TABS, () => void this.#drawPanel());
    this.#live = new Live(connector, { root: () => this.#el, take: (payload, buffers) => this.#take(payload, buffers) });
    this.#detail.setAttribute('aria-labelledby', this.#heading.id);
    this.#detail.append(this.#heading, this.#about, this.#versionList, this.#tabs.el, this.#tabs.panel);
    this.#main.append(h('div', { class: 'ml-bar' }, this.#filter.box, this.#filter.count), this.#filter.slip, this.#sheet.el, this.#detail);
    this.#el = h('section', { class: 'modellab', 'aria-label': 'ModelLab datasets' },
      h('div', { class: 'ml-top' }, this.#title, this.#live.el), this.#stats, this.#notice, this.#live.trouble, this.#empty, this.#main);
    el.append(this.#el);
    void this.#live.open();
  }

  dispose(): void {
    this.#choice++;
    this.#turn++;
    this.#live.dispose();
    this.#sheet.dispose();
    this.#sheets.clear();
    this.#el.remove();
  }

  // The list --------------------------------------------------------------------------------------------------------

  #take(payload: JsonObject, buffers: DataView[]): void {
    this.#table = part(payload, buffers, 'datasets', 0);
    const t = this.#table;
    this.#title.replaceChildren(h('bdi', {}, format.clip(words(payload.title) || 'Datasets', 300)));
    const cut = format.clip(words(payload.notice), 1000);
    this.#notice.hidden = cut === '';
    this.#notice.textContent = cut;
    this.#empty.hidden = t.rows > 0;
    this.#main.hidden = t.rows === 0;
    this.#stats.hidden = t.rows === 0;
    if (t.rows === 0) {
      this.#empty.replaceChildren(
        h('p', {}, this.#connector.live ? 'No datasets yet. The first one appears here by itself:' : 'No datasets yet.'),
        h('pre', {}, 'ml.datasets.add(frame, "customers")\n\nwith ml.start_run("first"):\n    ml.log_dataset(frame, "customers")'),
      );
      return;
    }
    const sum = (name: string): number => Array.from({ length: t.rows }, (_, row) => t.column(name)?.number(row) ?? 0).reduce((a, b) => a + b, 0);
    const used = Array.from({ length: t.rows }, (_, row) => (t.column('runs')?.number(row) ?? 0) > 0).filter(Boolean).length;
    const newest = t.column('registered_at')?.extreme(true) ?? null;
    const when = newest === null ? null : t.column('registered_at')!.number(newest);
    this.#stats.replaceChildren(...facts([
      ['datasets', format.number(finite(payload.total) ?? t.rows)],
      ['versions', format.number(sum('versions'))],
      ['used by runs', format.number(used)],
      ...(when === null ? [] : [['last registered', this.#connector.live ? format.ago(when, Date.now()) : format.time(when)] as [string, string]]),
    ]));
    this.#apply();
    const row = rowOf(t, 'dataset_id', this.#id);
    if (row === undefined) void this.#choose(t.text('dataset_id', this.#sheet.order[0] ?? 0));
    // What is shown of one is read again only where the list says that something about it changed.
    else if (signature(t, row) !== this.#known) void this.#choose(this.#id!);
  }

  #apply(): void {
    const t = this.#table;
    const rows = this.#filter.rows(t);
    this.#filter.tell(rows.length, t.rows, 'dataset');
    this.#sheet.show(t, this.#specs(), rows, rowOf(t, 'dataset_id', this.#id) ?? null);
  }

  #specs(): Spec[] {
    const t = this.#table;
    const number = (name: string, title: string, group = ''): Spec => ({ name, title, group, numeric: true, text: row => format.number(t.column(name)?.number(row) ?? null) });
    const time = (name: string, title: string): Spec => ({ name, title, text: row => format.time(t.column(name)?.number(row) ?? null) });
    const specs: Spec[] = [
      { name: 'name', title: 'name', text: row => t.text('name', row) || t.text('dataset_id', row) },
      { name: 'project', title: 'project', text: row => t.text('project', row) || format.MISSING },
      number('versions', 'versions'),
      number('rows', 'rows', 'newest'),
      number('columns', 'columns', 'newest'),
      {
        name: 'missing', title: 'missing', group: 'newest', numeric: true, width: 118,
        text: row => format.share(t.column('missing')?.number(row) ?? null),
        fill: (cell, row) => {
          const value = t.column('missing')?.number(row) ?? null;
          cell.append(meter(value) ?? '', h('span', {}, format.share(value)));
        },
      },
      { name: 'size', title: 'size', group: 'file', numeric: true, text: row => format.bytes(t.column('size')?.number(row) ?? null) },
      number('runs', 'runs', 'used by'),
      time('last_used', 'last used'),
      time('registered_at', 'registered'),
      { name: 'description', title: 'description', text: row => t.text('description', row) },
    ];
    const said = (spec: Spec): boolean => Array.from({ length: t.rows }, (_, row) => t.column(spec.name)?.get(row)).some(v => v !== null && v !== undefined && v !== '');
    return specs.filter(spec => t.column(spec.name) && (!['project', 'description', 'size'].includes(spec.name) || said(spec)));
  }

  // One of them -----------------------------------------------------------------------------------------------------

  async #choose(id: string): Promise<void> {
    const t = this.#table;
    const row = rowOf(t, 'dataset_id', id);
    if (row === undefined) return;
    this.#known = signature(t, row);
    if (id !== this.#id) {
      this.#id = id;
      this.#version = null;
      this.#compared = null;
      this.#turn++;
      this.#apply();
    }
    const choice = ++this.#choice;
    const head = (): void => {
      const description = t.text('description', row);
      this.#detail.hidden = false;
      this.#heading.replaceChildren(h('bdi', {}, format.clip(t.text('name', row) || id, 300)));
      this.#about.replaceChildren(description ? h('p', {}, h('bdi', {}, format.clip(description, 2000))) : '', quiet(format.clip(id, 80)));
    };
    // Head and versions change together: what is on the screen is of one dataset.
    const waiting = setTimeout(() => {
      if (choice !== this.#choice || this.#read === id) return;
      head();
      this.#versionList.replaceChildren(h('p', { class: 'ml-message', role: 'status' }, 'Reading…'));
      this.#tabs.el.hidden = this.#tabs.panel.hidden = true;
    }, 250);
    try {
      const { payload, buffers } = await this.#connector.call('dataset', { dataset_id: id });
      if (choice !== this.#choice) return;
      if (this.#read !== id) this.#sheets.clear();
      this.#read = id;
      this.#versions = part(payload, buffers, 'versions', 0);
      this.#runs = part(payload, buffers, 'runs', 1);
      this.#runsTotal = finite(payload.runs_total) ?? this.#runs.rows;
      const numbers = this.#versions.column('version');
      const known = Array.from({ length: this.#versions.rows }, (_, i) => numbers?.number(i) ?? null);
      if (this.#version === null || !known.includes(this.#version)) this.#version = known[0] ?? null;
      head();
      this.#tabs.title('runs', `Runs (${format.number(this.#runsTotal)})`);
      this.#drawVersions();
      this.#tabs.el.hidden = this.#tabs.panel.hidden = false;
      void this.#drawPanel();
    } catch (error) {
      if (choice !== this.#choice) return;
      this.#read = null;
      head();
      this.#versionList.replaceChildren(told(this.#connector, error, () => void this.#choose(id)));
      this.#tabs.el.hidden = this.#tabs.panel.hidden = true;
    } finally {
      clearTimeout(waiting);
    }
  }

  #drawVersions(): void {
    const t = this.#versions;
    const group = uniqueId('versions');
    const number = (name: string, row: number): number | null => t.column(name)?.number(row) ?? null;
    const used = new Map<number, number>();
    for (let i = 0; i < this.#runs.rows; i++) {
      const v = this.#runs.column('version')?.number(i) ?? null;
      if (v !== null) used.set(v, (used.get(v) ?? 0) + 1);
    }
    const shown = Math.min(t.rows, MOST_VERSIONS);
    const lines = Array.from({ length: shown }, (_, row) => {
      const version = number('version', row);
      const [rows, before] = [number('rows', row), row + 1 < t.rows ? number('rows', row + 1) : null];
      const more = rows !== null && before !== null && rows !== before ? ` (${rows > before ? '+' : '−'}${format.number(Math.abs(rows - before))})` : '';
      const radio = h('input', { type: 'radio', name: group, onchange: () => this.#chooseVersion(version) });
      radio.checked = version === this.#version;
      const path = t.text('path', row);
      const [first, last] = [number('created_at', row), number('registered_at', row)];
      return h('tr', {},
        h('th', { scope: 'row' }, h('label', { class: 'ml-pick' }, radio, `v${format.number(version)}`, row === 0 ? h('span', { class: 'ml-badge' }, 'newest') : null)),
        h('td', { class: 'ml-num' }, format.number(rows), more ? h('span', { class: 'ml-ci' }, more) : null),
        h('td', { class: 'ml-num' }, format.number(number('columns', row))),
        h('td', { class: 'ml-num' }, format.bytes(number('size', row))),
        h('td', { class: 'ml-num' }, format.number(used.get(version ?? NaN) ?? 0)),
        h('td', {}, format.time(first), last !== null && first !== null && last - first > 60_000 ? h('span', { class: 'ml-ci' }, `again ${format.time(last)}`) : null),
        h('td', { title: path ? format.clip(path, 1000) : null }, h('bdi', {}, format.clip(t.text('source', row) || format.MISSING, 40))),
        h('td', { title: format.clip(t.text('digest', row), 100) }, h('code', {}, t.text('digest', row).slice(0, 12))));
    });
    const heads = ['version', 'rows', 'columns', 'size', 'runs', 'registered', 'source', 'digest'].map((text, i) => h('th', { scope: 'col', class: i > 0 && i < 5 ? 'ml-num' : null }, text));
    const list = this.#versionList;
    const [held, place] = [list.contains((list.getRootNode() as Document).activeElement), list.firstElementChild?.scrollTop ?? 0];
    list.replaceChildren(
      h('div', { class: 'ml-scroll ml-versions', tabindex: 0, role: 'region', 'aria-label': 'Versions' },
        h('table', { class: 'ml-table' }, h('caption', { class: 'ml-sr' }, 'Versions, the newest first; choose which one is shown'), h('thead', {}, h('tr', {}, ...heads)), h('tbody', {}, ...lines))),
      shown < t.rows ? quiet(`The newest ${shown} of ${format.count(t.rows, 'version')} are shown.`) : '');
    list.firstElementChild!.scrollTop = place;
    if (held) list.querySelector<HTMLElement>('input:checked')?.focus({ preventScroll: true });
  }

  #chooseVersion(version: number | null): void {
    this.#version = version;
    this.#compared = null;
    void this.#drawPanel();
  }

  // What is known of a version --------------------------------------------------------------------------------------

  async #drawPanel(): Promise<void> {
    const tab = this.#tabs.chosen;
    if (tab === 'runs') this.#put(this.#runsPanel());
    else if (tab === 'drift') this.#put(this.#driftPanel());
    else if (tab === 'columns') await this.#ask('summary', { dataset_id: this.#id!, version: this.#version }, answer => this.#columnsPanel(answer));
    else await this.#ask('preview', { dataset_id: this.#id!, version: this.#version }, answer => this.#rowsPanel(answer));
  }

  #put(nodes: (Node | string)[]): void {
    this.#turn++;
    if (this.#tabs.panel.firstChild !== nodes[0]) this.#panelled = '';
    put(this.#tabs.panel, nodes);
    this.#tabs.panel.removeAttribute('aria-busy');
  }

  /** Ask and show; what comes late is not shown, and what takes long says that it is on its way. */
  async #ask(verb: string, payload: JsonObject, draw: (answer: Answer) => (Node | string)[], into: HTMLElement = this.#tabs.panel): Promise<void> {
    const turn = ++this.#turn;
    const asked = JSON.stringify([verb, payload]);
    into.setAttribute('aria-busy', 'true');
    // What is brought up to date stays on the screen until it is.
    const waiting = setTimeout(() => {
      if (this.#panelled !== asked) put(into, [h('p', { class: 'ml-message', role: 'status' }, verb === 'drift' ? 'Comparing the versions…' : 'Reading…')]);
    }, 250);
    let nodes: (Node | string)[];
    try {
      const answer = await this.#connector.call(verb, payload);
      if (turn !== this.#turn) return;
      nodes = draw(answer);
      this.#panelled = asked;
    } catch (error) {
      if (turn !== this.#turn) return;
      nodes = [told(this.#connector, error, () => void this.#ask(verb, payload, draw, into))];
      this.#panelled = '';
    } finally {
      clearTimeout(waiting);
    }
    put(into, nodes);
    into.removeAttribute('aria-busy');
  }

  #noTable(): Node[] {
    return [quiet('This version is a file that is no table; it is known by its bytes alone.')];
  }

  #columnsPanel({ payload, buffers }: Answer): (Node | string)[] {
    if (payload.is_table === false) return this.#noTable();
    const t = part(payload, buffers, 'columns', 0);
    const total = finite(payload.total) ?? t.rows;
    const sheet = this.#sheets.of('Columns', 'column');
    const all = Array.from({ length: t.rows }, (_, row) => row);
    const amount = (name: string, row: number): string => {
      const value = t.column(name)?.number(row) ?? null;
      return t.text('kind', row) === 'time' ? format.utc(value) : format.value(value, 5);
    };
    const top = (row: number): string => {
      const [names, parts] = [t.column('top')?.get(row), shares(t.column('top_shares')?.get(row) ?? null)];
      return Array.isArray(names) ? names.map((name, i) => `${format.named(name, 60)} ${format.share(parts[i] ?? null)}`).join(', ') : '';
    };
    const numeric = (name: string, title: string): Spec => ({ name, title, numeric: true, text: row => amount(name, row) });
    const specs: Spec[] = [
      { name: 'column', title: 'column', text: row => t.text('column', row) },
      {
        name: 'bars', title: 'distribution', width: 138, text: () => '',
        fill: (cell, row) => {
          const parts = shares(t.column('bars')?.get(row) ?? null);
          const kind = t.text('kind', row);
          if (parts.length === 0) cell.append(h('span', { class: 'ml-quiet' }, format.MISSING));
          else cell.append(histogram(parts, kind === 'category' ? `shares of ${format.clip(top(row), 200)}` : `spread from ${amount('least', row)} to ${amount('most', row)}`));
        },
      },
      { name: 'type', title: 'type', text: row => t.text('type', row) },
      {
        name: 'missing', title: 'missing', numeric: true, width: 118, text: row => format.share(t.column('missing')?.number(row) ?? null),
        fill: (cell, row) => {
          const value = t.column('missing')?.number(row) ?? null;
          cell.append(meter(value) ?? '', h('span', {}, format.share(value)));
        },
      },
      { name: 'distinct', title: 'distinct', numeric: true, text: row => format.number(t.column('distinct')?.number(row) ?? null) },
      numeric('least', 'least'),
      numeric('median', 'median'),
      numeric('most', 'greatest'),
      { name: 'top', title: 'most frequent', text: top },
      numeric('mean', 'mean'),
    ];
    const filled = specs.filter(spec => !['least', 'median', 'most', 'mean', 'top'].includes(spec.name) || all.some(row => spec.text(row) !== '' && spec.text(row) !== format.MISSING));
    sheet.show(t, filled);
    const rows = format.count(finite(payload.rows) ?? 0, 'row');
    return [quiet(total > t.rows ? `${rows}; the first ${format.number(t.rows)} of ${format.count(total, 'column')}.` : `${rows}, ${format.count(total, 'column')}.`), sheet.el];
  }

  #rowsPanel({ payload, buffers }: Answer): (Node | string)[] {
    if (payload.is_table === false) return this.#noTable();
    const t = part(payload, buffers, 'table', 0);
    const names = Array.isArray(payload.names) ? payload.names.map(words) : [];
    const columns = [...t.columns.values()].slice(0, MOST_COLUMNS);
    const total = finite(payload.total) ?? t.columns.size;
    const sheet = this.#sheets.of('First rows', '');
    const text = (i: number, row: number): string => {
      const value = columns[i]!.get(row);
      return value === null ? format.MISSING : typeof value === 'number' ? format.value(value) : String(value);
    };
    sheet.show(t, columns.map((column, i) => ({
      name: column.name,
      title: names[i] ?? column.name,
      numeric: column.kind === 'number',
      text: row => text(i, row),
      fill: (cell, row) => {
        const shown = text(i, row);
        if (columns[i]!.get(row) === null) cell.append(h('span', { class: 'ml-quiet', title: 'missing' }, shown));
        else cell.append(h('bdi', {}, format.clip(shown, 200)));
        if (shown.length > 18) cell.title = format.clip(shown, 1000);
      },
    })));
    const row = Array.from({ length: this.#versions.rows }, (_, i) => i).find(i => this.#versions.column('version')?.number(i) === this.#version);
    const rows = row === undefined ? null : (this.#versions.column('rows')?.number(row) ?? null);
    const wide = columns.length < total ? ` The first ${format.number(columns.length)} of ${format.count(total, 'column')}.` : '';
    return [quiet(`The first ${format.number(t.rows)}${rows === null ? '' : ` of ${format.number(rows)}`} rows, as they were when the version was registered.${wide}`), t.rows === 0 ? '' : sheet.el];
  }

  // What changed ----------------------------------------------------------------------------------------------------

  #driftPanel(): (Node | string)[] {
    const known = Array.from({ length: this.#versions.rows }, (_, i) => this.#versions.column('version')?.number(i) ?? null).filter(v => v !== null);
    if (known.length < 2) return [quiet('There is one version only. Once other content is registered under this name, what changed is told here.')];
    const names = known.map(String);
    const place = known.indexOf(this.#version ?? known[0]!);
    const wanted = this.#compared ?? { from: names[place + 1] ?? names[place - 1]!, to: names[place]! };
    const of = JSON.stringify([this.#id, names, wanted]);
    if (this.#picks?.of === of) {
      queueMicrotask(this.#picks.compare);
      return this.#picks.nodes;
    }
    const [to, from] = [h('select', {}), h('select', {})];
    choices(from, names, name => `version ${name}`, wanted.from);
    choices(to, names, name => `version ${name}`, wanted.to);
    const result = h('div');
    const compare = (): void => {
      void this.#ask('drift', { dataset_id: this.#id!, old: Number(from.value), new: Number(to.value) }, answer => this.#driftResult(answer), result);
    };
    for (const select of [from, to]) {
      select.addEventListener('change', () => {
        this.#compared = { from: from.value, to: to.value };
        this.#picks!.of = JSON.stringify([this.#id, names, this.#compared]);
        compare();
      });
    }
    queueMicrotask(compare);
    this.#picks = { of, compare, nodes: [h('div', { class: 'ml-choose' }, h('label', {}, 'from', from), h('label', {}, 'to', to)), result] };
    return this.#picks.nodes;
  }

  #driftResult({ payload, buffers }: Answer): (Node | string)[] {
    if (payload.same === true) return [h('p', { class: 'ml-lede' }, 'The content is the same, value for value.')];
    const t = part(payload, buffers, 'columns', 0);
    const number = (name: string, row: number): number | null => t.column(name)?.number(row) ?? null;
    const [added, removed, changed, total] = [finite(payload.rows_added), finite(payload.rows_removed), finite(payload.changed) ?? 0, finite(payload.total) ?? t.rows];
    const moved = added === null || removed === null ? 'which ones came and went is not known' : `${format.number(added)} new, ${format.number(removed)} gone`;
    const alpha = 1 - (finite(payload.confidence_level) ?? 0.95);
    const sheet = this.#sheets.of('What changed, by column', 'column');
    const verdict = (row: number): [string, string] => {
      const change = t.text('change', row);
      if (change === 'added') return ['+', 'new column'];
      if (change === 'removed') return ['−', 'column is gone'];
      if (t.column('changed')?.get(row) !== true) return number('q', row) === null && number('missing_q', row) === null ? ['', 'not tested'] : ['○', 'no evidence'];
      return ['◆', change === 'retyped' ? 'other type' : 'changed'];
    };
    const both = (one: string, two: string): string => (one === two || two === '' ? one : one === '' ? two : `${one} → ${two}`);
    const q = (name: string, title: string, group: string): Spec => ({ name, title, group, numeric: true, text: row => format.pValue(number(name, row)) });
    const specs: Spec[] = [
      { name: 'column', title: 'column', text: row => t.text('column', row) },
      {
        name: 'change', title: 'verdict', width: 146, text: row => verdict(row)[1],
        fill: (cell, row) => {
          const [shape, text] = verdict(row);
          cell.append(h('span', { class: t.column('changed')?.get(row) === true ? 'ml-verdict' : 'ml-quiet' }, h('span', { class: 'ml-shape', 'aria-hidden': 'true' }, shape), text));
        },
      },
      {
        name: 'distance', title: 'old ▴ new ▾', group: 'distribution', width: 146, text: () => '',
        fill: (cell, row) => {
          const [old, fresh] = [shares(t.column('bars_old')?.get(row) ?? null), shares(t.column('bars_new')?.get(row) ?? null)];
          if (old.length + fresh.length > 0) cell.append(mirrored(old, fresh, `distributions differ by ${format.number(number('distance', row))}`));
          else cell.append(h('span', { class: 'ml-quiet' }, format.MISSING));
        },
      },
      { name: 'distance', title: 'distance', group: 'distribution', numeric: true, text: row => format.number(number('distance', row)) },
      q('q', 'q', 'distribution'),
      { name: 'missing_new', title: 'share', group: 'missing', numeric: true, text: row => both(format.share(number('missing_old', row)), format.share(number('missing_new', row))) },
      q('missing_q', 'q', 'missing'),
      { name: 'new_type', title: 'type', text: row => both(t.text('old_type', row), t.text('new_type', row)) },
      { name: 'test', title: 'test', text: row => t.text('test', row) || format.MISSING },
      { name: 'note', title: 'note', text: row => t.text('note', row) },
    ];
    const noted = Array.from({ length: t.rows }, (_, row) => t.text('note', row)).some(note => note !== '');
    sheet.show(t, specs.filter(spec => noted || spec.name !== 'note'));
    return [
      h('p', { class: 'ml-lede' }, changed === 0 ? `No evidence that any of ${format.count(total, 'column')} changed.` : `${format.number(changed)} of ${format.count(total, 'column')} changed.`,
        ` Rows: ${format.number(finite(payload.rows_old))} → ${format.number(finite(payload.rows_new))} (${moved}).`),
      sheet.el,
      quiet(`A change is tested on ${format.clip(words(payload.basis), 300)}; q is the p-value corrected over all tests, and at most ${format.value(alpha, 2)} where a column is said to have changed. Distance: the largest difference of a share of rows.`),
    ];
  }

  // Who used it -----------------------------------------------------------------------------------------------------

  #runsPanel(): (Node | string)[] {
    const t = this.#runs;
    if (t.rows === 0) return [quiet('No run has used this dataset yet; ml.log_dataset(frame, name) in a run says that it does.')];
    const sheet = this.#sheets.of('Runs that used this dataset', 'run_id');
    const version = (row: number): string => `v${format.number(t.column('version')?.number(row) ?? null)}`;
    sheet.show(t, [
      { name: 'name', title: 'run', text: row => t.text('name', row) || t.text('run_id', row) },
      { name: 'version', title: 'version', text: version },
      { name: 'split', title: 'as', text: row => t.text('split', row) || format.MISSING },
      ...runSpecs(t),
      { name: 'project', title: 'project', text: row => t.text('project', row) || format.MISSING },
      { name: 'used_at', title: 'used', text: row => format.time(t.column('used_at')?.number(row) ?? null) },
    ]);
    const cut = t.rows < this.#runsTotal ? quiet(`The latest ${format.number(t.rows)} of ${format.count(this.#runsTotal, 'run')}.`) : '';
    return [...this.#lineage(), sheet.el, cut];
  }

  #lineage(): Node[] {
    const [v, t] = [this.#versions, this.#runs];
    const all = Array.from({ length: Math.min(v.rows, MOST_LANES) }, (_, row) => {
      const version = v.column('version')?.number(row) ?? 0;
      const uses = Array.from({ length: t.rows }, (_, i) => i).filter(i => t.column('version')?.number(i) === version && t.column('used_at')?.number(i) !== null);
      return {
        version,
        registered: v.column('created_at')?.number(row) ?? null,
        uses: uses.map(i => ({ at: t.column('used_at')!.number(i)!, name: t.text('name', i), failed: ['failed', 'interrupted', 'stale'].includes(t.text('status', i)) })),
      };
    });
    const label = `Which runs used which version: ${all.map(lane => `version ${lane.version}, ${format.count(lane.uses.length, 'run')}`).join('; ')}`;
    const drawn = lanes(all, label);
    if (drawn === null) return [];
    return [h('figure', { class: 'ml-activity' }, h('figcaption', { class: 'ml-quiet' }, '◇ registered · ● used by a run · ✕ used by a run that did not finish'), drawn)];
  }
}
