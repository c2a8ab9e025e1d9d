// A table of any length: only the rows on the screen exist. Works by mouse, by keyboard and with a screen reader.
import * as format from '../core/format.ts';
import { h, uniqueId } from './dom.ts';

export interface GridColumn {
  name: string;
  title: string;
  /** Small word above the title: what kind of column this is. */
  group: string;
  width: number;
  numeric: boolean;
  fill(cell: HTMLElement, row: number): void;
}

export interface GridEvents {
  sort(name: string): void;
  select(rows: ReadonlySet<number>): void;
}

/** How many rows can be chosen: any number by ticks, the one whose row was pressed, or none. */
export type Choice = 'many' | 'one' | 'none';

const ROW = 28;
const HEAD = 44;
const SPARE = 8;
const TICK = 34;
/** Rows that paper gets, which cannot be scrolled. */
const PRINTED = 500;
/** Pixels that a table may be wide on upright A4 or Letter beside the prompt of a cell. */
const PAPER = 620;
/** Columns that paper gets below those that fit beside each other; the rest is told by name. */
const FURTHER = 40;

export class Grid {
  readonly el: HTMLElement;
  #head = h('div', { class: 'ml-row ml-head', role: 'row', 'aria-rowindex': 1 });
  #body = h('div', { class: 'ml-body', role: 'rowgroup' });
  #id = uniqueId('grid');
  #events: GridEvents;
  #columns: GridColumn[] = [];
  #order: Int32Array = new Int32Array();
  #selected = new Set<number>();
  #sort = { name: '', descending: false };
  #shown = new Map<number, HTMLElement>();
  #active = { row: 0, column: 1 };
  /** Columns that are drawn beside the first, which always is: from, and up to but not with. */
  #drawn = { from: 1, to: 1 };
  /** From where Shift selects; -1 where that row is not shown any more. */
  #anchor = 0;
  /** Whether somebody has been here: from then on the active cell stays on its row, wherever that goes. */
  #touched = false;
  #identity: (row: number) => unknown = row => row;
  #size: ResizeObserver;
  #choice: Choice;
  #paper = false;
  #left = h('p', { class: 'ml-left', hidden: true });
  #further = h('div', { class: 'ml-further', hidden: true });
  #print = (): void => this.#onPaper(true);
  #printed = (): void => this.#onPaper(false);

  constructor(label: string, events: GridEvents, choice: Choice = 'many') {
    this.#events = events;
    this.#choice = choice;
    this.el = h(
      'div',
      {
        class: choice === 'many' ? 'ml-grid' : `ml-grid ml-unticked ml-${choice}`,
        role: 'grid',
        tabindex: 0,
        'aria-label': label,
        'aria-multiselectable': choice === 'many' ? 'true' : null,
        // JupyterLab's one-letter shortcuts must not act on cells while a key is meant for this table.
        'data-lm-suppress-shortcuts': 'true',
        onscroll: () => this.#draw(),
        onkeydown: (e: KeyboardEvent) => this.#key(e),
        onfocus: () => {
          this.#touched = true;
          this.#mark();
        },
        onclick: (e: MouseEvent) => this.#click(e),
      },
      h('div', { role: 'rowgroup', class: 'ml-headgroup' }, this.#head),
      this.#body,
      this.#left,
      this.#further,
    );
    window.addEventListener('beforeprint', this.#print);
    window.addEventListener('afterprint', this.#printed);
    this.#size = new ResizeObserver(() => this.#draw());
    this.#size.observe(this.el);
  }

  dispose(): void {
    this.#size.disconnect();
    window.removeEventListener('beforeprint', this.#print);
    window.removeEventListener('afterprint', this.#printed);
  }

  /** Paper has all rows, up to `PRINTED`, and says how many are left; columns that do not fit stand below. */
  #onPaper(paper: boolean): void {
    this.#paper = paper;
    this.#layout();
  }

  /** Columns that are drawn in the rows: on paper those that fit beside each other. */
  get #beside(): GridColumn[] {
    return this.#paper ? (this.#blocks(this.#columns, this.#tick)[0] ?? []) : this.#columns;
  }

  /** Columns as groups of which each fits on paper with the first column before it. */
  #blocks(columns: readonly GridColumn[], before: number): GridColumn[][] {
    const [first, ...others] = columns;
    if (!first) return [];
    const blocks: GridColumn[][] = [];
    let room = -1;
    for (const column of others) {
      if (column.width > room || blocks.length === 0) {
        room = PAPER - first.width - (blocks.length === 0 ? before : 0);
        blocks.push([first]);
      }
      blocks.at(-1)!.push(column);
      room -= column.width;
    }
    return blocks.length > 0 ? blocks : [[first]];
  }

  #drawFurther(): void {
    const below = this.#paper ? this.#blocks(this.#columns, this.#tick).slice(1) : [];
    this.#further.hidden = below.length === 0;
    let columns = 0;
    const drawn = below.filter(block => (columns += block.length - 1) <= FURTHER);
    const rows = [...this.#order.slice(0, PRINTED)];
    const cell = (tag: 'th' | 'td', column: GridColumn, row: number): HTMLElement => {
      const el = h(tag, tag === 'th' ? { scope: 'row' } : {});
      column.fill(el, row);
      return el;
    };
    const left = below.slice(drawn.length).flatMap(block => block.slice(1).map(column => format.named(column.title, 40)));
    this.#further.replaceChildren(
      ...drawn.map(columns => h('table', { class: 'ml-table' },
        h('thead', {}, h('tr', {}, ...columns.map(column => h('th', { scope: 'col' }, `${column.group} ${format.named(column.title, 200)}`.trim())))),
        h('tbody', {}, ...rows.map(row => h('tr', {}, ...columns.map((column, i) => cell(i === 0 ? 'th' : 'td', column, row)))))),
      ),
      left.length === 0 ? '' : h('p', {}, `${left.length} ${left.length === 1 ? 'column does' : 'columns do'} not fit on paper: ${left.slice(0, 30).join(', ')}${left.length > 30 ? ' …' : ''}.`),
    );
  }

  #layout(): void {
    const rows = this.#paper ? Math.min(this.#order.length, PRINTED) : this.#order.length;
    this.#body.style.height = `${rows * ROW}px`;
    this.#body.style.width = this.#head.style.width = `${this.#tick + this.#beside.reduce((sum, c) => sum + c.width, 0)}px`;
    this.#left.hidden = rows === this.#order.length;
    this.#left.textContent = `The first ${PRINTED} of ${this.#order.length} rows.`;
    this.#drawFurther();
    this.#drawHead();
    this.#redraw();
  }

