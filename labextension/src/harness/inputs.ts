// The door: plain columns become one checked `Sample`, or one clear sentence. Nothing given is changed.
import { accurate } from './columns.ts';
import { InputError } from './schemas.ts';
import type { Class, Sample, Task } from './schemas.ts';
import { keptRows, readTable } from './table.ts';
import type { Table } from './table.ts';
import { ascending, general, grouped, listing, literal, nearest, real, rows } from './wording.ts';

const MAX_CLASSES = 500;
/** Whole numbers beyond this are not told apart as floats. */
const LARGEST_CLASS = 2 ** 53;
/** Larger targets would overflow when squared or cubed. */
const LARGEST = 1e100;

/** One value for each row; null and NaN are missing. */
export type Column = ArrayLike<number | string | boolean | null>;

/** Probabilities of k classes, row by row. */
export interface Matrix {
  readonly values: ArrayLike<number>;
  readonly columns: number;
}

/** What `evaluate` takes; the names and their meaning are those of the Python package. */
export interface Input {
  readonly task_type: 'classification' | 'regression';
  readonly labels: Column;
  /** Labels, probabilities of the positive class, or probabilities of each class. */
  readonly predictions: Column | Matrix | readonly ArrayLike<number>[];
  /** Probabilities beside predicted labels. */
  readonly probabilities?: Column | Matrix | readonly ArrayLike<number>[] | null;
  readonly classes?: readonly Class[] | null;
  readonly positive?: Class | null;
  readonly threshold?: number;
  readonly sample_weight?: Column | null;
  readonly groups?: Column | null;
  /** Resamples keep the number of rows of each stratum; true takes the labels as strata. */
  readonly stratify?: Column | boolean | null;
  /** The features, for slices and failures. */
  readonly data?: Table | null;
  readonly on_missing?: 'error' | 'drop';
}

type Kind = 'bool' | 'int' | 'float' | 'str';

interface Vector {
  readonly kind: Kind;
  readonly values: ArrayLike<number | string | boolean | null>;
  readonly missing: Uint8Array;
}

type Read = Vector | { readonly table: Float64Array; readonly columns: number };

