// The live connector: one message with an id out, one with the same id back, over the widget's own comm.
import { PROTOCOL, isObject } from './protocol.ts';
import type { Answer, Connector, JsonObject } from './protocol.ts';

/** The part of an anywidget model that the channel uses. */
export interface Comm {
  send(content: unknown, callbacks?: unknown, buffers?: ArrayBuffer[]): void;
  on(event: 'msg:custom', heard: (message: unknown, buffers: DataView[]) => void): void;
  off(event: 'msg:custom', heard: (message: unknown, buffers: DataView[]) => void): void;
}

/** Raised when no answer came: the kernel is busy, or gone. */
export class NoAnswer extends Error {
  // Known by name: the stub and the views are two files, each with a class of its own.
  override readonly name = 'NoAnswer';
}

export class Channel implements Connector {
  readonly live = true;
  #comm: Comm;
  #patience: number;
  /** Several views share one comm, each hears what all are answered: each counts from a number of its own. */
  #next = 1 + Math.floor(Math.random() * 2 ** 48);
  #waiting = new Map<number, { verb: string; resolve: (a: Answer) => void; reject: (e: Error) => void; timer: ReturnType<typeof setTimeout> }>();
  #heard: ((verb: string, payload: JsonObject, buffers: DataView[]) => void) | null = null;
  #receive = (message: unknown, buffers: DataView[]): void => this.#take(message, buffers);

  constructor(comm: Comm, patience = 30_000) {
    this.#comm = comm;
    this.#patience = patience;
    comm.on('msg:custom', this.#receive);
  }

  call(verb: string, payload: JsonObject = {}, patience = this.#patience): Promise<Answer> {
    const id = this.#next++;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#waiting.delete(id);
        reject(new NoAnswer('The kernel does not answer; it is busy, or it has gone.'));
      }, patience);
      this.#waiting.set(id, { verb, resolve, reject, timer });
      this.#comm.send({ protocol: PROTOCOL, id, verb, payload });
    });
  }

  listen(heard: (verb: string, payload: JsonObject, buffers: DataView[]) => void): void {
    this.#heard = heard;
  }

  dispose(): void {
    this.#comm.off('msg:custom', this.#receive);
    for (const { timer } of this.#waiting.values()) clearTimeout(timer);
    this.#waiting.clear();
    this.#heard = null;
  }

  #take(message: unknown, buffers: DataView[]): void {
    if (!isObject(message) || typeof message.id !== 'number') return;
    const payload = isObject(message.payload) ? message.payload : {};
    if (message.id === 0) {
      this.#heard?.(String(message.verb), payload, buffers ?? []);
      return;
    }
    const waiting = this.#waiting.get(message.id);
    // Another view's question can have the same number; what it asked for seldom has the same name too.
    if (!waiting || (typeof message.verb === 'string' && message.verb !== waiting.verb)) return;
    this.#waiting.delete(message.id);
    clearTimeout(waiting.timer);
    if (message.ok === true) waiting.resolve({ payload, buffers: buffers ?? [] });
    else waiting.reject(new Error(typeof message.error === 'string' ? message.error : 'The kernel gave no reason.'));
  }
}
