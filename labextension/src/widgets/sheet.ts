// A table in a grid that sorts itself: what a column shows is said once, and its width follows from it.
import * as format from '../core/format.ts';
import { Table } from '../core/table.ts';
import { h } from './dom.ts';
import { Grid } from './grid.ts';
import type { Choice } from './grid.ts';

export interface Spec {
  /** The column of the table that it sorts by. */
  name: string;
  title: string;
  group?: string;
  numeric?: boolean;
  /** Pixels, where what is drawn is no text. */
  width?: number;
  text(row: number): string;
  /** Where more than the text is shown. */
  fill?(cell: HTMLElement, row: number): void;
}

const SAMPLE = 60;
const LETTER = 7.2;
/** Digits are all of one width, that of the widest. */
const DIGIT = 8.4;

/** Text as it stands in a cell, its whole in a tooltip where it is long. */
export function write(cell: HTMLElement, text: string): void {
  cell.append(h('bdi', {}, format.clip(text, 200)));
  if (text.length > 18) cell.title = format.clip(text, 1000);
}

export class Sheet {
  readonly el: HTMLElement;
  #grid: Grid;
  #key: string;
  #table = Table.empty;
  #specs: readonly Spec[] = [];
  #rows: Int32Array = new Int32Array();
  #order: Int32Array = new Int32Array();
  #sort = { name: '', descending: false };
  #chosen: ReadonlySet<number> = new Set();

  /** `key` is the column by which a row is known again in the next table. */
  constructor(label: string, choice: Choice = 'none', choose: (row: number) => void = () => {}, key = '') {
    this.#key = key;
    this.#grid = new Grid(label, {
      sort: name => this.#sortBy(name),
      select: rows => {
        const [row] = rows;
        if (row === undefined) return;
        this.#chosen = new Set([row]);
        choose(row);
      },
    }, choice);
    this.el = this.#grid.el;
  }

  dispose(): void {
    this.#grid.dispose();
  }

  get order(): Int32Array {
    return this.#order;
  }

  /** Show rows of a table (default: all), in their own order until a heading is pressed; `chosen` is marked. */
  show(table: Table, specs: readonly Spec[], rows?: Int32Array, chosen: number | null = null): void {
    this.#table = table;
    this.#specs = specs;
    this.#rows = rows ?? Int32Array.from({ length: table.rows }, (_, i) => i);
    this.#chosen = new Set(chosen === null ? [] : [chosen]);
    this.#draw();
  }

  #sortBy(name: string): void {
    const first = this.#table.column(name)?.kind === 'number' || this.#table.column(name)?.kind === 'time';
    this.#sort = this.#sort.name === name ? { name, descending: !this.#sort.descending } : { name, descending: first };
    this.#draw();
  }

  #draw(): void {
    this.#order = this.#sort.name === '' ? this.#rows : this.#table.sorted(this.#rows, this.#sort.name, this.#sort.descending);
    const sample = this.#order.slice(0, SAMPLE);
    const columns = this.#specs.map((spec, i) => {
      const widest = sample.reduce((most, row) => Math.max(most, Math.min(40, spec.text(row).length)), 0) * (spec.numeric ? DIGIT : LETTER);
      const title = Math.min(22, spec.title.length) * 7.5 + 14;
      return {
        name: spec.name,
        title: spec.title,
        group: spec.group ?? '',
        numeric: spec.numeric ?? false,
        width: Math.round(spec.width ?? Math.max(56, Math.min(i === 0 ? 260 : 300, Math.max(widest, title) + 20))),
        fill: spec.fill ?? ((cell: HTMLElement, row: number): void => write(cell, spec.text(row))),
      };
    });
    const [table, key] = [this.#table, this.#key];
    this.#grid.set(columns, this.#order, this.#chosen, this.#sort, row => (key === '' ? row : table.text(key, row)));
  }
}
