// What a view does besides showing: reads, asks whether something changed, and says how old what it shows is.
import { KEEPS, STILL, isObject } from '../core/protocol.ts';
import type { Connector, JsonObject } from '../core/protocol.ts';
import { finite } from '../core/safe.ts';
import { h, say } from './dom.ts';

const EVERY = 3000;
const SLOWEST = 60_000;
/** What is shown has settled when it was the same for so long; making its saved form takes the kernel some time. */
const KEPT = 1500;
const KEPT_EVERY = 20_000;

/** What a view does with answers. */
export interface Shown {
  /** What must be on the screen for polling. */
  root(): HTMLElement;
  /** Draws an answer, and throws where it cannot; false where what came is less than an answer. */
  take(payload: JsonObject, buffers: DataView[]): void | false;
  /** Milliseconds between two questions. */
  every?(): number;
}

const sentence = (error: unknown): string => (error instanceof Error ? error.message : String(error));
const alert = (): HTMLElement => h('div', { class: 'ml-error', role: 'alert', hidden: true });

export class Live {
  /** How it stands, and the button that reads again. */
  readonly el: HTMLElement;
  /** What went wrong, with a way on: in reading, until it reads again; in an action, until the next one or until dismissed. */
  readonly trouble: HTMLElement;
  #connector: Connector;
  #shown: Shown;
  #reading = alert();
  #action = alert();
  #state = h('span', { role: 'status' });
  #refresh = h('button', { type: 'button', title: 'Read everything again', onclick: () => void this.open() }, '↻ Refresh');
  #token = '';
  #timer: ReturnType<typeof setTimeout> | null = null;
  #gone = false;
  #keeping: ReturnType<typeof setTimeout> | null = null;
  #kept = -Infinity;
  #updated: number | null = null;

  constructor(connector: Connector, shown: Shown) {
    this.#connector = connector;
    this.#shown = shown;
    this.#refresh.hidden = !connector.live;
    this.el = h('div', { class: 'ml-state' }, this.#state, this.#refresh);
    this.trouble = h('div', {}, this.#reading, this.#action);
    say(this.#state, 'loading…');
    connector.listen((verb, payload, buffers) => {
      if (verb === 'changed') void this.#poll();
      else if (verb === 'news') this.#hear(payload, buffers);
    });
  }

  dispose(): void {
    this.#gone = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
    if (this.#keeping !== null) clearTimeout(this.#keeping);
  }

  async open(): Promise<void> {
    this.#refresh.disabled = true;
    await this.#ask('open', {});
    this.#refresh.disabled = false;
    this.#later(EVERY);
  }

  /** Carry out what a person asked for; what went wrong stays on the screen, and gives undefined. */
  async act<T>(action: () => Promise<T>): Promise<T | undefined> {
    this.#action.hidden = true;
    try {
      return await action();
    } catch (error) {
      if (!this.#gone) this.refuse(error);
      return undefined;
    }
  }

  /** Say what went wrong with what a person asked for. */
  refuse(error: unknown): void {
    const dismiss = h('button', { type: 'button', onclick: () => (this.#action.hidden = true) }, 'Dismiss');
    this.#action.replaceChildren(h('span', {}, sentence(error)), dismiss);
    this.#action.hidden = false;
  }

  /** What is shown is another, and has a host that keeps it with the notebook: give it the saved form once it has settled. */
  keepSoon(): void {
    if (!this.#connector.live || this.#gone || !this.#shown.root().closest(`[${KEEPS}]`)) return;
    if (this.#keeping !== null) clearTimeout(this.#keeping);
    this.#keeping = setTimeout(() => void this.#keep(), Math.max(KEPT, this.#kept + KEPT_EVERY - performance.now()));
  }

  async #keep(): Promise<void> {
    this.#kept = performance.now();
    try {
      const { payload } = await this.#connector.call('still');
      if (this.#gone) return;
      if (isObject(payload.still)) this.#shown.root().dispatchEvent(new CustomEvent(STILL, { bubbles: true, detail: payload.still }));
      else this.keepSoon(); // a training has no time for it now
    } catch {
      // The notebook keeps what it had.
    }
  }

  async #poll(): Promise<void> {
    if (this.#gone) return;
    const root = this.#shown.root();
    // Hidden pages and scrolled-away cells ask nothing.
    if (document.visibilityState === 'hidden' || !root.isConnected || root.clientWidth === 0) return this.#later(EVERY);
    const began = performance.now();
    const wait = await this.#ask('poll', { token: this.#token });
    // What takes long to answer is asked seldom; the kernel has the last word, since it knows what asking costs a training.
    const seldom = wait === null ? 0 : 20 * (performance.now() - began);
    this.#later(wait ? 1000 * wait + 50 : Math.max(this.#shown.every?.() ?? EVERY, seldom));
  }

  /** Ask and show; gives the seconds that the kernel wants not to be asked again, null without an answer. */
  async #ask(verb: string, payload: JsonObject): Promise<number | null> {
    try {
      const answer = await this.#connector.call(verb, payload);
      if (this.#gone) return 0;
      if (answer.payload.changed !== false) {
        this.#take(answer.payload, answer.buffers);
        this.keepSoon();
      }
      this.#well();
      return finite(answer.payload.wait) ?? 0;
    } catch (error) {
      if (!this.#gone) this.#fail(error);
      return null;
    }
  }

  /** What the kernel sends while it cannot be asked. */
  #hear(payload: JsonObject, buffers: DataView[]): void {
    try {
      this.#take(payload, buffers);
      this.#well();
    } catch (error) {
      this.#fail(error);
    }
  }

  #take(payload: JsonObject, buffers: DataView[]): void {
    if (this.#shown.take(payload, buffers) !== false) this.#token = typeof payload.token === 'string' ? payload.token : '';
  }

  #later(ms: number): void {
    if (!this.#connector.live || this.#gone) return;
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.#poll(), Math.min(ms, SLOWEST));
  }

  #well(): void {
    this.#reading.hidden = true;
    this.#updated = Date.now();
    say(this.#state, this.#connector.live ? 'live' : 'saved with the notebook');
  }

  #fail(error: unknown): void {
    const since = this.#updated === null ? '' : `as of ${new Date(this.#updated).toLocaleTimeString()}`;
    if (error instanceof Error && error.name === 'NoAnswer' && since) {
      // A long cell is running: what is on the screen stays, and says how old it is.
      this.#reading.hidden = true;
      say(this.#state, `the kernel is busy; ${since}`);
      return;
    }
    const again = h('button', { type: 'button', onclick: () => void this.open() }, 'Try again');
    this.#reading.replaceChildren(h('span', {}, sentence(error)), this.#connector.live ? again : '');
    this.#reading.hidden = false;
    say(this.#state, since || 'no data');
  }
}
