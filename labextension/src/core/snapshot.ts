// The saved connector: answers the questions of a view from what the notebook keeps.
import type { Answer, Connector, JsonObject, Snapshot } from './protocol.ts';
import { isObject } from './protocol.ts';
import { own } from './safe.ts';

export class SnapshotConnector implements Connector {
  readonly live = false;
  #data: JsonObject;

  constructor(snapshot: Snapshot) {
    this.#data = snapshot.data;
  }

  /** `open` gives all that was saved; `series` gives the saved curves of one metric. */
  async call(verb: string, payload: JsonObject = {}): Promise<Answer> {
    if (verb === 'open') return { payload: this.#data, buffers: [] };
    if (verb === 'series') {
      const one = own(this.#data.series, String(payload.key));
      return { payload: isObject(one) ? one : { rows: 0, columns: [] }, buffers: [] };
    }
    throw new Error('This is a saved view; run the cell again to change runs.');
  }

  listen(): void {}

  dispose(): void {}
}
