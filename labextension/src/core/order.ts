// The order of texts, of which some write numbers: a param is text where its runs disagree about its kind.
const NUMBER = /^\s*[-+]?(?:(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?|inf(?:inity)?)\s*$/iu;
const alphabet = new Intl.Collator('en', { numeric: true, sensitivity: 'base' });

/** The number that a text writes; null where it writes none, as an empty one does. */
export function written(text: string): number | null {
  return NUMBER.test(text) ? Number(text.replace(/inf(?:inity)?/iu, 'Infinity')) : null;
}

type Key = readonly [number | null, string];

function compare([x, a]: Key, [y, b]: Key): number {
  if (x === null || y === null) return x === y ? alphabet.compare(a, b) : x === null ? 1 : -1;
  return x < y ? -1 : x > y ? 1 : alphabet.compare(a, b);
}

/** Numbers by their value, then the other texts by the alphabet, in which "run 9" comes before "run 10". */
export function compareTexts(a: string, b: string): number {
  return compare([written(a), a], [written(b), b]);
}

/** Texts in that order, each read once. */
export function inOrder(texts: Iterable<string>): string[] {
  return Array.from(texts, (text): Key => [written(text), text]).sort(compare).map(([, text]) => text);
}
