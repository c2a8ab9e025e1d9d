// What differs between the code of two runs, cell by cell: signs and elements say it, colours repeat it.
import * as format from '../core/format.ts';
import { isObject } from '../core/protocol.ts';
import type { Json, JsonObject } from '../core/protocol.ts';
import { words } from '../core/safe.ts';
import { h } from './dom.ts';

const MOST_CELLS = 300;
const MOST_LINES = 3000;
const LONGEST = 600;
const SHAPES = new Map([['changed', '±'], ['added', '+'], ['removed', '−'], ['moved', '↕']]);
/** Letters that cannot be seen or turn the order of others around: code is shown as it runs. */
const UNSEEN = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/gu;

export function visible(text: string): string {
  return text.replace(UNSEEN, letter => `\\u${letter.codePointAt(0)!.toString(16).padStart(4, '0')}`);
}

function line(text: string): HTMLElement {
  const sign = text[0], rest = visible(format.clip(text.slice(1), LONGEST));
  if (sign === '+') return h('ins', {}, `+ ${rest}`);
  if (sign === '-') return h('del', {}, `− ${rest}`);
  if (sign === '@') return h('span', { class: 'ml-quiet' }, rest ? `⋯ ${rest}` : '⋯');
  return h('span', {}, `  ${rest}`);
}

export function diffSection(section: JsonObject): HTMLElement {
  const caption = format.clip(words(section.caption), 300), note = format.clip(words(section.note), 1000);
  let left = MOST_LINES;
  const block = (title: string, lines: Json | undefined): HTMLElement | null => {
    const texts = (Array.isArray(lines) ? lines : []).slice(0, left).map(words);
    left -= texts.length;
    return texts.length > 0 ? h('pre', { tabindex: 0, role: 'group', 'aria-label': title }, ...texts.map(line)) : null;
  };
  const given = Array.isArray(section.cells) ? section.cells.filter(isObject) : [];
  const cells = given.slice(0, MOST_CELLS).map(cell => {
    const title = format.clip(words(cell.title), 200) || 'cell', kind = words(cell.kind);
    const code = block(title, cell.lines);
    if (kind === 'same') return h('details', { class: 'ml-fold ml-same' }, h('summary', {}, title), code);
    return h('div', { class: 'ml-piece' }, h('h4', {}, h('span', { class: 'ml-shape', 'aria-hidden': 'true' }, SHAPES.get(kind) ?? ''), title), code);
  });
  return h('div', { class: 'ml-diff' }, caption ? h('h3', {}, caption) : null, ...cells, note ? h('p', { class: 'ml-quiet' }, note) : null);
}
