// The saved connector: answers the questions of a view from what the notebook keeps.
import type { Answer, Connector, JsonObject, Snapshot } from './protocol.ts';
import { isObject } from './protocol.ts';
import { own, words } from './safe.ts';

/** Raised for what was not kept; the message is the sentence to show. */
export class NotSaved extends Error {
  override readonly name = 'NotSaved';
}

export class SnapshotConnector implements Connector {
  readonly live = false;
  #data: JsonObject;

  constructor(snapshot: Snapshot) {
    this.#data = snapshot.data;
  }

  /**
   * `open` gives all that was saved. Other answers lie in it by verb and by key, which is the payload's `key`, or else
   * its texts and numbers in their order; one that could not be made holds the sentence that says why.
   */
  async call(verb: string, payload: JsonObject = {}): Promise<Answer> {
    if (verb === 'open') return { payload: this.#data, buffers: [] };
    if (verb === 'act') throw new NotSaved('This is a saved view; run the cell again to change runs.');
    const key = typeof payload.key === 'string' ? payload.key : Object.values(payload).map(words).join(' ');
    const one = own(own(this.#data, verb), key);
    if (isObject(one)) {
      if (typeof one.error === 'string') throw new NotSaved(one.error);
      return { payload: one, buffers: [] };
    }
    // A run without a saved curve is drawn without one.
    if (verb === 'series') return { payload: { rows: 0, columns: [] }, buffers: [] };
    throw new NotSaved('This was not saved with the notebook; run the cell again to see it.');
  }

  listen(): void {}

  dispose(): void {}
}