  /** The first column that can be reached: the ticks, where there are any. */
  get #least(): number {
    return this.#choice === 'many' ? 0 : 1;
  }

  get #tick(): number {
    return this.#choice === 'many' ? TICK : 0;
  }

  /** Show rows of a table; `identity` says by what a row is known again in the next table (default: its number). */
  set(columns: GridColumn[], order: Int32Array, selected: ReadonlySet<number>, sort: { name: string; descending: boolean }, identity: (row: number) => unknown = row => row): void {
    const known = (place: number): unknown => (this.#touched && place >= 0 && place < this.#order.length ? this.#identity(this.#order[place]!) : undefined);
    const [active, anchor] = [known(this.#active.row), known(this.#anchor)];
    const place = (was: unknown): number => (was === undefined ? -1 : order.findIndex(row => identity(row) === was));
    const [row, from] = [place(active), place(anchor)];
    this.#columns = columns;
    this.#order = order;
    this.#identity = identity;
    this.#selected = new Set(selected);
    this.#sort = sort;
    this.#active.row = row >= 0 ? row : Math.min(this.#active.row, order.length - 1);
    this.#active.column = Math.min(this.#active.column, columns.length);
    if (this.#touched) this.#anchor = from;
    this.el.setAttribute('aria-rowcount', String(order.length + 1));
    this.el.setAttribute('aria-colcount', String(columns.length + 1 - this.#least));
    this.el.style.setProperty('--ml-rows', String(order.length));
    this.#layout();
  }

  #redraw(): void {
    this.#clear();
    this.#draw();
  }

  #clear(): void {
    for (const el of this.#shown.values()) el.remove();
    this.#shown.clear();
  }

  #drawHead(): void {
    const all = this.#order.length > 0 && this.#order.every(row => this.#selected.has(row));
    const tick = h(
      'div',
      { class: 'ml-cell ml-tick', role: 'columnheader', id: `${this.#id}-h-0`, 'aria-label': all ? 'Select none' : 'Select all', 'data-c': 0 },
      h('span', { class: all ? 'ml-box ml-on' : 'ml-box', 'aria-hidden': 'true' }),
    );
    const cells = this.#beside.map((column, i) => {
      const sorted = this.#sort.name === column.name;
      const cell = h(
        'div',
        {
          class: `ml-cell${column.numeric ? ' ml-num' : ''}${i === 0 ? ' ml-first' : ''}`,
          role: 'columnheader',
          id: `${this.#id}-h-${i + 1}`,
          'aria-colindex': i + 2 - this.#least,
          'aria-sort': sorted ? (this.#sort.descending ? 'descending' : 'ascending') : 'none',
          'data-c': i + 1,
          title: format.clip(column.title, 300),
        },
        h('span', { class: 'ml-group' }, column.group),
        h('span', { class: 'ml-title' }, h('bdi', {}, format.clip(column.title, 200)), h('span', { class: 'ml-arrow', 'aria-hidden': 'true' }, sorted ? (this.#sort.descending ? ' ▼' : ' ▲') : '')),
      );
      cell.style.width = `${column.width}px`;
      return cell;
    });
    this.#head.replaceChildren(...(this.#choice === 'many' ? [tick] : []), ...cells);
  }

  #draw(): void {
    const height = this.el.clientHeight;
    if (height === 0) return;
    const drawn = this.#across();
    if (drawn.from !== this.#drawn.from || drawn.to !== this.#drawn.to) {
      this.#drawn = drawn;
      this.#clear();
    }
    const first = this.#paper ? 0 : Math.max(0, Math.floor(this.el.scrollTop / ROW) - SPARE);
    const last = Math.min(this.#order.length, this.#paper ? PRINTED : Math.ceil((this.el.scrollTop + height) / ROW) + SPARE);
    for (const [i, el] of this.#shown) {
      if (i < first || i >= last) {
        el.remove();
        this.#shown.delete(i);
      }
    }
    // In place, so that they are read in the order in which they are seen.
    let next: HTMLElement | null = null;
    for (let i = last - 1; i >= first; i--) {
      let el = this.#shown.get(i);
      if (!el) {
        this.#shown.set(i, (el = this.#row(i)));
        this.#body.insertBefore(el, next);
      }
      next = el;
    }
    this.#mark();
  }

  /** Which columns lie between the edges, one more on each side. */
  #across(): { from: number; to: number } {
    const count = this.#columns.length;
    if (this.#paper) return { from: 1, to: this.#beside.length };
    if (count < 2) return { from: 1, to: count };
    const left = this.el.scrollLeft;
    const right = left + this.el.clientWidth;
    let from = 1;
    let edge = this.#tick + this.#columns[0]!.width;
    while (from < count && edge + this.#columns[from]!.width < left) edge += this.#columns[from++]!.width;
    let to = from;
    while (to < count && edge < right) edge += this.#columns[to++]!.width;
    return { from: Math.max(1, from - 1), to: Math.min(count, to + 1) };
  }

  #row(i: number): HTMLElement {
    const row = this.#order[i]!;
    const on = this.#selected.has(row);
    const el = h('div', { class: `ml-row${on ? ' ml-on' : ''}${i % 2 ? ' ml-odd' : ''}`, role: 'row', 'aria-rowindex': i + 2, 'aria-selected': this.#choice === 'none' ? null : String(on), 'data-r': i });
    el.style.transform = `translateY(${i * ROW}px)`;
    const tick = h(
      'div',
      { class: 'ml-cell ml-tick', role: 'gridcell', 'aria-colindex': 1, 'data-c': 0, 'aria-label': on ? 'selected' : 'not selected' },
      h('span', { class: on ? 'ml-box ml-on' : 'ml-box', 'aria-hidden': 'true' }),
    );
    if (this.#choice === 'many') el.append(tick);
    const { from, to } = this.#drawn;
    const put = (c: number): void => {
      const column = this.#columns[c]!;
      const cell = document.createElement('div');
      cell.className = `ml-cell${column.numeric ? ' ml-num' : ''}${c === 0 ? ' ml-first' : ''}`;
      cell.setAttribute('role', c === 0 ? 'rowheader' : 'gridcell');
      cell.setAttribute('aria-colindex', String(c + 2 - this.#least));
      cell.dataset.c = String(c + 1);
      cell.style.width = `${column.width}px`;
      column.fill(cell, row);
      el.append(cell);
    };
    if (this.#columns.length > 0) put(0);
    const skipped = this.#columns.slice(1, from).reduce((sum, c) => sum + c.width, 0);
    if (skipped > 0) {
      const gap = document.createElement('div');
      gap.className = 'ml-gap';
      gap.setAttribute('aria-hidden', 'true');
      gap.style.width = `${skipped}px`;
      el.append(gap);
    }
    for (let c = from; c < to; c++) put(c);
    return el;
  }

  #click(event: MouseEvent): void {
    const cell = (event.target as HTMLElement).closest<HTMLElement>('[data-c]');
    if (!cell) return;
    this.#touched = true;
    const column = Number(cell.dataset.c);
    const line = cell.closest<HTMLElement>('[data-r]');
    if (!line) {
      this.#active = { row: -1, column };
      this.#pressHead(column);
      return;
    }
    const i = Number(line.dataset.r);
    this.#active = { row: i, column };
    if (event.shiftKey) this.#range(i);
    else this.#toggle(i);
  }

  #pressHead(column: number): void {
    if (column > 0) {
      this.#events.sort(this.#columns[column - 1]!.name);
      return;
    }
    const all = this.#order.every(row => this.#selected.has(row));
    for (const row of this.#order) {
      if (all) this.#selected.delete(row);
      else this.#selected.add(row);
    }
    this.#changed();
  }

  #toggle(i: number): void {
    const row = this.#order[i];
    if (row === undefined || this.#choice === 'none') return;
    if (this.#choice === 'one') this.#selected = new Set([row]);
    else if (!this.#selected.delete(row)) this.#selected.add(row);
    this.#anchor = i;
    this.#changed();
  }

  #range(i: number): void {
    if (this.#choice !== 'many') return;
    if (this.#anchor < 0) this.#anchor = i;
    const last = Math.min(Math.max(i, this.#anchor), this.#order.length - 1);
    for (let k = Math.min(i, this.#anchor); k <= last; k++) this.#selected.add(this.#order[k]!);
    this.#changed();
  }

  #changed(): void {
    this.#drawHead();
    this.#redraw();
    this.#events.select(this.#selected);
  }

  #key(event: KeyboardEvent): void {
    const page = Math.max(1, Math.floor((this.el.clientHeight - HEAD) / ROW) - 1);
    const end = this.#order.length - 1;
    const { row, column } = this.#active;
    const moves: Record<string, [number, number]> = {
      ArrowDown: [row + 1, column],
      ArrowUp: [row - 1, column],
      ArrowRight: [row, column + 1],
      ArrowLeft: [row, column - 1],
      PageDown: [row + page, column],
      PageUp: [Math.max(0, row - page), column],
      Home: event.ctrlKey || event.metaKey ? [0, column] : [row, this.#least],
      End: event.ctrlKey || event.metaKey ? [end, column] : [row, this.#columns.length],
    };
    const move = moves[event.key];
    if (move) {
      this.#active = { row: Math.max(-1, Math.min(end, move[0])), column: Math.max(this.#least, Math.min(this.#columns.length, move[1])) };
      if (event.shiftKey && (event.key === 'ArrowDown' || event.key === 'ArrowUp') && this.#active.row >= 0) this.#range(this.#active.row);
      this.#reveal();
      this.#mark();
    } else if (event.key === ' ' || event.key === 'Enter') {
      if (row < 0) this.#pressHead(column);
      else if (event.key === ' ' && event.shiftKey) this.#range(row);
      else this.#toggle(row);
    } else if (event.key === 'a' && (event.ctrlKey || event.metaKey) && this.#choice === 'many') {
      for (const r of this.#order) this.#selected.add(r);
      this.#changed();
    } else return;
    event.preventDefault();
    event.stopPropagation();
  }

  #reveal(): void {
    const { row, column } = this.#active;
    if (row >= 0) {
      const top = row * ROW;
      if (top < this.el.scrollTop) this.el.scrollTop = top;
      const room = this.el.clientHeight - HEAD;
      if (top + ROW > this.el.scrollTop + room) this.el.scrollTop = top + ROW - room;
    }
    if (column <= 1) this.el.scrollLeft = 0;
    else {
      const left = this.#tick + this.#columns.slice(0, column - 1).reduce((sum, c) => sum + c.width, 0);
      const sticky = this.#tick + (this.#columns[0]?.width ?? 0);
      const width = this.#columns[column - 1]?.width ?? 0;
      if (left - sticky < this.el.scrollLeft) this.el.scrollLeft = left - sticky;
      else if (left + width > this.el.scrollLeft + this.el.clientWidth) this.el.scrollLeft = left + width - this.el.clientWidth;
    }
    this.#draw();
  }

  #mark(): void {
    const { row, column } = this.#active;
    for (const old of this.el.querySelectorAll('.ml-active')) old.classList.remove('ml-active');
    const line = row < 0 ? this.#head : this.#shown.get(row);
    const cell = line?.querySelector<HTMLElement>(`:scope > [data-c="${column}"]`);
    if (cell) {
      cell.id ||= `${this.#id}-${row}-${column}`;
      cell.classList.add('ml-active');
      this.el.setAttribute('aria-activedescendant', cell.id);
    } else this.el.removeAttribute('aria-activedescendant');
  }
}
