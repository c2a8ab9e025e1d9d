// Two classes at a threshold that a person moves: counts, shares with intervals, cost; live or saved, by the harness.
import * as format from '../core/format.ts';
import type { Json, JsonObject } from '../core/protocol.ts';
import { Unreadable, finite, words } from '../core/safe.ts';
import { Thresholds } from '../harness/curves.ts';
import { share } from '../harness/intervals.ts';
import { h, uniqueId } from './dom.ts';

const STEPS = 1000;
const MOST = 5000;

/** A saved column of finite numbers; a stranger's page is drawn with nothing else. */
function column(value: Json | undefined, falls = false): Float64Array {
  const numbers = Array.isArray(value) ? value.map(finite) : [];
  const sound = numbers.every((v, i) => v !== null && v >= 0 && (i === 0 || (falls ? v <= numbers[i - 1]! : v >= numbers[i - 1]!)));
  if (numbers.length === 0 || numbers.length > MOST || !sound) throw new Unreadable('The thresholds of this page are damaged; run the cell again.');
  return Float64Array.from(numbers as number[]);
}

/** The part of a page in which a threshold moves. */
export function thresholdPanel(section: JsonObject): HTMLElement {
  const scores = column(section.score, true), [tp, fp, sum] = [column(section.tp), column(section.fp), column(section.sum)];
  const size = scores.length;
  if (tp.length !== size || fp.length !== size || sum.length !== size) throw new Unreadable('The thresholds of this page are damaged; run the cell again.');
  const thresholds = new Thresholds(scores, { tp, fp, size }), n = tp[size - 1]! + fp[size - 1]!;
  const level = Math.min(0.999, Math.max(0.5, finite(section.level) ?? 0.95)), counted = section.counted === true;
  const positive = format.clip(words(section.positive), 60) || 'positive';
  const id = uniqueId('threshold');
  const slider = h('input', { type: 'range', id, min: 0, max: STEPS, step: 1 });
  const shown = h('output', { for: id, class: 'ml-num' });
  const cost = (label: string): [HTMLElement, HTMLInputElement] => {
    const input = h('input', { type: 'text', inputmode: 'decimal', size: 5, value: '1', 'aria-label': `cost of a ${label}` });
    return [h('label', {}, `a ${label} costs `, input), input];
  };
  const [wrongBox, wrong] = cost('false positive'), [missedBox, missed] = cost('miss');
  const cheapest = h('button', { type: 'button' }, 'Cheapest threshold');
  const result = h('div', { 'aria-live': 'polite' });
  const price = (input: HTMLInputElement): number | null => {
    const value = Number(input.value.replace(',', '.')), sound = input.value.trim() !== '' && Number.isFinite(value) && value >= 0;
    input.classList.toggle('ml-wrong', !sound);
    input.setAttribute('aria-invalid', String(!sound));
    return sound ? value : null;
  };
  let threshold = Math.min(1, Math.max(0, finite(section.chosen) ?? 0.5));
  const draw = (): void => {
    slider.value = String(Math.round(threshold * STEPS));
    slider.setAttribute('aria-valuetext', threshold.toFixed(3));
    shown.textContent = threshold.toFixed(3);
    const { tp: hits, fp: alarms, fn, tn, metrics } = thresholds.at(threshold), said = thresholds.chosen(threshold);
    const row = (name: string, part: number, whole: number, interval = counted): HTMLElement => {
      const value = whole > 0 ? part / whole : null, ends = interval && whole > 0 ? share(part, whole, level) : null;
      return h('tr', {}, h('th', { scope: 'row' }, name), h('td', { class: 'ml-num' }, format.number(value), ends && ends.low !== null && ends.high !== null ? h('span', { class: 'ml-ci' }, format.interval(ends.low, ends.high)) : null), h('td', { class: 'ml-num' }, format.number(whole)));
    };
    const cell = (count: number, right: boolean): HTMLElement => h('td', { class: `ml-num ${right ? 'ml-better' : 'ml-worse'}` }, format.number(count));
    const [a, b] = [price(wrong), price(missed)];
    const total = a === null || b === null ? null : a * alarms + b * fn;
    const mean = said > 0 && hits + alarms > 0 ? sum[said - 1]! / (hits + alarms) : null;
    result.replaceChildren(
      h('div', { class: 'ml-side' },
        h('table', { class: 'ml-table' },
          h('caption', {}, 'Rows by label and prediction'),
          h('thead', {}, h('tr', {}, h('td'), h('th', { scope: 'col', class: 'ml-num' }, `said ${positive}`), h('th', { scope: 'col', class: 'ml-num' }, 'said other'))),
          h('tbody', {},
            h('tr', {}, h('th', { scope: 'row' }, h('bdi', {}, `is ${positive}`)), cell(hits, true), cell(fn, false)),
            h('tr', {}, h('th', { scope: 'row' }, 'is other'), cell(alarms, false), cell(tn, true)))),
        h('table', { class: 'ml-table' },
          h('thead', {}, h('tr', {}, h('th', { scope: 'col' }, 'metric'), h('th', { scope: 'col', class: 'ml-num' }, counted ? 'value [interval]' : 'value'), h('th', { scope: 'col', class: 'ml-num' }, 'of rows'))),
          h('tbody', {},
            row('precision', hits, hits + alarms), row('recall', hits, hits + fn), row('specificity', tn, tn + alarms), row('accuracy', hits + tn, n),
            h('tr', {}, h('th', { scope: 'row' }, 'f1'), h('td', { class: 'ml-num' }, format.number(metrics.f1 ?? null)), h('td', { class: 'ml-num' }, format.number(n)))))),
      h('p', {}, total === null ? 'Give costs of 0 or more, as numbers.' : `Cost ${format.number(total)} in all, ${format.number(total / n)} for a row.`,
        mean === null ? null : ` Rows said to be ${positive} have a mean probability of ${format.number(mean)}; ${format.number(hits / (hits + alarms))} of them are.`),
    );
  };
  slider.addEventListener('input', () => {
    threshold = Number(slider.value) / STEPS;
    draw();
  });
  for (const input of [wrong, missed]) input.addEventListener('input', draw);
  cheapest.addEventListener('click', () => {
    const [a, b] = [price(wrong), price(missed)];
    if (a === null || b === null) return;
    threshold = thresholds.cheapest(a, b).threshold;
    draw();
  });
  draw();
  return h('div', { class: 'ml-threshold' },
    h('h3', {}, h('bdi', {}, `At a threshold for ${positive}`)),
    h('div', { class: 'ml-bar' }, h('label', { for: id }, 'threshold'), slider, shown, wrongBox, missedBox, cheapest),
    result,
    h('p', { class: 'ml-quiet' }, `At ${format.number(threshold)} the evaluation was made; a threshold chosen on the rows it is judged by looks better than it is.`),
  );
}
