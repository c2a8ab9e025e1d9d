// Features at the door: columns of a table, each with its kind and what is missing in it.
import { InputError } from './schemas.ts';
import type { Feature } from './schemas.ts';

/** Points in time: milliseconds from 1970 on, Date values, or ISO 8601 text (without a zone it counts as UTC). */
export interface Times {
  readonly times: ArrayLike<number | string | Date | null>;
}

/** Numbers, text, truths or null, one for each row; plain text is never taken for a date. */
export type DataColumn = ArrayLike<number | string | boolean | null> | Times;

/** Columns by name; a list of pairs keeps their order where names look like whole numbers. */
export type Table = Readonly<Record<string, DataColumn>> | readonly (readonly [string, DataColumn])[];

/** Read the columns of a table. */
export function readTable(given: Table): Feature[] {
  const columns: readonly (readonly [string, DataColumn])[] = Array.isArray(given) ? given : Object.entries(given);
  return columns.map(([name, column]) => ('times' in column ? times(name, column.times) : feature(name, column)));
}

/** Some of the rows. */
export function keptRows(data: readonly Feature[], rows: Int32Array): Feature[] {
  return data.map(({ name, kind, values, missing }) => ({ name, kind, values: Array.from(rows, row => values[row]!), missing: Uint8Array.from(rows, row => missing[row]!) }));
}

function feature(name: string, values: ArrayLike<number | string | boolean | null>): Feature {
  const missing = new Uint8Array(values.length), kinds = new Set<Feature['kind']>();
  for (let i = 0; i < values.length; i++) {
    const value = values[i];
    if (value === null || value === undefined || (typeof value === 'number' && Number.isNaN(value))) missing[i] = 1;
    else if (typeof value === 'number') kinds.add(Number.isInteger(value) ? 'int' : 'float');
    else if (typeof value === 'string' || typeof value === 'boolean') kinds.add(typeof value === 'string' ? 'str' : 'bool');
    else throw new InputError(`data column '${name}' holds a ${typeof value} at row ${i}; give numbers, strings, booleans or times.`);
  }
  const real = values instanceof Float64Array || values instanceof Float32Array;
  if (kinds.has('int') && (kinds.has('float') || real || (missing.includes(1) && kinds.size === 1))) {
    kinds.delete('int');
    kinds.add('float');
  }
  const kind = kinds.size > 1 ? 'mixed' : (kinds.values().next().value ?? (real ? 'float' : 'str'));
  return { name, kind, values, missing };
}

function times(name: string, given: ArrayLike<number | string | Date | null>): Feature {
  const missing = new Uint8Array(given.length);
  const values = Float64Array.from(given as ArrayLike<number>, (_, i) => {
    const value = given[i];
    if (value === null || value === undefined || Number.isNaN(value)) {
      missing[i] = 1;
      return NaN;
    }
    const found = typeof value === 'string' ? parsed(value) : Math.round(Number(value) * 1000);
    if (Number.isNaN(found)) throw new InputError(`data column '${name}' holds no time at row ${i} ('${String(value)}'); give ISO 8601 text or milliseconds.`);
    return found;
  });
  return { name, kind: 'time', values, missing };
}

/** Microseconds from 1970 on. */
function parsed(text: string): number {
  const [, day, clock = '00:00:00', fraction = '', zone = 'Z'] = /^(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d(?::\d\d)?)(?:\.(\d{1,6})\d*)?(Z|[+-]\d\d:\d\d)?)?$/.exec(text) ?? [];
  return day === undefined ? NaN : Date.parse(`${day}T${clock}${zone}`) * 1000 + Number(fraction.padEnd(6, '0'));
}
