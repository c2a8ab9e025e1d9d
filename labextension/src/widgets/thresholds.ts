// A class at a threshold that a person moves: counts, shares, cost, calibration and points; live or saved, by the harness.
import * as format from '../core/format.ts';
import { calibrationFigure, prFigure, rocFigure } from '../core/judged.ts';
import { readOperating } from '../core/operating.ts';
import type { At, Group, Operating, Share } from '../core/operating.ts';
import type { Connector, JsonObject } from '../core/protocol.ts';
import { words } from '../core/safe.ts';
import { Chart } from './chart.ts';
import { h, uniqueId } from './dom.ts';
import { matrix } from './matrix.ts';

const HEIGHT = 270;

function shareRow(name: string, { value, whole, low, high }: Share): HTMLElement {
  return h('tr', {}, h('th', { scope: 'row' }, name), h('td', { class: 'ml-num' }, format.number(value), low !== null && high !== null ? h('span', { class: 'ml-ci' }, format.interval(low, high)) : null), h('td', { class: 'ml-num' }, format.number(whole)));
}

/** Whether probabilities of a group agree with what happened, as far as its interval tells. */
function agreement({ mean, value, low, high }: Group): [string, string, string] {
  if (mean === null || value === null || low === null || high === null) return [format.MISSING, '', 'ml-quiet'];
  if (mean > high) return ['▼', 'too high', 'ml-worse'];
  if (mean < low) return ['▲', 'too low', 'ml-worse'];
  return ['○', 'within the interval', 'ml-quiet'];
}

function groupRow(name: string, group: Group): HTMLElement {
  const [shape, text, tone] = agreement(group);
  return h('tr', {}, h('th', { scope: 'row' }, name), h('td', { class: 'ml-num' }, format.number(group.mean)),
    h('td', { class: 'ml-num' }, format.number(group.value), group.low !== null && group.high !== null ? h('span', { class: 'ml-ci' }, format.interval(group.low, group.high)) : null),
    h('td', {}, h('span', { class: tone || null }, h('span', { class: 'ml-shape', 'aria-hidden': 'true' }, shape), text)));
}

const head = (...names: string[]): HTMLElement => h('thead', {}, h('tr', {}, ...names.map((name, i) => h('th', { scope: 'col', class: i === 1 || i === 2 ? 'ml-num' : null }, name))));

