// The golden files hold what the Python package computes; here the same must come out, to 1e-12.
import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import { test } from 'node:test';
import { Operating } from '../src/core/operating.ts';
import type { JsonObject } from '../src/core/protocol.ts';
import { equalMass, equalWidth } from '../src/harness/calibration.ts';
import { SIZES } from '../src/harness/cells.ts';
import { compare, evidence } from '../src/harness/compare.ts';
import { Thresholds, tables } from '../src/harness/curves.ts';
import { sha256 } from '../src/harness/digests.ts';
import { evaluate } from '../src/harness/evaluate.ts';
import type { Options, Report } from '../src/harness/evaluate.ts';
import { bca, fromReplicates, percentile, wilson } from '../src/harness/intervals.ts';
import { TABLE } from '../src/harness/metrics.ts';
import { integer, subkey, threefry, uniforms, words } from '../src/harness/random.ts';
import type { Key } from '../src/harness/random.ts';
import { Draws, largestTotal } from '../src/harness/resample.ts';
import type { Plan } from '../src/harness/resample.ts';
import { InputError } from '../src/harness/schemas.ts';
import { chiSquaredTail, erfc, gammaQuantile, normalCdf, normalQuantile, studentCdf, studentQuantile } from '../src/harness/special.ts';
import { documents, zip } from '../src/harness/writer.ts';

type Json = Record<string, unknown>;
const FOLDER = new URL('../../tests/golden/', import.meta.url);
const TINY = 1e-12;

/** Columns become lists and what is undefined null, as in JSON. */
function plain(value: unknown): unknown {
  if (typeof value === 'number') return Number.isFinite(value) ? value : null;
  if (ArrayBuffer.isView(value) || Array.isArray(value)) return Array.from(value as ArrayLike<unknown>, plain);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, entry]) => [key, plain(entry)]));
}

/** The places at which two values differ by more than rounding; keys must be the same, in the same order. */
function differences(found: unknown, held: unknown, where: string): string[] {
  if (typeof found === 'number' && typeof held === 'number') {
    const near = Math.abs(found - held) <= TINY * Math.max(1e-30, Math.abs(found), Math.abs(held));
    return near ? [] : [`${where} is ${found}, not ${held}`];
  }
  if (typeof found !== 'object' || typeof held !== 'object' || found === null || held === null || Array.isArray(found) !== Array.isArray(held)) {
    return found === held ? [] : [`${where} is ${JSON.stringify(found)}, not ${JSON.stringify(held)}`];
  }
  const [a, b] = [Object.keys(found), Object.keys(held)];
  if (a.join() !== b.join()) return [`${where} has ${a.join()}, not ${b.join()}`];
  return b.flatMap(key => differences((found as Json)[key], (held as Json)[key], `${where}.${key}`));
}

/** Use cells for samples of other sizes than usual, so that files stay small. */
function sized(compute: (given: Json) => Json): (given: Json) => Json {
  return ({ sizes, ...given }) => {
    const usual = { ...SIZES };
    try {
      Object.assign(SIZES, sizes);
      return compute(given);
    } finally {
      Object.assign(SIZES, usual);
    }
  };
}

function evaluation({ curves, ...options }: Json): Json {
  const r = evaluate(options as unknown as Options);
  const { 'metrics.json': first, 'confidence_intervals.json': second } = documents(r) as Record<string, Json>;
  delete first!.takeaway; // it is compared with the folders
  const out: Json = { 'metrics.json': first, 'confidence_intervals.json': second };
  if (r.replicates) out.first_resamples = Object.fromEntries([...r.replicates.resampled].map(([name, values]) => [name, values.slice(0, 1)]));
  if (r.confusion) out.confusion = r.confusion;
  if (curves) {
    out.curves = tables(r.sample, r.config, r.seed);
    const thresholds = Thresholds.of(r.sample);
    out.thresholds = [0.05, 0.3, 0.5, thresholds.scores[0]!, 0.999].map(threshold => {
      const all = thresholds.at(threshold).metrics;
      const inOrder = TABLE.filter(spec => spec.name in all).map(spec => [spec.name, all[spec.name]]);
      return { threshold, metrics: Object.fromEntries(inOrder) };
    });
  }
  return out;
}

function comparison({ both, one, other }: Json): Json {
  const [a, b] = [one, other].map(part => evaluate({ ...(both as Options), ...(part as Partial<Options>) })) as [Report, Report];
  try {
    const found = compare(a, b);
    const said = found.rows.map(row => evidence(found, row.metric));
    return { columns: Object.keys(found.rows[0]!), rows: found.rows.map(row => Object.values(row)), notes: found.notes, evidence: said };
  } catch (error) {
    if (error instanceof InputError) return { sentence: error.message };
    throw error;
  }
}

