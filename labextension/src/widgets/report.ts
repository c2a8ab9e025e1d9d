// A page of sections (words, numbers, tables, figures) that Python composed: comparison and evaluation for now.
import * as format from '../core/format.ts';
import { isObject } from '../core/protocol.ts';
import type { Connector, Json, JsonObject } from '../core/protocol.ts';
import { Unreadable, finite, words } from '../core/safe.ts';
import { Chart } from './chart.ts';
import { diffSection } from './diff.ts';
import { h, uniqueId } from './dom.ts';
import { listing } from './listing.ts';
import { matrixSection } from './matrix.ts';
import { quiet } from './parts.ts';
import { thresholdPanel } from './thresholds.ts';

const list = (value: Json | undefined): JsonObject[] => (Array.isArray(value) ? value.filter(isObject) : []);
/** A saved page may be a stranger's: what is drawn of it has bounds. */
const MOST_SECTIONS = 200;
const MOST_ITEMS = 60;
const DEEPEST = 3;

/** Draw the sections; the function returned takes them away. */
export function mountReport(el: HTMLElement, connector: Connector, data: JsonObject, title: string): () => void {
  const charts: Chart[] = [];
  const heading = uniqueId('report');
  const root = h('section', { class: 'modellab', 'aria-labelledby': heading }, h('h2', { id: heading }, h('bdi', { dir: 'ltr' }, format.clip(title, 300))));
  let left = MOST_SECTIONS;
  const drawn = (section: JsonObject, depth: number): HTMLElement => {
    const kind = section.kind;
    if (kind === 'text') return paragraph(section);
    if (kind === 'stats') return stats(list(section.items));
    if (kind === 'thresholds') return thresholdPanel(section, connector, charts);
    if (kind === 'table') return listing(section);
    if (kind === 'matrix') return matrixSection(section);
    if (kind === 'diff') return diffSection(section);
    if (kind === 'figure') return figure(section);
    if (kind === 'fold' && depth < DEEPEST) {
      const inside = h('div', {});
      fill(inside, list(section.sections), depth + 1);
      return h('details', { class: 'ml-fold', open: section.open === true }, h('summary', {}, h('bdi', { dir: 'ltr' }, format.clip(words(section.title), 300) || 'More')), inside);
    }
    throw new Unreadable('A part of this page is of a kind that this version does not know; run the cell again.');
  };
  const figure = (section: JsonObject): HTMLElement => {
    const chart = new Chart(connector, format.clip(words(section.alt) || 'Figure', 1000), Math.max(80, Math.min(2000, finite(section.height) ?? 320)));
    charts.push(chart);
    chart.show(section.figure ?? {});
    const caption = format.clip(words(section.caption), 300);
    return h('div', {}, caption ? h('h3', {}, caption) : null, chart.el);
  };
  const fill = (into: HTMLElement, sections: JsonObject[], depth: number): void => {
    let figures: HTMLElement | null = null;
    const shown = sections.slice(0, Math.max(0, left));
    left -= sections.length;
    for (const section of shown) {
      if (section.kind !== 'figure') figures = null;
      try {
        const made = drawn(section, depth);
        if (section.kind === 'figure' && !figures) into.append((figures = h('div', { class: 'ml-figures' })));
        (figures ?? into).append(made);
      } catch (error) {
        // One damaged part says so in its place; the others are drawn.
        into.append(h('p', { class: 'ml-quiet', role: 'alert' }, error instanceof Unreadable ? error.message : `A part of this page could not be drawn: ${String(error)}`));
      }
    }
    if (sections.length > shown.length) into.append(quiet(`The first ${shown.length} of ${format.count(sections.length, 'part')} are shown.`));
  };
  const sections = list(data.sections);
  fill(root, sections, 0);
  if (sections.length === 0) root.append(quiet('This page has nothing to show; run the cell again.'));
  // JupyterLab takes arrow keys and Enter from whatever has the focus, unless that itself says that they are its own.
  for (const own of root.querySelectorAll('button, input, select, summary, [tabindex]')) own.setAttribute('data-lm-suppress-shortcuts', 'true');
  el.append(root);
  // Paper cannot be unfolded.
  let opened: HTMLDetailsElement[] = [];
  const open = (): void => {
    opened = [...root.querySelectorAll('details')].filter(d => !d.open);
    opened.forEach(d => { d.open = true; });
  };
  const close = (): void => opened.splice(0).forEach(d => { d.open = false; });
  window.addEventListener('beforeprint', open);
  window.addEventListener('afterprint', close);
  return () => {
    window.removeEventListener('beforeprint', open);
    window.removeEventListener('afterprint', close);
    charts.forEach(c => c.dispose());
    root.remove();
  };
}

function paragraph(section: JsonObject): HTMLElement {
  const role = section.role === 'lede' ? 'ml-lede' : section.role === 'note' ? 'ml-quiet' : null;
  return h('p', { class: role }, h('bdi', { dir: 'ltr' }, format.clip(words(section.text), 4000)));
}

function stats(items: JsonObject[]): HTMLElement {
  return h(
    'dl',
    { class: 'ml-stats' },
    ...items.slice(0, MOST_ITEMS).map(item => {
      const [low, high, n] = [finite(item.low), finite(item.high), finite(item.n)];
      const more = [low !== null && high !== null ? format.interval(low, high) : '', n !== null ? `n = ${format.number(n)}` : '', format.clip(words(item.note), 400)];
      const text = typeof item.text === 'string' ? format.clip(item.text, 80) : format.number(finite(item.value));
      return h('div', {}, h('dt', {}, h('bdi', {}, format.clip(words(item.label), 80))), h('dd', {}, h('bdi', {}, text), h('small', {}, h('bdi', {}, ` ${more.filter(Boolean).join(' ')}`))));
    }),
  );
}
