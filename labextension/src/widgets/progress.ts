// Runs that are being recorded: how far each is, for how long, and when it should end.
import * as figures from '../core/figures.ts';
import * as format from '../core/format.ts';
import { isObject } from '../core/protocol.ts';
import type { Json } from '../core/protocol.ts';
import { finite, words } from '../core/safe.ts';
import type { Table } from '../core/table.ts';
import { h } from './dom.ts';

const MOST = 5;
const SHOWN = 6;

export interface Going {
  id: string;
  name: string;
  step: number | null;
  total: number | null;
  /** The first step since it was started or resumed. */
  first: number;
  /** When that was, and when the kernel told of it, by the clock of this page. */
  started: number;
  told: number;
}

/** Runs under way; `now` is when the kernel told of them, whose own clock may differ. */
export function readProgress(value: Json | undefined, now: number): Going[] {
  return (Array.isArray(value) ? value.filter(isObject) : []).flatMap(one => {
    const elapsed = finite(one.elapsed);
    if (elapsed === null) return [];
    return [{ id: words(one.run_id), name: words(one.name), step: finite(one.step), total: finite(one.total), first: finite(one.first) ?? 0, started: now - 1000 * elapsed, told: now }];
  });
}

/** Seconds that a run should still take, from the steps it had done when the kernel told of it; null before the first and without a total. */
export function remaining({ step, total, first, started, told }: Going, now: number): number | null {
  if (step === null || total === null || total <= 0 || step < first) return null;
  const then = ((told - started) * Math.max(0, total - step - 1)) / (step + 1 - first);
  return Math.max(0, then - (now - told)) / 1000;
}

/** A card for each run; what it logged so far is read from its row of the table. */
export function progressCards(going: readonly Going[], table: Table, now: number): HTMLElement[] {
  const ids = table.column('run_id');
  const cards = going.slice(0, MOST).map(run => {
    const row = ids ? Array.from({ length: table.rows }, (_, i) => i).find(i => ids.get(i) === run.id) : undefined;
    const known = (prefix: 'params.' | 'metrics.'): string => {
      if (row === undefined) return '';
      const names = table.keys(prefix).filter(name => table.column(name)!.get(row) !== null);
      const said = names.slice(0, SHOWN).map(name => {
        const value = table.column(name)!.get(row);
        return `${format.named(figures.label(name), 40)} ${typeof value === 'number' ? format.number(value) : format.named(String(value), 40)}`;
      });
      return said.join(' · ') + (names.length > SHOWN ? ` · ${names.length - SHOWN} more` : '');
    };
    const left = remaining(run, now);
    const end = left === null ? null : now + left * 1000;
    const steps = run.step === null ? '' : run.total === null ? `step ${format.number(run.step)}` : `step ${format.number(Math.min(run.step + 1, run.total))} of ${format.number(run.total)}`;
    const share = run.step !== null && run.total ? Math.min(1, (run.step + 1) / run.total) : null;
    const name = format.clip(run.name || run.id, 100);
    const times = [
      steps,
      `${format.duration((now - run.started) / 1000)} so far`,
      left !== null && share !== 1 ? `about ${format.duration(left)} left, until ${format.clock(end!)}` : '',
    ];
    return h(
      'li',
      { class: 'ml-going' },
      h('div', { class: 'ml-status-running' }, h('span', { class: 'ml-shape', 'aria-hidden': 'true' }, '▶'), h('b', {}, h('bdi', {}, name))),
      share === null ? null : h('progress', { max: 1, value: share, 'aria-label': `progress of ${format.named(run.name || run.id, 100)}` }, `${Math.round(100 * share)} %`),
      h('div', {}, times.filter(Boolean).join(' · ')),
      ...[known('metrics.'), known('params.')].map(text => (text ? h('div', { class: 'ml-quiet' }, h('bdi', { dir: 'ltr' }, text)) : null)),
    );
  });
  if (going.length > MOST) cards.push(h('li', { class: 'ml-quiet' }, `and ${going.length - MOST} more`));
  return cards;
}
