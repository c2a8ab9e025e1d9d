// A table of any length: only the rows on the screen exist. Works by mouse, by keyboard and with a screen reader.
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
  #anchor = 0;
  #size: ResizeObserver;
  #choice: Choice;
  #paper = false;
  #left = h('p', { class: 'ml-left', hidden: true });
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
        onfocus: () => this.#mark(),
        onclick: (e: MouseEvent) => this.#click(e),
      },
      h('div', { role: 'rowgroup', class: 'ml-headgroup' }, this.#head),
      this.#body,
      this.#left,
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

  /** Paper has all rows, up to `PRINTED`, and says how many are left. */
  #onPaper(paper: boolean): void {
    this.#paper = paper;
    const rows = paper ? Math.min(this.#order.length, PRINTED) : this.#order.length;
    this.#body.style.height = `${rows * ROW}px`;
    this.#left.hidden = rows === this.#order.length;
    this.#left.textContent = `The first ${PRINTED} of ${this.#order.length} rows.`;
    this.#draw();
  }

  /** The first column that can be reached: the ticks, where there are any. */
  get #least(): number {
    return this.#choice === 'many' ? 0 : 1;
  }

  get #tick(): number {
    return this.#choice === 'many' ? TICK : 0;
  }

  set(columns: GridColumn[], order: Int32Array, selected: ReadonlySet<number>, sort: { name: string; descending: boolean }): void {
    this.#columns = columns;
    this.#order = order;
    this.#selected = new Set(selected);
    this.#sort = sort;
    this.#active.row = Math.min(this.#active.row, order.length - 1);
    this.#active.column = Math.min(this.#active.column, columns.length);
    const width = this.#tick + columns.reduce((sum, c) => sum + c.width, 0);
    this.el.setAttribute('aria-rowcount', String(order.length + 1));
    this.el.setAttribute('aria-colcount', String(columns.length + 1 - this.#least));
    this.#body.style.height = `${order.length * ROW}px`;
    this.#body.style.width = this.#head.style.width = `${width}px`;
    this.el.style.setProperty('--ml-rows', String(order.length));
    this.#drawHead();
    this.#redraw();
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
    const cells = this.#columns.map((column, i) => {
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
          title: column.title.length > 300 ? `${column.title.slice(0, 300)}…` : column.title,
        },
        h('span', { class: 'ml-group' }, column.group),
        h('span', { class: 'ml-title' }, h('bdi', {}, column.title.slice(0, 200)), h('span', { class: 'ml-arrow', 'aria-hidden': 'true' }, sorted ? (this.#sort.descending ? ' ▼' : ' ▲') : '')),
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
    const fresh = document.createDocumentFragment();
    for (let i = first; i < last; i++) {
      if (this.#shown.has(i)) continue;
      const el = this.#row(i);
      this.#shown.set(i, el);
      fresh.append(el);
    }
    this.#body.append(fresh);
    this.#mark();
  }

  /** Which columns lie between the edges, one more on each side. */
  #across(): { from: number; to: number } {
    const count = this.#columns.length;
    if (this.#paper || count < 2) return { from: 1, to: count };
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
    for (let k = Math.min(i, this.#anchor); k <= Math.max(i, this.#anchor); k++) this.#selected.add(this.#order[k]!);
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