/** Check everything that was given and return it as a `Sample`. */
export function read(input: Input): Sample {
  const { task_type, threshold = 0.5, on_missing = 'error' } = input;
  if (task_type !== 'classification' && task_type !== 'regression') {
    throw new InputError(`task_type is ${literal(String(task_type))}; ${nearest(String(task_type), ['classification', 'regression'])}`);
  }
  if (on_missing !== 'error' && on_missing !== 'drop') {
    throw new InputError(`on_missing is ${literal(String(on_missing))}; ${nearest(String(on_missing), ['error', 'drop'])}`);
  }
  if (!(threshold > 0 && threshold < 1)) {
    throw new InputError(`threshold is ${String(threshold)}; give a probability between 0 and 1, such as 0.5.`);
  }
  for (const name of ['predictions', 'labels'] as const) {
    if (input[name] === null || input[name] === undefined) throw new InputError(`${name} is None; give one value for each row.`);
  }
  const y = vector(input.labels, 'labels');
  const n = y.values.length;
  if (n === 0) throw new InputError('labels has no rows; give at least one.');
  if (!y.missing.includes(0)) throw new InputError(`labels is missing in all ${rows(n)}; give what really was in each row.`);
  const data = input.data ? readTable(input.data) : null;
  const first = matrix(input.predictions, 'predictions');
  const second = input.probabilities ? matrix(input.probabilities, 'probabilities') : null;
  const weight = input.sample_weight ? vector(input.sample_weight, 'sample_weight') : null;
  const cluster = input.groups ? vector(input.groups, 'groups') : null;
  const parted = stratumColumn(input, y);
  for (const [name, found] of [['predictions', first], ['probabilities', second], ['data', data && data[0]], ['sample_weight', weight], ['groups', cluster], ['stratify', parted]] as const) {
    if (!found) continue;
    const size = 'table' in found ? found.table.length / found.columns : found.values.length;
    if (size !== n) throw new InputError(`${name} has ${rows(size)} but labels has ${grouped(n)}; give one for each label.`);
  }
  const notes: string[] = [];
  const found = task_type === 'regression' ? regression(y, first, second, input) : classification(y, first, second, input, threshold, notes);
  const { missing } = found;
  let keep = Int32Array.from({ length: n }, (_, i) => i);
  const bad = total(missing);
  if (bad > 0) {
    if (on_missing === 'error') {
      const lacking = total(y.missing);
      const whose = lacking === 0 ? 'predictions' : missing.some((m, i) => m && !y.missing[i]) ? 'labels or predictions' : 'labels';
      throw new InputError(
        `${whose} ${bad === 1 ? 'is' : 'are'} missing in ${rows(bad)} (first: row ${missing.indexOf(1)}); ` +
          "fill them in, or give on_missing='drop' to leave those rows out.",
      );
    }
    keep = keep.filter(i => !missing[i]);
    if (keep.length === 0) throw new InputError(`labels and predictions leave no complete row of ${grouped(n)}; fill in the missing values.`);
    notes.push(`${rows(bad)} of ${grouped(n)} with a missing label or prediction were left out (on_missing='drop').`);
  }
  let scaled = weight && weights(weight, keep);
  const weightless = scaled ? scaled.reduce((sum, w) => sum + (w === 0 ? 1 : 0), 0) : 0;
  if (scaled && weightless > 0) {
    notes.push(`${rows(weightless)} of ${grouped(n)} with sample_weight 0 were left out.`);
    const held = scaled;
    keep = keep.filter((_, i) => held[i]! > 0);
    scaled = weights(weight!, keep);
  }
  if (scaled && scaled.every(w => w === scaled![0])) {
    notes.push('sample_weight is the same in every row that counts, which is to give none.');
    scaled = null;
  }
  const clusters = cluster && groups(cluster, keep);
  const k = found.classes.length;
  const kept = (column: Float64Array, width = 1): Float64Array => {
    if (keep.length === n) return column;
    const out = new Float64Array(keep.length * width);
    keep.forEach((row, i) => out.set(column.subarray(row * width, (row + 1) * width), i * width));
    return out;
  };
  return {
    task: found.task,
    n: keep.length,
    labels: kept(found.labels),
    predictions: kept(found.predictions),
    probabilities: found.probabilities && kept(found.probabilities, k),
    classes: found.classes,
    positive: found.positive,
    threshold,
    weights: scaled,
    groups: clusters,
    strata: parted && strata(parted, keep, clusters),
    rows: keep,
    data: data && (keep.length === n ? data : keptRows(data, keep)),
    notes,
  };
}

// Containers ----------------------------------------------------------------------------------------

function total(flags: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < flags.length; i++) sum += flags[i]!;
  return sum;
}

function vector(given: Column, name: string): Vector {
  const n = given.length, missing = new Uint8Array(n);
  if (ArrayBuffer.isView(given)) {
    const real = given instanceof Float64Array || given instanceof Float32Array;
    if (real) for (let i = 0; i < n; i++) if (Number.isNaN(given[i])) missing[i] = 1;
    return { kind: real ? 'float' : 'int', values: given, missing };
  }
  let kind: Kind | null = null, start = -1, odd = -1, others = 0;
  for (let i = 0; i < n; i++) {
    const value = given[i];
    if (value === null || value === undefined || (typeof value === 'number' && Number.isNaN(value))) {
      missing[i] = 1;
      continue;
    }
    const type = typeof value;
    if (type !== 'number' && type !== 'string' && type !== 'boolean') {
      throw new InputError(`${name} holds a ${type} at row ${i}; give numbers, strings or booleans.`);
    }
    const found: Kind = type === 'string' ? 'str' : type === 'boolean' ? 'bool' : Number.isInteger(value) ? 'int' : 'float';
    if (kind === null) [kind, start] = [found, i];
    else if (kind === 'int' && found === 'float') kind = 'float';
    else if (kind !== found && !(kind === 'float' && found === 'int')) {
      if (others++ === 0) odd = i;
    }
  }
  if (others > 0) {
    const at = given[start]!;
    const was = typeof at === 'string' ? 'str' : typeof at === 'boolean' ? 'bool' : Number.isInteger(at) ? 'int' : 'float';
    throw new InputError(
      `${name} mixes types: ${rows(others)} (first: row ${odd}, ${literal(given[odd]!)}) ${others === 1 ? 'is' : 'are'} not ${was} ` +
        `like row ${start} (${literal(at)}); give one type.`,
    );
  }
  return { kind: kind ?? 'float', values: given, missing };
}

