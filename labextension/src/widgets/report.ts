// A page of sections (words, numbers, tables, figures) that Python composed: comparison and evaluation for now.
import * as format from '../core/format.ts';
import { isObject } from '../core/protocol.ts';
import type { Connector, Json, JsonObject } from '../core/protocol.ts';
import { Unreadable, finite, words } from '../core/safe.ts';
import { readTable } from '../core/table.ts';
import type { Column, Table } from '../core/table.ts';
import { Chart } from './chart.ts';
import { h, uniqueId } from './dom.ts';
import { thresholdPanel } from './thresholds.ts';

const list = (value: Json | undefined): JsonObject[] => (Array.isArray(value) ? value.filter(isObject) : []);
/** A saved page may be a stranger's: what is drawn of it has bounds. */
const MOST_SECTIONS = 200;
const MOST_ROWS = 1000;
const MOST_COLUMNS = 200;
const MOST_ITEMS = 60;

const quiet = (text: string): HTMLElement => h('p', { class: 'ml-quiet' }, text);

/** Draw the sections; the function returned takes them away. */
export function mountReport(el: HTMLElement, connector: Connector, data: JsonObject, title: string): () => void {
  const charts: Chart[] = [];
  const heading = uniqueId('report');
  const root = h('section', { class: 'modellab', 'aria-labelledby': heading }, h('h2', { id: heading }, h('bdi', {}, format.clip(title, 300))));
  let figures: HTMLElement | null = null;
  const draw = (section: JsonObject): void => {
    const kind = section.kind;
    const text = format.clip(words(section.text), 4000);
    if (kind === 'heading') root.append(h('h3', {}, text));
    else if (kind === 'text') root.append(h('p', { class: section.role === 'lede' ? 'ml-lede' : section.role === 'note' ? 'ml-quiet' : null }, text));
    else if (kind === 'stats') root.append(stats(list(section.items)));
    else if (kind === 'thresholds') root.append(thresholdPanel(section));
    else if (kind === 'table') root.append(table(section));
    else if (kind === 'figure') {
      const chart = new Chart(connector, format.clip(words(section.alt) || 'Figure', 1000), Math.max(80, Math.min(2000, finite(section.height) ?? 320)));
      charts.push(chart);
      if (!figures) root.append((figures = h('div', { class: 'ml-figures' })));
      const caption = format.clip(words(section.caption), 300);
      figures.append(h('div', {}, caption ? h('h3', {}, caption) : null, chart.el));
      chart.show(section.figure ?? {});
    } else throw new Unreadable('A part of this page is of a kind that this version does not know; run the cell again.');
  };
  const sections = list(data.sections);
  for (const section of sections.slice(0, MOST_SECTIONS)) {
    if (section.kind !== 'figure') figures = null;
    try {
      draw(section);
    } catch (error) {
      // One damaged part says so in its place; the others are drawn.
      root.append(h('p', { class: 'ml-quiet', role: 'alert' }, error instanceof Unreadable ? error.message : `A part of this page could not be drawn: ${String(error)}`));
    }
  }
  if (sections.length === 0) root.append(quiet('This page has nothing to show; run the cell again.'));
  if (sections.length > MOST_SECTIONS) root.append(quiet(`The first ${MOST_SECTIONS} of ${format.count(sections.length, 'part')} are shown.`));
  el.append(root);
  return () => {
    charts.forEach(c => c.dispose());
    root.remove();
  };
}

function stats(items: JsonObject[]): HTMLElement {
  return h(
    'dl',
    { class: 'ml-stats' },
    ...items.slice(0, MOST_ITEMS).map(item => {
      const [low, high, n] = [finite(item.low), finite(item.high), finite(item.n)];
      const more = [low !== null && high !== null ? format.interval(low, high) : '', n !== null ? `n = ${format.number(n)}` : '', format.clip(words(item.note), 400)];
      const text = typeof item.text === 'string' ? format.clip(item.text, 80) : format.number(finite(item.value));
      return h('div', {}, h('dt', {}, format.clip(words(item.label), 80)), h('dd', {}, h('bdi', {}, text), h('small', {}, ` ${more.filter(Boolean).join(' ')}`)));
    }),
  );
}

