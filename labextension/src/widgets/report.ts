// A page of sections (words, numbers, tables, figures) that Python composed: comparison and evaluation for now.
import type { Figure } from '../core/figures.ts';
import * as format from '../core/format.ts';
import { isObject } from '../core/protocol.ts';
import type { Connector, Json, JsonObject } from '../core/protocol.ts';
import { readTable } from '../core/table.ts';
import type { Column, Table } from '../core/table.ts';
import { Chart } from './chart.ts';
import { h, uniqueId } from './dom.ts';

const list = (value: Json | undefined): JsonObject[] => (Array.isArray(value) ? value.filter(isObject) : []);
const finite = (value: Json | undefined): number | null => (typeof value === 'number' ? value : null);

/** Draw the sections; the function returned takes them away. */
export function mountReport(el: HTMLElement, connector: Connector, data: JsonObject, title: string): () => void {
  const charts: Chart[] = [];
  const heading = uniqueId('report');
  const root = h('section', { class: 'modellab', 'aria-labelledby': heading }, h('h2', { id: heading }, h('bdi', {}, format.clip(title, 300))));
  let figures: HTMLElement | null = null;
  for (const section of list(data.sections)) {
    const kind = section.kind;
    if (kind !== 'figure') figures = null;
    if (kind === 'heading') root.append(h('h3', {}, String(section.text ?? '')));
    else if (kind === 'text') root.append(h('p', { class: section.role === 'lede' ? 'ml-lede' : section.role === 'note' ? 'ml-quiet' : null }, String(section.text ?? '')));
    else if (kind === 'stats') root.append(stats(list(section.items)));
    else if (kind === 'table') root.append(table(section));
    else if (kind === 'figure' && isObject(section.figure)) {
      const chart = new Chart(connector, String(section.alt ?? 'Figure'), finite(section.height) ?? 320);
      charts.push(chart);
      if (!figures) root.append((figures = h('div', { class: 'ml-figures' })));
      figures.append(h('div', {}, section.caption ? h('h3', {}, String(section.caption)) : null, chart.el));
      chart.show(section.figure as unknown as Figure);
    }
  }
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
    ...items.map(item => {
      const [low, high, n] = [finite(item.low), finite(item.high), finite(item.n)];
      const more = [low !== null && high !== null ? format.interval(low, high) : '', n !== null ? `n = ${format.number(n)}` : '', String(item.note ?? '')];
      const text = typeof item.text === 'string' ? format.clip(item.text, 80) : format.number(finite(item.value));
      return h('div', {}, h('dt', {}, format.clip(String(item.label), 80)), h('dd', {}, h('bdi', {}, text), h('small', {}, ` ${more.filter(Boolean).join(' ')}`)));
    }),
  );
}

function table(section: JsonObject): HTMLElement {
  const data = readTable(section);
  const specs = list(section.columns);
  const columns = specs.filter(s => s.part !== true).map(s => ({ spec: s, column: data.column(String(s.name))! }));
  const body = h('tbody');
  let sort = { name: '', descending: true };
  const heads = columns.map(({ spec, column }) => {
    const button = h('button', { type: 'button', onclick: () => order(column.name) }, h('bdi', {}, format.clip(String(spec.title ?? spec.name), 120)), h('span', { class: 'ml-arrow', 'aria-hidden': 'true' }));
    return h('th', { scope: 'col', class: column.kind === 'number' ? 'ml-num' : null, 'aria-sort': 'none' }, button);
  });
  const fill = (rows: Int32Array): void => body.replaceChildren(...Array.from(rows, row => h('tr', {}, ...columns.map(({ spec, column }) => cell(data, spec, column, row)))));
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
  const caption = String(section.caption ?? '');
  return h(
    'div',
    {},
    caption ? h('h3', {}, caption) : null,
    data.rows === 0
      ? h('p', { class: 'ml-quiet' }, String(section.empty ?? 'Nothing to show.'))
      : h('div', { class: 'ml-scroll', tabindex: 0, role: 'region', 'aria-label': caption || 'Table' }, h('table', { class: 'ml-table' }, h('thead', {}, h('tr', {}, ...heads)), body)),
    section.note ? h('p', { class: 'ml-quiet' }, String(section.note)) : null,
  );
}

/** Words that judge carry a shape too. */
const EVIDENCE: Record<string, [string, string]> = { better: ['▲', 'ml-better'], worse: ['▼', 'ml-worse'], 'no evidence of a difference': ['○', ''] };

function cell(data: Table, spec: JsonObject, column: Column, row: number): HTMLElement {
  const value = column.get(row);
  if (column.kind === 'number') {
    const [low, high] = [data.column(String(spec.low))?.number(row) ?? null, data.column(String(spec.high))?.number(row) ?? null];
    return h('td', { class: 'ml-num', title: value === null ? null : String(value) }, format.number(value as number | null), low !== null && high !== null ? h('span', { class: 'ml-ci' }, format.interval(low, high)) : null);
  }
  const text = value === null ? format.MISSING : column.kind === 'time' ? format.time(value as number) : Array.isArray(value) ? value.join(', ') : value === true ? 'yes' : value === false ? 'no' : String(value);
  const mark = column.name === 'evidence' ? EVIDENCE[text] : undefined;
  return h(
    'td',
    { class: text.length > 44 ? 'ml-long' : null, title: text.length > 44 ? format.clip(text, 1000) : null },
    mark ? h('span', { class: mark[1] }, h('span', { class: 'ml-shape', 'aria-hidden': 'true' }, mark[0]), text) : h('bdi', {}, format.clip(text, 300)),
  );
}