function matrix(given: Column | Matrix | readonly ArrayLike<number>[], name: string): Read {
  if ('columns' in given) {
    if (!(given.columns >= 1) || given.values.length % given.columns !== 0) {
      throw new InputError(`${name} has ${given.values.length} values, which make no rows of ${given.columns}; give n times k.`);
    }
    if (given.columns === 1) return vector(given.values, name);
    return { table: Float64Array.from(given.values), columns: given.columns };
  }
  const start = given[0];
  if (typeof start !== 'object' || start === null) return vector(given as Column, name);
  const list = given as readonly ArrayLike<number>[], columns = start.length;
  const table = new Float64Array(list.length * columns);
  for (let i = 0; i < list.length; i++) {
    const row = list[i]!;
    if (row.length !== columns) {
      throw new InputError(`${name} is ragged: row ${i} does not have ${columns} values like row 0; give rows of one length.`);
    }
    for (let j = 0; j < columns; j++) table[i * columns + j] = row[j] ?? NaN;
  }
  return columns === 1 ? vector(table, name) : { table, columns };
}

function refuse(values: ArrayLike<number>, bad: (value: number) => boolean, name: string, what: string, advice: string): void {
  let count = 0, row = -1;
  for (let i = 0; i < values.length; i++) {
    if (bad(values[i]!) && count++ === 0) row = i;
  }
  if (count > 0) throw new InputError(`${name} ${what} in ${rows(count)} (first: row ${row}, ${general(values[row]!)}); ${advice}`);
}

function numbers(v: Vector): Float64Array {
  const out = new Float64Array(v.values.length);
  for (let i = 0; i < out.length; i++) out[i] = v.missing[i] ? NaN : Number(v.values[i]);
  return out;
}

// Tasks ---------------------------------------------------------------------------------------------

interface Found {
  task: Task;
  labels: Float64Array;
  predictions: Float64Array;
  probabilities: Float64Array | null;
  classes: readonly Class[];
  positive: number | null;
  missing: Uint8Array;
}

function either(a: Uint8Array, b: Uint8Array): Uint8Array {
  return a.map((m, i) => m | b[i]!);
}

function regression(y: Vector, first: Read, second: Read | null, input: Input): Found {
  const other = "task_type='regression'";
  if (second) throw new InputError(`probabilities were given with ${other}; leave them out, or give task_type='classification'.`);
  for (const name of ['classes', 'positive'] as const) {
    if (input[name] !== null && input[name] !== undefined) {
      throw new InputError(`${name} was given with ${other}; leave it out, or give task_type='classification'.`);
    }
  }
  if ('table' in first) throw new InputError(`predictions has ${first.columns} columns; with ${other} give one number for each row.`);
  const [labels, predictions] = ([['labels', y], ['predictions', first]] as const).map(([name, v]) => {
    if (v.kind === 'str') {
      const row = v.missing.indexOf(0);
      throw new InputError(
        `${name} holds strings (first: row ${row}, ${literal(v.values[row]!)}); ${other} needs numbers, so convert them or give ` +
          "task_type='classification'.",
      );
    }
    const values = numbers(v);
    refuse(values, x => Math.abs(x) === Infinity, name, 'is infinite', 'give finite numbers.');
    refuse(values, x => Math.abs(x) > LARGEST, name, 'is beyond 1e+100', 'give it in a larger unit.');
    return values;
  }) as [Float64Array, Float64Array];
  return { task: 'regression', labels, predictions, probabilities: null, classes: [], positive: null, missing: either(y.missing, first.missing) };
}