/** The part of a page in which a threshold moves; its charts go into `charts`, to be let go with the page. */
export function thresholdPanel(section: JsonObject, connector: Connector, charts: Chart[]): HTMLElement {
  const classes = readOperating(section), counted = section.counted === true, weighted = section.weighted === true;
  let one: Operating = classes[0]!;
  let stop = 0;
  const id = uniqueId('threshold');
  const heading = h('h3');
  const slider = h('input', { type: 'range', id, min: 0, step: 1 });
  const shown = h('output', { for: id, class: 'ml-num' });
  const cost = (label: string): [HTMLElement, HTMLInputElement] => {
    const input = h('input', { type: 'text', inputmode: 'decimal', size: 5, value: '1', 'aria-label': `cost of a ${label}` });
    return [h('label', {}, `a ${label} costs `, input), input];
  };
  const [wrongBox, wrong] = cost('false positive'), [missedBox, missed] = cost('miss');
  const cheapest = h('button', { type: 'button' }, 'Cheapest threshold');
  const back = h('button', { type: 'button' });
  const tables = h('div', { class: 'ml-side' });
  const told = h('p', { role: 'status' });
  const note = h('p', { class: 'ml-quiet' });
  const figures = (['ROC curve', 'Precision and recall', 'Calibration'] as const).map(name => {
    const chart = new Chart(connector, name, HEIGHT);
    charts.push(chart);
    return { name, chart };
  });
  const price = (input: HTMLInputElement): number | null => {
    const value = Number(input.value.replace(',', '.')), sound = input.value.trim() !== '' && Number.isFinite(value) && value >= 0;
    input.classList.toggle('ml-wrong', !sound);
    input.setAttribute('aria-invalid', String(!sound));
    return sound ? value : null;
  };
  const write = (at: At): void => {
    const name = format.named(one.name, 60), [a, b] = [price(wrong), price(missed)];
    tables.replaceChildren(
      matrix([name, 'other'], [[at.tp, at.fn], [at.fp, at.tn]], weighted ? 'Weights by class and prediction' : 'Rows by class and prediction'),
      h('table', { class: 'ml-table' }, h('caption', {}, 'Metrics'), head('metric', counted ? 'value [interval]' : 'value', weighted ? 'of weight' : 'of rows'),
        h('tbody', {},
          shareRow('precision', at.precision), shareRow('recall', at.recall), shareRow('specificity', at.specificity), shareRow('accuracy', at.accuracy),
          h('tr', {}, h('th', { scope: 'row' }, 'f1'), h('td', { class: 'ml-num' }, format.number(at.f1)), h('td', { class: 'ml-num' }, format.number(one.n))))),
      h('table', { class: 'ml-table' }, h('caption', {}, h('bdi', { dir: 'ltr' }, `Calibration: is the probability of ${name} right?`)), head('rows', 'probability', 'observed share', 'probability is'),
        h('tbody', {}, groupRow('at or above', at.said), groupRow('below', at.rest))),
    );
    const total = a === null || b === null ? null : a * at.fp + b * at.fn;
    const cost = total === null ? 'Give costs of 0 or more, as numbers.' : `Cost ${format.number(total)} in all, ${format.number(total / one.n)} for a ${weighted ? 'row of mean weight' : 'row'}.`;
    told.replaceChildren(h('bdi', { dir: 'ltr' }, `At ${format.number(at.threshold)}: precision ${format.number(at.precision.value)}, recall ${format.number(at.recall.value)}, F1 ${format.number(at.f1)}. ${cost}`));
  };
  let waiting = 0;
  const redraw = (): void => {
    waiting = 0;
    const at = one.at(one.stops[stop]!);
    const describe = [
      `false positive rate ${format.number(at.specificity.value === null ? null : 1 - at.specificity.value)}, true positive rate ${format.number(at.recall.value)}`,
      `recall ${format.number(at.recall.value)}, precision ${format.number(at.precision.value)}`,
      `rows at or above: probability ${format.number(at.said.mean)}, observed ${format.number(at.said.value)}; rows below: ${format.number(at.rest.mean)}, observed ${format.number(at.rest.value)}`,
    ];
    [rocFigure(one, at), prFigure(one, at), calibrationFigure(one.bins, at)].forEach((figure, i) => {
      figures[i]!.chart.show(figure);
      figures[i]!.chart.describe(`${figures[i]!.name}; at threshold ${format.number(at.threshold)}: ${describe[i]!}`);
    });
  };
  const move = (to: number): void => {
    stop = Math.min(one.stops.length - 1, Math.max(0, to));
    const threshold = one.stops[stop]!;
    slider.value = String(stop);
    slider.setAttribute('aria-valuetext', format.number(threshold));
    shown.textContent = format.number(threshold);
    back.disabled = threshold === one.chosen;
    write(one.at(threshold));
    // One drawing for each picture of the screen is all that can be seen.
    if (waiting === 0) waiting = requestAnimationFrame(redraw);
  };
  const nearest = (threshold: number): number => one.stops.reduce((best, t, i) => (Math.abs(t - threshold) < Math.abs(one.stops[best]! - threshold) ? i : best), 0);
  const choose = (place: number): void => {
    one = classes[place] ?? classes[0]!;
    heading.replaceChildren(h('bdi', { dir: 'ltr' }, `At a threshold for ${format.named(one.name, 60)}`));
    slider.max = String(one.stops.length - 1);
    back.textContent = `Back to ${format.number(one.chosen)}`;
    const made = classes.length === 1 ? `The evaluation was made at ${format.number(one.chosen)}; a` : 'A';
    note.textContent = `${made} threshold chosen on the rows it is judged by looks better than it is.`;
    move(nearest(one.chosen));
  };
  slider.addEventListener('input', () => move(Number(slider.value)));
  for (const input of [wrong, missed]) input.addEventListener('input', () => write(one.at(one.stops[stop]!)));
  cheapest.addEventListener('click', () => {
    const [a, b] = [price(wrong), price(missed)];
    if (a !== null && b !== null) move(nearest(one.cheapest(a, b)));
  });
  back.addEventListener('click', () => {
    move(nearest(one.chosen));
    slider.focus();
  });
  const select = h('select', { onchange: () => choose(select.selectedIndex) }, ...classes.map((c, i) => h('option', { value: i }, format.clip(c.name, 60))));
  choose(0);
  const more = format.clip(words(section.note), 1000);
  return h('div', { class: 'ml-threshold' },
    heading,
    h('div', { class: 'ml-bar' },
      classes.length > 1 ? h('label', {}, 'class ', select) : null,
      h('label', { for: id }, 'threshold'), slider, shown, back),
    h('div', { class: 'ml-bar' }, wrongBox, missedBox, cheapest),
    told,
    tables,
    h('div', { class: 'ml-figures ml-three' }, ...figures.map(({ name, chart }) => h('div', {}, h('h4', {}, name), chart.el))),
    h('p', { class: 'ml-quiet' }, 'Diamonds are of the threshold: its point on each curve; in the calibration, the rows below it and those at or above.'),
    note,
    more ? h('p', { class: 'ml-quiet' }, more) : null,
  );
}