function table(section: JsonObject): HTMLElement {
  const data = readTable(section);
  const specs = list(section.columns);
  const columns = specs.filter(s => s.part !== true).slice(0, MOST_COLUMNS).map(s => ({ spec: s, column: data.column(String(s.name))! }));
  const body = h('tbody');
  let sort = { name: '', descending: true };
  const heads = columns.map(({ spec, column }) => {
    const button = h('button', { type: 'button', onclick: () => order(column.name) }, h('bdi', {}, format.clip(words(spec.title) || column.name, 120)), h('span', { class: 'ml-arrow', 'aria-hidden': 'true' }));
    return h('th', { scope: 'col', class: column.kind === 'number' ? 'ml-num' : null, 'aria-sort': 'none' }, button);
  });
  const fill = (rows: Int32Array): void => body.replaceChildren(...Array.from(rows.subarray(0, MOST_ROWS), row => h('tr', {}, ...columns.map(({ spec, column }) => cell(data, spec, column, row)))));
  const all = Int32Array.from({ length: data.rows }, (_, i) => i);
  const order = (name: string): void => {
    sort = { name, descending: sort.name === name ? !sort.descending : data.column(name)!.kind === 'number' };
    columns.forEach(({ column }, i) => {
      const on = column.name === name;
      heads[i]!.setAttribute('aria-sort', on ? (sort.descending ? 'descending' : 'ascending') : 'none');
      heads[i]!.querySelector('.ml-arrow')!.textContent = on ? (sort.descending ? ' ▼' : ' ▲') : '';
    });
    fill(data.sorted(all, name, sort.descending));
  };
  fill(all);
  const caption = format.clip(words(section.caption), 300);
  const note = format.clip(words(section.note), 1000);
  const cut = data.rows > MOST_ROWS ? `The first ${format.number(MOST_ROWS)} of ${format.number(data.rows)} rows are shown, in the order chosen.` : '';
  return h(
    'div',
    {},
    caption ? h('h3', {}, caption) : null,
    data.rows === 0
      ? quiet(format.clip(words(section.empty), 400) || 'Nothing to show.')
      : h('div', { class: 'ml-scroll', tabindex: 0, role: 'region', 'aria-label': caption || 'Table' }, h('table', { class: 'ml-table' }, h('thead', {}, h('tr', {}, ...heads)), body)),
    cut ? quiet(cut) : null,
    note ? quiet(note) : null,
  );
}

/** Words that judge carry a shape too. */
const EVIDENCE = new Map([
  ['better', ['▲', 'ml-better']],
  ['worse', ['▼', 'ml-worse']],
  ['different', ['◆', '']],
  ['no evidence of a difference', ['○', '']],
  ['not comparable', [format.MISSING, 'ml-quiet']],
] as const);

/** How a column is written, where Python said more than its kind: names are free and say nothing. */
function cell(data: Table, spec: JsonObject, column: Column, row: number): HTMLElement {
  const value = column.get(row);
  if (column.kind === 'number') {
    const end = (name: Json | undefined): number | null => (typeof name === 'string' ? (data.column(name)?.number(row) ?? null) : null);
    const [low, high] = [end(spec.low), end(spec.high)];
    const write = spec.form === 'p' ? format.pValue : spec.form === 'duration' ? format.duration : format.number;
    return h('td', { class: 'ml-num', title: value === null ? null : String(value) }, write(value as number | null), low !== null && high !== null ? h('span', { class: 'ml-ci' }, format.interval(low, high)) : null);
  }
  const text = value === null ? format.MISSING : column.kind === 'time' ? format.time(value as number) : Array.isArray(value) ? value.join(', ') : value === true ? 'yes' : value === false ? 'no' : String(value);
  const mark = spec.form === 'evidence' ? EVIDENCE.get(text as 'better') : undefined;
  return h(
    'td',
    { class: text.length > 44 ? 'ml-long' : null, title: text.length > 44 ? format.clip(text, 1000) : null },
    mark ? h('span', { class: mark[1] || null }, h('span', { class: 'ml-shape', 'aria-hidden': 'true' }, mark[0]), text) : h('bdi', {}, format.clip(text, 300)),
  );
}