/** Whole numbers in a column of reals are whole numbers; other reals are no classes. */
function classLike(v: Vector, name: string): Vector {
  if (v.kind === 'int' || v.kind === 'float') {
    const row = Array.from(v.missing.keys()).find(i => !v.missing[i] && Number.isFinite(v.values[i]) && Math.abs(Number(v.values[i])) > LARGEST_CLASS);
    if (row !== undefined) {
      throw new InputError(
        `${name} holds a class beyond 2**53 (first: row ${row}, ${v.kind === 'int' ? literal(v.values[row]!) : real(Number(v.values[row]))}); give ` +
          'classes as strings or small codes.',
      );
    }
  }
  if (v.kind !== 'float') return v;
  const values = numbers(v);
  refuse(values, x => Math.abs(x) === Infinity, name, 'is infinite', 'give a class for each row.');
  const advice = "give class labels, or task_type='regression' for quantities.";
  refuse(values, x => !Number.isNaN(x) && !Number.isInteger(x), name, 'is not a whole number and so no class', advice);
  return { kind: 'int', values, missing: v.missing };
}

function unique(v: Vector): Class[] {
  const met = new Set<Class>();
  for (let i = 0; i < v.values.length; i++) if (!v.missing[i]) met.add(v.values[i]!);
  return [...met];
}

function kinds(v: Vector): string {
  return { str: 'strings', int: 'whole numbers', bool: 'booleans', float: 'numbers' }[v.kind];
}

function classification(y0: Vector, first: Read, second: Read | null, input: Input, threshold: number, notes: string[]): Found {
  const y = classLike(y0, 'labels');
  const listed = input.classes ? listedClasses(input.classes) : null;
  let guessed: Vector | null = null, scores: readonly [string, Read] | null = null;
  if (second) {
    if ('table' in first) {
      throw new InputError(
        `predictions has ${first.columns} columns although probabilities were given too; give one predicted class for each row.`,
      );
    }
    [guessed, scores] = [first, ['probabilities', second]];
  } else if ('table' in first || areProbabilities(first, y, listed)) scores = ['predictions', first];
  else guessed = first;
  if (guessed) {
    guessed = predicted(guessed, y);
    if (!listed) notScores(guessed, y);
  }
  const classes = listed ?? foundClasses(y, guessed, scores);
  if (classes.length > MAX_CLASSES) {
    throw new InputError(
      `labels and predictions hold ${grouped(classes.length)} classes; up to ${MAX_CLASSES} are supported, so group rare ones, ` +
        "or give task_type='regression' for numbers.",
    );
  }
  const k = classes.length;
  const labels = codes(y, classes, 'labels', listed !== null);
  if (!listed && guessed && k > 2) {
    const met = new Uint8Array(k);
    labels.forEach((code, i) => { if (!y.missing[i]) met[code] = 1; });
    const absent = classes.filter((_, c) => !met[c]);
    if (absent.length > 0 && unique(guessed).length > 0) notes.push(`Met in predictions but in no label: ${listing(absent)}.`);
  }
  let positive: number | null = null;
  const wanted = input.positive;
  if (wanted !== null && wanted !== undefined) {
    positive = classes.findIndex(c => same(c, wanted));
    if (positive < 0) {
      throw new InputError(`positive is ${literal(wanted)}, which is not one of the classes ${listing(classes)}; give one of them.`);
    }
    if (k !== 2) {
      throw new InputError(
        `positive is ${literal(wanted)} but there are ${k} classes; leave it out, or join the others into one class.`,
      );
    }
  } else if (k === 2) {
    positive = 1;
    notes.push(`The positive class is ${literal(classes[1]!)}, the last of the classes ${listing(classes)}; positive= chooses another.`);
  }
  let missing = y.missing, probabilities: Float64Array | null = null;
  if (scores) {
    probabilities = checked(scores[0], scores[1], classes, positive);
    const lost = new Uint8Array(labels.length);
    for (let i = 0; i < probabilities.length; i++) if (Number.isNaN(probabilities[i])) lost[Math.floor(i / k)] = 1;
    missing = either(missing, lost);
  }
  const n = labels.length;
  const cut = (i: number): number => (probabilities![i * k + positive!]! >= threshold ? positive! : 1 - positive!);
  let predictions: Float64Array;
  if (guessed) {
    predictions = codes(guessed, classes, 'predictions', listed !== null);
    missing = either(missing, guessed.missing);
    if (probabilities && k === 2) {
      let differ = 0;
      for (let i = 0; i < n; i++) if (!missing[i] && cut(i) !== predictions[i]) differ++;
      if (differ > 0) {
        notes.push(`${rows(differ)} are predicted otherwise than probability >= ${general(threshold)} would; label metrics use predictions.`);
      }
    }
  } else if (k === 2) {
    predictions = Float64Array.from({ length: n }, (_, i) => cut(i));
    notes.push(`A row is predicted ${literal(classes[positive!]!)} where its probability is at least ${general(threshold)}.`);
  } else {
    predictions = Float64Array.from({ length: n }, (_, i) => mostProbable(probabilities!, k, i));
    notes.push('A row is predicted as its most probable class; the first in class order wins a tie.');
  }
  return { task: k === 2 ? 'binary' : 'multiclass', labels, predictions, probabilities, classes, positive, missing };
}

