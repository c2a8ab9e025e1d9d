// Rows by class (down) and prediction (across), shaded by the share of the row; letters and numbers say all of it.
import * as format from '../core/format.ts';
import { Unreadable, finite, words } from '../core/safe.ts';
import type { JsonObject } from '../core/protocol.ts';
import { h } from './dom.ts';

const MOST = 40;

export function matrix(names: readonly string[], counts: readonly (readonly number[])[], caption = ''): HTMLElement {
  const name = (text: string): HTMLElement => h('bdi', {}, format.clip(text, 40));
  const rows = counts.map((row, i) => {
    const whole = row.reduce((a, b) => a + b, 0);
    const cells = row.map((count, j) => {
      const share = whole > 0 ? count / whole : 0;
      const cell = h('td', { class: `ml-num ml-cellcount ${i === j ? 'ml-right' : 'ml-missed'}` }, h('b', {}, format.number(count)), h('span', { class: 'ml-ci' }, whole > 0 ? `${(100 * share).toFixed(share > 0 && share < 0.0995 ? 1 : 0)} %` : ''));
      cell.style.setProperty('--ml-share', `${Math.round(count > 0 ? 8 + 42 * share : 0)}%`);
      return cell;
    });
    return h('tr', {}, h('th', { scope: 'row' }, 'is ', name(names[i]!)), ...cells);
  });
  return h('table', { class: 'ml-table ml-matrix' },
    caption ? h('caption', {}, caption) : null,
    h('thead', {}, h('tr', {}, h('td'), ...names.map(text => h('th', { scope: 'col', class: 'ml-num' }, 'said ', name(text))))),
    h('tbody', {}, ...rows));
}

/** The matrix of a page, whose numbers may be anybody's. */
export function matrixSection(section: JsonObject): HTMLElement {
  const names = Array.isArray(section.classes) ? section.classes.map(words) : [];
  const counts = Array.isArray(section.counts) ? section.counts.map(row => (Array.isArray(row) ? row.map(finite) : [])) : [];
  const sound = names.length > 0 && names.length <= MOST && counts.length === names.length && counts.every(row => row.length === names.length && row.every(v => v !== null && v >= 0));
  if (!sound) throw new Unreadable('This confusion matrix is damaged; run the cell again.');
  const caption = format.clip(words(section.caption), 300), note = format.clip(words(section.note), 1000);
  return h('div', {},
    caption ? h('h3', {}, caption) : null,
    h('div', { class: 'ml-scroll', tabindex: 0, role: 'group', 'aria-label': caption || 'Confusion matrix' }, matrix(names, counts as number[][])),
    note ? h('p', { class: 'ml-quiet' }, note) : null);
}
