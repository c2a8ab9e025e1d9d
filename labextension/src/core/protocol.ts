// What Python and the browser say to each other, live and saved. modellab_jupyter/widgets/base.py is the other half.

/** Raised when a message changes its meaning; both halves refuse another number. */
export const PROTOCOL = 1;

/** The saved form of every widget. */
export const MIME = 'application/vnd.modellab.v1+json';

/** The attribute of an element that keeps the saved form of the view in it, and the event that brings it: a MIME bundle. */
export const KEEPS = 'data-modellab-keeps';
export const STILL = 'modellab-still';

export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };
export type JsonObject = { [key: string]: Json };

export interface Answer {
  payload: JsonObject;
  buffers: DataView[];
}

/** Where a view gets its data: a kernel, or what was saved. */
export interface Connector {
  readonly live: boolean;
  /** Ask by name; rejects with the sentence that Python raised, or after so many milliseconds without an answer. */
  call(verb: string, payload?: JsonObject, patience?: number): Promise<Answer>;
  /** Called by a view once, for news the other side sends unasked. */
  listen(heard: (verb: string, payload: JsonObject, buffers: DataView[]) => void): void;
  dispose(): void;
}

export interface Snapshot {
  protocol: number;
  view: string;
  title: string;
  data: JsonObject;
}

export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Reads a saved output, whose data is the text of a JSON object; a string is the sentence to show instead. */
export function readSnapshot(value: unknown): Snapshot | string {
  if (!isObject(value) || typeof value.view !== 'string' || typeof value.data !== 'string') {
    return 'This saved output is not a ModelLab view; run the cell again.';
  }
  if (value.protocol !== PROTOCOL) {
    return `This output was saved by another version of ModelLab (form ${typeof value.protocol === 'number' ? value.protocol : 'unknown'}, this one reads ${PROTOCOL}); run the cell again.`;
  }
  try {
    const data: unknown = JSON.parse(value.data);
    if (isObject(data)) return { protocol: PROTOCOL, view: value.view, title: typeof value.title === 'string' ? value.title : '', data };
  } catch (error) {
    // Text that is no JSON, or that nests deeper than can be read.
    if (!(error instanceof SyntaxError || error instanceof RangeError)) throw error;
  }
  return 'This saved output is damaged; run the cell again.';
}