/** The most probable class of a row; the first wins a tie. */
export function mostProbable(probabilities: Float64Array, k: number, row: number): number {
  let best = 0;
  for (let c = 1; c < k; c++) if (probabilities[row * k + c]! > probabilities[row * k + best]!) best = c;
  return best;
}

/** Whether a single column of reals is meant as probabilities of the positive class. */
function areProbabilities(guess: Vector, y: Vector, listed: readonly Class[] | null): boolean {
  if (guess.kind !== 'float') return false;
  if (y.kind === 'str') return true;
  const known = new Set<number>((listed ?? [...unique(y), 0, 1]).map(Number));
  if (unique(guess).every(value => known.has(Number(value)))) return false;
  return (listed ?? unique(y)).length <= 2;
}

function predicted(given: Vector, y: Vector): Vector {
  const guess = classLike(given, 'predictions');
  if ((guess.kind === 'str') !== (y.kind === 'str') && guess.missing.includes(0) && y.missing.includes(0)) {
    const a = guess.missing.indexOf(0), b = y.missing.indexOf(0);
    throw new InputError(
      `predictions holds ${kinds(guess)} (row ${a}: ${literal(guess.values[a]!)}) but labels holds ${kinds(y)} ` +
        `(row ${b}: ${literal(y.values[b]!)}); give both in one type.`,
    );
  }
  return guess;
}

/** Refuse whole numbers that can hardly be classes: percentages or scores beside labels of 0 and 1. */
function notScores(guess: Vector, y: Vector): void {
  if (guess.kind !== 'int' || y.kind === 'str' || !guess.missing.includes(0)) return;
  if (unique(y).some(value => Number(value) !== 0 && Number(value) !== 1)) return;
  const met = Array.from(guess.missing.keys()).filter(i => !guess.missing[i]), value = (i: number): number => Number(guess.values[i]);
  const odd = met.filter(i => value(i) !== 0 && value(i) !== 1);
  const low = met.reduce((m, i) => Math.min(m, value(i)), Infinity), high = met.reduce((m, i) => Math.max(m, value(i)), -Infinity);
  if (2 * odd.length > met.length && (low < 0 || high >= 10) && high <= 100) {
    const like = low >= 0 ? 'percentages, so divide by 100' : 'logits or scores, so pass them through a sigmoid';
    throw new InputError(
      `predictions holds ${rows(odd.length)} (first: row ${odd[0]!}, ${general(value(odd[0]!))}) with a class that is not in labels (0, 1); ` +
        `they look like ${like}, or give classes= if they are classes.`,
    );
  }
}

function listedClasses(given: readonly Class[]): readonly Class[] {
  const v = classLike(vector(given, 'classes'), 'classes');
  if (given.length === 0 || v.missing.includes(1)) {
    throw new InputError('classes is empty or holds a missing value; list each class once, in the order of the probability columns.');
  }
  const twice = given.find((c, i) => given.indexOf(c) < i);
  if (twice !== undefined) throw new InputError(`classes lists ${literal(twice)} twice; list each class once.`);
  if (given.length === 1) throw new InputError('classes lists one class only; list all that can occur, at least two.');
  return [...given];
}

function same(a: Class, b: Class): boolean {
  return typeof a === 'string' || typeof b === 'string' ? a === b : Number(a) === Number(b);
}