function generator(given: Json): Json {
  const { kind } = given;
  if (kind === 'block') return { words: threefry(given.key as unknown as Key, given.counter as unknown as Key) };
  if (kind === 'stream') {
    const key = subkey(BigInt(given.seed as string), given.purpose as number), { count, rows, start } = given as Record<string, number>;
    const drawn = Array.from({ length: rows! }, (_, r) => {
      const row = new Uint32Array(count!);
      words(key, start! + r, row);
      return row;
    });
    const highs = [1, 10, 2 ** 21, 2 ** 21 + 7, 2 ** 31];
    return {
      key,
      words: drawn,
      integers: Object.fromEntries(highs.map(high => [high, Array.from(drawn[0]!, word => integer(word, high))])),
      uniforms: uniforms(key, count!),
    };
  }
  const column = (name: string): Int32Array | null => (given[name] === null ? null : Int32Array.from(given[name] as number[]));
  const n = given.n as number, groups = column('groups');
  const plan: Plan = { n, n_resamples: given.resamples as number, seed: BigInt(given.seed as string), groups, strata: column('strata') };
  const draws = new Draws(plan);
  return {
    weights: Array.from({ length: plan.n_resamples }, (_, r) => {
      const drawn = draws.draw(r);
      return Array.from({ length: n }, (_, row) => drawn[groups ? groups[row]! : row]);
    }),
    largest_total: largestTotal(plan),
  };
}

const FUNCTIONS: Record<string, (...values: number[]) => number> = {
  normal_quantile: normalQuantile as (...values: number[]) => number,
  normal_cdf: normalCdf as (...values: number[]) => number,
  erfc: erfc as (...values: number[]) => number,
  student_cdf: studentCdf as (...values: number[]) => number,
  student_quantile: studentQuantile as (...values: number[]) => number,
  gamma_quantile: gammaQuantile as (...values: number[]) => number,
  chi_squared_tail: chiSquaredTail as (...values: number[]) => number,
};

function interval(given: Json): Json {
  const level = given.level as number;
  if (given.kind === 'wilson') return { ends: wilson(given.successes as number, given.trials as number, level) };
  const values = Float64Array.from(given.values as (number | null)[], v => v ?? NaN), known = values.filter(v => !Number.isNaN(v));
  const leftOut = given.left_out ? Float64Array.from(given.left_out as number[]) : null, estimate = given.estimate as number;
  const chosen = fromReplicates(estimate, values, leftOut, level);
  return { percentile: percentile(known, level), bca: leftOut && bca(estimate, known, leftOut, level), chosen };
}

function bins(given: Json): Json {
  const judged = { p: Float64Array.from(given.p as number[]), happened: Float64Array.from(given.happened as number[]) };
  const weights = given.weights ? Float64Array.from(given.weights as number[]) : null;
  return { equal_width: equalWidth(judged, weights), equal_mass: equalMass(judged, weights), equal_mass_5: equalMass(judged, weights, 15, 5) };
}

function refusal(given: Json): Json {
  try {
    evaluate(given as unknown as Options);
  } catch (error) {
    if (error instanceof InputError) return { sentence: error.message };
    throw error;
  }
  return { sentence: null };
}

function archive(given: Json): Json {
  const bytes = new TextEncoder();
  const made = zip(new Map((given.files as [string, string][]).map(([name, content]) => [name, bytes.encode(content)])));
  return { zip: Buffer.from(made).toString('hex'), sha256: sha256(made) };
}

function table(): Json {
  const fields = ['title', 'greater_is_better', 'unit', 'tasks', 'needs', 'interval', 'no_interval'] as const;
  return Object.fromEntries(TABLE.map(spec => [spec.name, Object.fromEntries(fields.map(field => [field, spec[field]]))]));
}

function operating({ thresholds, ...given }: Json): Json {
  const one = new Operating(given as JsonObject, given.level as number, given.counted as boolean), { roc, pr } = { roc: one.roc(), pr: one.pr() };
  return { at: (thresholds as number[]).map(threshold => one.at(threshold)), roc: [roc.x, roc.y], pr: [pr.x, pr.y] };
}

const report = sized(evaluation);

const COMPUTE: Record<string, (given: Json) => Json> = {
  random: generator,
  special: given => ({ values: (given.arguments as number[][]).map(values => FUNCTIONS[given.function as string]!(...values)) }),
  table,
  binary: report,
  multiclass: report,
  regression: report,
  cells: report,
  compare: sized(comparison),
  folders: given => documents(evaluate(given as unknown as Options)),
  intervals: interval,
  bins,
  operating,
  refused: refusal,
  archive,
};

for (const [name, compute] of Object.entries(COMPUTE)) {
  test(`golden ${name}: the same as in Python, to 1e-12`, () => {
    const cases = JSON.parse(readFileSync(new URL(`${name}.json`, FOLDER), 'utf8')) as { name: string; input: Json; output: Json }[];
    const wrong = cases.flatMap(({ name: title, input, output }) => differences(plain(compute(input)), output, title));

    assert.ok(cases.length > 0);
    assert.deepEqual(wrong, []);
  });
}

test('no golden file is left unread', () => {
  const files = readdirSync(FOLDER).filter(file => file.endsWith('.json')).map(file => file.slice(0, -5));

  assert.deepEqual(files.sort(), Object.keys(COMPUTE).sort());
});
