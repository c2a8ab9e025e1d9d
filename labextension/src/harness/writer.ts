// The standard artifact folder as files, and files as a ZIP: equal bytes for equal input.
import { directions } from './evaluate.ts';
import type { Report } from './evaluate.ts';
import { LIFT } from './failures.ts';

const SCHEMA_VERSION = 1;
const MARK = 'evalharness report';

/** What each file of the folder holds, keys in the order of the Python package; takeaway.txt is text. */
export function documents(report: Report): Record<string, unknown> {
  const { sample, metrics, slices, failures } = report, { rule, errors, n, categories } = failures;
  const out: Record<string, unknown> = {
    'metrics.json': {
      kind: MARK,
      schema_version: SCHEMA_VERSION,
      task_type: sample.task === 'regression' ? 'regression' : 'classification',
      task: sample.task,
      n: sample.n,
      classes: sample.classes,
      positive: report.positive,
      threshold: sample.task === 'binary' ? sample.threshold : null,
      metrics,
      undefined: report.undefined,
      notes: report.notes,
      greater_is_better: directions(report),
      tests: report.tests,
      prediction_intervals: report.prediction_intervals,
      takeaway: report.claims,
      seed: report.seed,
      config: report.config,
      labels_digest: report.labels_digest,
      rows_digest: report.rows_digest,
    },
    'confidence_intervals.json': Object.fromEntries(
      Object.entries(report.intervals).map(([name, interval]) => [name, { estimate: metrics[name], ...interval }]),
    ),
    'slices.json': slices,
    'failure_examples.json': { rule, errors, n, lift: LIFT, categories },
  };
  if (report.config.run_stress_tests) out['stress.json'] = report.stress;
  out['takeaway.txt'] = `${report.claims.map(claim => claim.sentence).join('\n')}\n`;
  return out;
}

/** The bytes of each file. */
export function encoded(report: Report): Map<string, Uint8Array> {
  const bytes = new TextEncoder();
  return new Map(Object.entries(documents(report)).map(([name, held]) => [name, bytes.encode(typeof held === 'string' ? held : `${json(held)}\n`)]));
}

/** Strict JSON, indented by one; a bigint is a number, and a number that JSON does not know is refused. */
export function json(value: unknown, indent = '\n'): string {
  if (typeof value === 'bigint') return String(value);
  if (typeof value === 'number' && !Number.isFinite(value)) throw new RangeError(`JSON has no ${value}; write null with a reason.`);
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const list = Array.isArray(value), inner = `${indent} `;
  const parts = list ? value.map(v => json(v, inner)) : Object.entries(value).map(([key, v]) => `${JSON.stringify(key)}: ${json(v, inner)}`);
  const [open, close] = list ? '[]' : '{}';
  return parts.length === 0 ? `${open}${close}` : `${open}${inner}${parts.join(`,${inner}`)}${indent}${close}`;
}

const REMAINDERS = Int32Array.from({ length: 256 }, (_, byte) => {
  let value = byte;
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ 0xedb88320 : value >>> 1;
  return value;
});

/** CRC-32 of ISO 3309, as ZIP, gzip and PNG use it. */
export function crc32(bytes: Uint8Array): number {
  let value = -1;
  for (const byte of bytes) value = (value >>> 8) ^ REMAINDERS[(value ^ byte) & 255]!;
  return ~value >>> 0;
}

/** A ZIP of files in the order given, not compressed and dated 1980-01-01 (PKWARE's APPNOTE 6.3, sections 4.3.7 to 4.3.16). */
export function zip(files: ReadonlyMap<string, Uint8Array>): Uint8Array<ArrayBuffer> {
  const encoder = new TextEncoder();
  const entries = [...files].map(([name, content]) => {
    const path = encoder.encode(name);
    return { path, content, crc: crc32(content), flags: path.length === name.length ? 0 : 0x800 };
  });
  const heads = entries.reduce((sum, e) => sum + 30 + e.path.length + e.content.length, 0);
  const directory = entries.reduce((sum, e) => sum + 46 + e.path.length, 0);
  if (entries.length > 0xffff || heads + directory > 0xffffffff) throw new RangeError('A ZIP holds 65,535 files and 4 GiB; leave some out.');
  const out = new Uint8Array(heads + directory + 22), view = new DataView(out.buffer);
  let at = 0;
  const put = (...fields: (readonly [2 | 4, number])[]): void => {
    for (const [width, value] of fields) {
      if (width === 2) view.setUint16(at, value, true);
      else view.setUint32(at, value, true);
      at += width;
    }
  };
  const bytes = (part: Uint8Array): void => {
    out.set(part, at);
    at += part.length;
  };
  // version 2.0, flags, stored, midnight of 1980-01-01, CRC, both sizes, lengths of the name and of nothing else
  const common = ({ path, content, crc, flags }: (typeof entries)[number]): (readonly [2 | 4, number])[] => [
    [2, 20], [2, flags], [2, 0], [2, 0], [2, 33], [4, crc], [4, content.length], [4, content.length], [2, path.length], [2, 0],
  ];
  const places = entries.map(entry => {
    const place = at;
    put([4, 0x04034b50], ...common(entry));
    bytes(entry.path);
    bytes(entry.content);
    return place;
  });
  entries.forEach((entry, i) => {
    put([4, 0x02014b50], [2, 0x0314], ...common(entry), [2, 0], [2, 0], [2, 0], [4, 0x01800000], [4, places[i]!]);
    bytes(entry.path);
  });
  put([4, 0x06054b50], [2, 0], [2, 0], [2, entries.length], [2, entries.length], [4, directory], [4, heads], [2, 0]);
  return out;
}