/** The classes met in labels and predictions, in order. */
function foundClasses(y: Vector, guessed: Vector | null, scores: readonly [string, Read] | null): readonly Class[] {
  let met: Class[] = [...unique(y), ...(guessed ? unique(guessed) : [])];
  if (y.kind !== 'str') {
    const values = new Set(met.map(Number));
    const binary = [...values].every(v => v === 0 || v === 1);
    if (y.kind === 'bool' && binary) met = [false, true];
    else {
      if (values.size === 1 && binary) values.add(0).add(1);
      met = [...values];
    }
  }
  const known = [...new Set(met)].sort(ascending);
  if (!scores) return known;
  const [name, found] = scores;
  if (!('table' in found)) {
    if (known.length !== 2) {
      const what = known.length === 1 ? 'one class only' : `${known.length} classes`;
      throw new InputError(
        `${name} is one column of probabilities but labels holds ${what} (${listing(known)}); give classes= with two classes, ` +
          'or one column for each class.',
      );
    }
  } else if (found.columns !== known.length) {
    throw new InputError(
      `${name} has ${found.columns} columns but labels holds ${known.length === 1 ? 'one class only' : `${known.length} classes`} ` +
        `(${listing(known)}); give classes= in the order of the columns.`,
    );
  }
  return known;
}

function codes(v: Vector, classes: readonly Class[], name: string, given: boolean): Float64Array {
  const text = v.kind === 'str';
  const where = new Map<Class, number>();
  classes.forEach((c, code) => { if ((typeof c === 'string') === text) where.set(text ? c : Number(c), code); });
  const out = new Float64Array(v.values.length);
  let unknown = 0, row = -1;
  for (let i = 0; i < out.length; i++) {
    if (v.missing[i]) continue;
    const value = v.values[i]!, code = where.get(text ? value : Number(value));
    if (code === undefined) {
      if (unknown++ === 0) row = i;
    } else out[i] = code;
  }
  if (unknown > 0) {
    throw new InputError(
      `${name} holds ${rows(unknown)} (first: row ${row}, ${literal(v.values[row]!)}) with a class that is not in ` +
        `${given ? 'classes=' : 'labels'} (${listing(classes)}); add it to classes=, or correct the rows.`,
    );
  }
  return out;
}

function checked(name: string, found: Read, classes: readonly Class[], positive: number | null): Float64Array {
  const k = classes.length;
  const columns = 'table' in found ? found.columns : 1;
  if (columns === 1 && k !== 2) {
    throw new InputError(
      `${name} is one column of probabilities but there are ${k} classes (${listing(classes)}); give one column for each class.`,
    );
  }
  if (columns > 1 && columns !== k) {
    throw new InputError(
      `${name} has ${columns} columns but there are ${k} classes (${listing(classes)}); give one column for each class, in that order.`,
    );
  }
  if (!('table' in found) && (found.kind === 'str' || found.kind === 'bool') && found.missing.includes(0)) {
    const row = found.missing.indexOf(0);
    throw new InputError(`${name} holds ${kinds(found)} (first: row ${row}, ${literal(found.values[row]!)}); give numbers from 0 to 1.`);
  }
  const table = 'table' in found ? found.table.slice() : numbers(found);
  let hundred = columns > 1, bad = 0, at = -1, low = Infinity, high = -Infinity, off = 0, line = -1, sum = 0;
  for (let i = 0; i < table.length; i += columns) {
    let outside = -1, lost = false, all = 0, raw = 0, least = Infinity, most = -Infinity;
    for (let j = i; j < i + columns; j++) {
      const p = table[j]!;
      lost ||= Number.isNaN(p);
      if (outside < 0 && (p < -1e-9 || p > 1 + 1e-6)) outside = j;
      [least, most] = [Math.min(least, p), Math.max(most, p)];
      raw += p;
      table[j] = Number.isNaN(p) ? p : Math.min(1, Math.max(0, p));
      all += table[j]!;
    }
    if (outside >= 0 && bad++ === 0) at = outside;
    if (lost) continue;
    hundred &&= Math.abs(raw - 100) < 1;
    [low, high] = [Math.min(low, least), Math.max(high, most)];
    if (columns > 1 && Math.abs(all - 1) > 1e-4 && off++ === 0) [line, sum] = [i / columns, all];
  }
  if (bad > 0) {
    const hint =
      low < 0 || (high > 100 && high < Infinity) ? 'they look like logits or scores, so pass them through a sigmoid or softmax first.'
      : hundred || (high > 5 && high <= 100) ? 'they look like percentages, so divide by 100.'
      : high < Infinity ? 'divide percentages by 100, or pass logits or scores through a sigmoid or softmax first.'
      : 'give probabilities.';
    const value = general('table' in found ? found.table[at]! : Number(found.values[at]));
    throw new InputError(`${name} lies outside [0, 1] in ${rows(bad)} (first: row ${Math.floor(at / columns)}, ${value}); ${hint}`);
  }
  if (off > 0) {
    throw new InputError(
      `${name} does not sum to 1 in ${rows(off)} (first: row ${line}, sum ${general(sum)}); give one probability for each class, ` +
        'normalised by row.',
    );
  }
  if (columns > 1) return table;
  const out = new Float64Array(2 * table.length);
  for (let i = 0; i < table.length; i++) {
    out[2 * i + positive!] = table[i]!;
    out[2 * i + 1 - positive!] = 1 - table[i]!;
  }
  return out;
}

