// Small parts that the lists of datasets and of projects share.
import { Typed } from '../core/filter.ts';
import * as format from '../core/format.ts';
import type { Connector, JsonObject } from '../core/protocol.ts';
import { isObject } from '../core/protocol.ts';
import { Unreadable } from '../core/safe.ts';
import type { Table } from '../core/table.ts';
import { readTable } from '../core/table.ts';
import { h, say, uniqueId } from './dom.ts';
import { Sheet } from './sheet.ts';
import type { Spec } from './sheet.ts';

/** Status as a shape and a word; colour only repeats them. */
export const STATUS = new Map(Object.entries({ running: '▶', finished: '✓', failed: '✕', interrupted: '■', stale: '◌' }));

export const quiet = (text: string): HTMLElement => h('p', { class: 'ml-quiet' }, text);

/** The table under a name in an answer; the blocks of bytes come in the order of the tables. */
export function part(payload: JsonObject, buffers: DataView[], name: string, place: number): Table {
  const found = payload[name];
  if (!isObject(found)) throw new Unreadable('This list is damaged; run the cell again.');
  return readTable(found, buffers.slice(place, place + 1));
}

/** The row of a table that has this id; undefined where there is none. */
export function rowOf(table: Table, name: string, id: string | null): number | undefined {
  const ids = table.column(name);
  return ids && Array.from({ length: table.rows }, (_, row) => row).find(row => ids.get(row) === id);
}

/** All that a row says, to know whether it says something else later. */
export function signature(table: Table, row: number): string {
  return JSON.stringify([...table.columns.values()].map(column => column.get(row)));
}

/** Why something cannot be shown; where asking again may help with a button that does. */
export function told(connector: Connector, error: unknown, again: () => void): HTMLElement {
  const text = error instanceof Error ? error.message : String(error);
  if (!connector.live || (error instanceof Error && error.name === 'NotSaved')) return quiet(text);
  return h('div', { class: 'ml-error', role: 'alert' }, h('span', {}, text), h('button', { type: 'button', onclick: again }, 'Try again'));
}

/** Tables that a view draws again and again: each is made once, so that it keeps its order and its place. */
export class Sheets {
  #made = new Map<string, Sheet>();

  /** The table of that name, whose rows are known again by the column `key`. */
  of(label: string, key: string): Sheet {
    let sheet = this.#made.get(label);
    if (!sheet) this.#made.set(label, (sheet = new Sheet(label, 'none', () => {}, key)));
    return sheet;
  }

  /** Let go of all: what comes next is of something else. */
  clear(): void {
    for (const sheet of this.#made.values()) sheet.dispose();
    this.#made.clear();
  }
}

/** Numbers with their names, as terms and descriptions; a third text stands beside, small. */
export function facts(items: readonly (readonly [string, string, string?])[]): HTMLElement[] {
  return items.map(([term, value, more]) => h('div', {}, h('dt', {}, term), h('dd', {}, h('bdi', {}, value), more ? h('small', {}, ` ${format.clip(more, 80)}`) : null)));
}

/** A box to filter a table with, the count beside it and the slip below it. */
export class FilterBox {
  readonly slip = h('p', { class: 'ml-slip', id: uniqueId('slip'), role: 'alert', hidden: true });
  readonly count = h('span', { class: 'ml-quiet', role: 'status' });
  readonly box: HTMLInputElement;
  #typed = new Typed();

  constructor(label: string, placeholder: string, typed: () => void) {
    this.box = h('input', { type: 'search', class: 'ml-filter', placeholder, 'aria-label': label, 'aria-describedby': this.slip.id, spellcheck: 'false', autocomplete: 'off', 'data-lm-suppress-shortcuts': 'true', oninput: typed });
  }

  get text(): string {
    return this.box.value;
  }

  set text(text: string) {
    this.box.value = text;
  }

  /** The rows that pass; what is wrong with what was typed is said, and then the last filter that could be read holds. */
  rows(table: Table): Int32Array {
    const { rows, slip } = this.#typed.rows(table, this.text);
    this.slip.hidden = slip === null;
    this.slip.textContent = slip ?? '';
    this.box.classList.toggle('ml-wrong', slip !== null);
    this.box.setAttribute('aria-invalid', String(slip !== null));
    return rows;
  }

  /** Say how many of all are shown. */
  tell(shown: number, all: number, word: string, more = ''): void {
    say(this.count, `${shown < all ? `${shown.toLocaleString('en-US')} of ` : ''}${format.count(all, word)}${more}`);
  }
}

/** What stands beside a value: its interval, and on how many rows it stands. */
export function besideText(bar: readonly [number, number] | null, n: number | null): string {
  return [bar ? format.interval(...bar) : '', n === null ? '' : `n = ${format.number(n)}`].filter(Boolean).join(' ');
}

export function beside(bar: readonly [number, number] | null, n: number | null): HTMLElement | null {
  const text = besideText(bar, n);
  return text === '' ? null : h('span', { class: 'ml-ci' }, text);
}

/** The columns of a table of runs that say how a run went: status, and its one metric with interval and star. */
export function runSpecs(t: Table): Spec[] {
  const number = (name: string, row: number): number | null => t.column(name)?.number(row) ?? null;
  return [
    { name: 'status', title: 'status', width: 112, text: row => t.text('status', row), fill: (cell, row) => cell.append(status(t.text('status', row))) },
    { name: 'metric', title: 'metric', text: row => t.text('metric', row) || format.MISSING },
    {
      name: 'value', title: 'value', group: '[interval]', numeric: true,
      text: row => `★ ${format.number(number('value', row))} ${besideText(...around(t, row))}`,
      fill: (cell, row) => {
        const best = t.column('best')?.get(row) === true;
        if (best) cell.append(h('span', { class: 'ml-star', 'aria-hidden': 'true' }, '★'));
        cell.append(h('span', best ? { class: 'ml-best' } : {}, format.number(number('value', row))));
        if (best) cell.append(h('span', { class: 'ml-sr' }, ' best'));
        cell.append(beside(...around(t, row)) ?? '');
      },
    },
  ];
}

/** The interval and the support of the one metric of a row. */
export function around(t: Table, row: number): [[number, number] | null, number | null] {
  const [low, high, n] = ['low', 'high', 'n'].map(name => t.column(name)?.number(row) ?? null) as [number | null, number | null, number | null];
  return [low === null || high === null ? null : [low, high], n];
}

/** How a run stands, as a shape and a word. */
export function status(word: string, more = ''): HTMLElement {
  const known = STATUS.has(word) ? word : 'unknown';
  return h('span', { class: `ml-status-${known}` }, h('span', { class: 'ml-shape', 'aria-hidden': 'true' }, STATUS.get(word) ?? '?'), h('bdi', {}, format.clip(word || 'unknown', 30)), more);
}
