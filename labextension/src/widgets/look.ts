// How somebody looks at the runs: what is filtered, sorted, hidden, selected and drawn. Kept by the kernel and the browser.
import { isObject } from '../core/protocol.ts';
import type { Json, JsonObject } from '../core/protocol.ts';
import { words } from '../core/safe.ts';

export const TABS = ['curves', 'scatter', 'parallel'] as const;
export type Tab = (typeof TABS)[number];

export interface Look {
  filter: string;
  sort: { name: string; descending: boolean };
  /** Columns that are not shown; null leaves the choice to the table. */
  hidden: string[] | null;
  /** Ids of runs. */
  selected: string[];
  tab: Tab;
  metric: string;
  x: string;
  y: string;
}

export const FIRST: Look = {
  filter: '', sort: { name: 'started_at', descending: true }, hidden: null, selected: [], tab: 'curves', metric: '', x: '', y: '',
};

/** More than these are a page's trick, not a person's choice. */
const LONGEST = 10_000;
const MOST = 5000;

const texts = (value: Json | undefined): string[] | null =>
  Array.isArray(value) ? value.slice(0, MOST).map(v => words(v).slice(0, LONGEST)) : null;

/** A look as it was kept; what is missing or no look is as at first. */
export function readLook(value: Json | undefined): Look {
  if (!isObject(value)) return FIRST;
  const text = (key: string): string => words(value[key]).slice(0, LONGEST);
  const sort = isObject(value.sort) ? { name: words(value.sort.name), descending: value.sort.descending === true } : FIRST.sort;
  return {
    filter: text('filter'),
    sort,
    hidden: texts(value.hidden),
    selected: texts(value.selected) ?? [],
    tab: TABS.find(tab => tab === value.tab) ?? FIRST.tab,
    metric: text('metric'),
    x: text('x'),
    y: text('y'),
  };
}

/** The same as JSON; what a kernel would refuse to keep is left out. */
export function writeLook(look: Look): JsonObject {
  return { ...look, sort: { ...look.sort }, hidden: look.hidden && look.hidden.slice(0, MOST), selected: look.selected.slice(0, 500) };
}

/** What this browser remembers under a key; a page without storage remembers nothing. */
export function remembered(key: string): Json | undefined {
  try {
    return JSON.parse(localStorage.getItem(`modellab ${key}`) ?? 'null') as Json;
  } catch {
    return undefined; // storage may be forbidden here, or hold another's text
  }
}

export function remember(key: string, look: Look): void {
  try {
    localStorage.setItem(`modellab ${key}`, JSON.stringify(writeLook(look)));
  } catch {
    // Forbidden or full: the kernel remembers, too.
  }
}