function weights(v: Vector, keep: Int32Array): Float64Array {
  if (v.kind === 'str') throw new InputError('sample_weight holds strings; give a number of at least 0 for each row.');
  const values = numbers(v);
  refuse(values, Number.isNaN, 'sample_weight', 'is missing', 'give a number of at least 0 for each row.');
  refuse(values, x => x === Infinity || x === -Infinity, 'sample_weight', 'is infinite', 'give finite numbers of at least 0.');
  refuse(values, x => x < 0, 'sample_weight', 'is negative', 'give numbers of at least 0.');
  const kept = Float64Array.from(keep, row => values[row]!);
  const largest = kept.reduce((a, b) => Math.max(a, b), 0);
  if (largest === 0) {
    throw new InputError(`sample_weight is 0 in all ${grouped(kept.length)} rows; give at least one row a positive weight.`);
  }
  const scaled = kept.map(w => w / largest);
  const mean = accurate(scaled.length, i => scaled[i]!) / scaled.length;
  return scaled.map(w => w / mean);
}

function groups(v: Vector, keep: Int32Array): Int32Array {
  const found = numbered(v, keep, 'groups', 'group it belongs to');
  if (found.every(group => group === 0)) throw new InputError('groups holds one group only; give at least two, or leave groups out.');
  return found;
}

/** Give each different value of a column a number, in the order in which they are met. */
function numbered(v: Vector, keep: Int32Array, name: string, what: string): Int32Array {
  const lost = v.missing.indexOf(1);
  if (lost >= 0) throw new InputError(`${name} is missing in ${rows(total(v.missing))} (first: row ${lost}); give each row the ${what}.`);
  const order = new Map<Class, number>();
  return Int32Array.from(keep, row => {
    const value = v.values[row]!;
    if (!order.has(value)) order.set(value, order.size);
    return order.get(value)!;
  });
}

function stratumColumn({ stratify, task_type }: Input, y: Vector): Vector | null {
  if (stratify === null || stratify === undefined || stratify === false) return null;
  if (stratify !== true) return vector(stratify, 'stratify');
  if (task_type === 'regression') throw new InputError("stratify is True with task_type='regression'; give the stratum of each row.");
  return y;
}

/** The stratum of each row; null where all are one, which is to draw from all rows. */
function strata(v: Vector, keep: Int32Array, clusters: Int32Array | null): Int32Array | null {
  const codes = numbered(v, keep, 'stratify', 'stratum it belongs to'), of = new Map<number, number>(), units = new Map<number, number>();
  codes.forEach((code, i) => {
    const unit = clusters ? clusters[i]! : i;
    if (!of.has(unit)) {
      of.set(unit, code);
      units.set(code, (units.get(code) ?? 0) + 1);
    } else if (of.get(unit) !== code) {
      throw new InputError(
        `stratify parts a group: row ${keep[i]!} lies in another stratum than the first row of its group; give all rows of a group one stratum.`,
      );
    }
  });
  if ([...units.values()].every(size => size === 1)) {
    throw new InputError('stratify has one row (or group) in every stratum, so resamples could not differ; give larger strata.');
  }
  return units.size === 1 ? null : codes;
}
