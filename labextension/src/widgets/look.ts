// How somebody looks at the runs: what is filtered, sorted, hidden, selected and drawn. Kept by the kernel and the browser.
import { isObject } from '../core/protocol.ts';
import type { Json, JsonObject } from '../core/protocol.ts';
import { words } from '../core/safe.ts';

export const TABS = ['curves', 'scatter', 'parallel'] as const;
export type Tab = (typeof TABS)[number];

export interface Look {
  filter: string;
  sort: { name: string; descending: boolean };
  /** Columns that are not shown, or in place of them those that are; both null leave the choice to the table. */
  hidden: string[] | null;
  shown: string[] | null;
  /** Ids of runs. */
  selected: string[];
  tab: Tab;
  metric: string;
  x: string;
  y: string;
}

export const FIRST: Look = {
  filter: '', sort: { name: 'started_at', descending: true }, hidden: null, shown: null, selected: [], tab: 'curves', metric: '', x: '', y: '',
};

/** More than these are a page's trick, not a person's choice. */
const LONGEST = 10_000;
const MOST = 5000;
/** Letters of JSON; a kernel takes a little more. */
const LARGEST = 95_000;

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
    shown: texts(value.shown),
    selected: texts(value.selected) ?? [],
    tab: TABS.find(tab => tab === value.tab) ?? FIRST.tab,
    metric: text('metric'),
    x: text('x'),
    y: text('y'),
  };
}

/** The same as JSON; what a kernel would refuse to keep is left out: above all a choice among very many columns. */
export function writeLook(look: Look): JsonObject {
  const kept = { ...look, sort: { ...look.sort }, selected: look.selected.slice(0, 500) };
  return JSON.stringify(kept).length > LARGEST ? { ...kept, hidden: null, shown: null } : kept;
}

/** Which of the columns that there are stay hidden; null where nobody chose. */
export function hiddenOf(look: Look, names: readonly string[]): Set<string> | null {
  if (look.hidden) return new Set(look.hidden);
  const shown = look.shown && new Set(look.shown);
  return shown && new Set(names.filter(name => !shown.has(name)));
}

/** The choice of columns in as few names as it takes. */
export function chosenColumns(hidden: ReadonlySet<string>, names: readonly string[]): Pick<Look, 'hidden' | 'shown'> {
  const shown = names.filter(name => !hidden.has(name));
  return shown.length < hidden.size ? { hidden: null, shown } : { hidden: [...hidden], shown: null };
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
