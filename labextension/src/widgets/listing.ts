// A table of a page: sorted by its heads, folded after the first rows; paper has all of them.
import * as format from '../core/format.ts';
import { isObject } from '../core/protocol.ts';
import type { Json, JsonObject } from '../core/protocol.ts';
import { words } from '../core/safe.ts';
import { readTable } from '../core/table.ts';
import type { Column, Table } from '../core/table.ts';
import { h, uniqueId } from './dom.ts';
import { beside, quiet } from './parts.ts';

/** A saved page may be a stranger's: what is drawn of it has bounds. */
const MOST_ROWS = 1000;
const MOST_COLUMNS = 200;
const FOLDED = 12;
/** Fewer rows than this more are not worth a button. */
const SPARE = 12;

export function listing(section: JsonObject): HTMLElement {
  const data = readTable(section);
  const specs = Array.isArray(section.columns) ? section.columns.filter(isObject) : [];
  const columns = specs.filter(s => s.part !== true).slice(0, MOST_COLUMNS).map(s => ({ spec: s, column: data.column(String(s.name))! }));
  const caption = format.clip(words(section.caption), 300), note = format.clip(words(section.note), 1000);
  const title = caption ? h('h3', {}, caption) : null;
  if (data.rows === 0) return h('div', {}, title, quiet(format.clip(words(section.empty), 400) || 'Nothing to show.'), note ? quiet(note) : null);
  const body = h('tbody', { id: uniqueId('rows') });
  let sort = { name: '', descending: true };
  const heads = columns.map(({ spec, column }) => {
    const button = h('button', { type: 'button', onclick: () => order(column.name) }, h('bdi', {}, format.clip(words(spec.title) || column.name, 120)), h('span', { class: 'ml-arrow', 'aria-hidden': 'true' }));
    return h('th', { scope: 'col', class: column.kind === 'number' ? 'ml-num' : null, 'aria-sort': 'none' }, button);
  });
  const fill = (rows: Int32Array): void => body.replaceChildren(...Array.from(rows.subarray(0, MOST_ROWS), (row, i) => h('tr', { class: i >= FOLDED ? 'ml-more' : null }, ...columns.map(({ spec, column }) => cell(data, spec, column, row)))));
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
  const cut = data.rows > MOST_ROWS ? `The first ${format.number(MOST_ROWS)} of ${format.number(data.rows)} rows are shown, in the order chosen.` : '';
  const table = h('table', { class: 'ml-table' }, h('thead', {}, h('tr', {}, ...heads)), body);
  return h('div', { class: 'ml-listing' },
    title,
    h('div', { class: 'ml-scroll', tabindex: 0, role: 'group', 'aria-label': caption || 'Table' }, table),
    data.rows > FOLDED + SPARE ? folding(table, body, Math.min(data.rows, MOST_ROWS)) : null,
    cut ? quiet(cut) : null,
    note ? quiet(note) : null);
}

function folding(table: HTMLElement, body: HTMLElement, rows: number): HTMLElement {
  const button = h('button', { type: 'button', class: 'ml-unfold', 'aria-controls': body.id });
  const fold = (folded: boolean): void => {
    table.classList.toggle('ml-folded', folded);
    button.setAttribute('aria-expanded', String(!folded));
    button.textContent = folded ? `Show all ${format.number(rows)} rows` : `Show the first ${FOLDED} rows`;
  };
  button.addEventListener('click', () => fold(!table.classList.contains('ml-folded')));
  fold(true);
  return button;
}

/** Words that judge carry a shape too. */
const EVIDENCE = new Map([
  ['better', ['▲', 'ml-better']],
  ['worse', ['▼', 'ml-worse']],
  ['different', ['◆', '']],
  ['no evidence of a difference', ['○', 'ml-quiet']],
  ['not tested', [format.MISSING, 'ml-quiet']],
  ['not comparable', [format.MISSING, 'ml-quiet']],
] as const);

/** How a column is written, where Python said more than its kind: names are free and say nothing. */
function cell(data: Table, spec: JsonObject, column: Column, row: number): HTMLElement {
  const value = column.get(row);
  if (column.kind === 'number') {
    const end = (name: Json | undefined): number | null => (typeof name === 'string' ? (data.column(name)?.number(row) ?? null) : null);
    const [low, high] = [end(spec.low), end(spec.high)];
    const write = spec.form === 'p' ? format.pValue : spec.form === 'duration' ? format.duration : format.number;
    return h('td', { class: 'ml-num', title: value === null ? null : String(value) }, write(value as number | null), beside(low !== null && high !== null ? [low, high] : null, end(spec.support)));
  }
  const text = value === null ? format.MISSING : column.kind === 'time' ? format.time(value as number) : Array.isArray(value) ? value.join(', ') : value === true ? 'yes' : value === false ? 'no' : String(value);
  const mark = spec.form === 'evidence' ? EVIDENCE.get(text as 'better') : undefined;
  return h(
    'td',
    { class: text.length > 44 ? 'ml-long' : null, title: text.length > 300 ? format.clip(text, 1000) : null },
    mark ? h('span', { class: mark[1] || null }, h('span', { class: 'ml-shape', 'aria-hidden': 'true' }, mark[0]), text) : h('bdi', {}, format.clip(text, 300)),
  );
}
