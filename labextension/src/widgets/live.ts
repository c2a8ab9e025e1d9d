// What a list does besides showing: reads, asks whether something changed, and says how old what it shows is.
import type { Connector, JsonObject } from '../core/protocol.ts';
import { finite } from '../core/safe.ts';
import { h } from './dom.ts';

const EVERY = 3000;
const SLOWEST = 60_000;

export class Live {
  /** How it stands, and the button that reads again. */
  readonly el: HTMLElement;
  /** What went wrong, with a way on. */
  readonly trouble = h('div', { class: 'ml-error', role: 'alert', hidden: true });
  #connector: Connector;
  #root: () => HTMLElement;
  #take: (payload: JsonObject, buffers: DataView[]) => void;
  #state = h('span', { role: 'status' });
  #refresh = h('button', { type: 'button', title: 'Read everything again', onclick: () => void this.open() }, '↻ Refresh');
  #token = '';
  #timer: ReturnType<typeof setTimeout> | null = null;
  #gone = false;
  #updated: number | null = null;

  /** `root` tells what must be on the screen for polling; `take` draws an answer, and throws where it cannot. */
  constructor(connector: Connector, root: () => HTMLElement, take: (payload: JsonObject, buffers: DataView[]) => void) {
    this.#connector = connector;
    this.#root = root;
    this.#take = take;
    this.#refresh.hidden = !connector.live;
    this.el = h('div', { class: 'ml-state' }, this.#state, this.#refresh);
    this.#say('loading…');
    connector.listen(verb => {
      if (verb === 'changed') void this.#poll();
    });
  }

  dispose(): void {
    this.#gone = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
  }

  async open(): Promise<void> {
    this.#refresh.disabled = true;
    await this.#ask('open', {});
    this.#refresh.disabled = false;
    this.#later(EVERY);
  }

  async #poll(): Promise<void> {
    const root = this.#root();
    // Hidden pages and scrolled-away cells ask nothing.
    if (document.visibilityState === 'hidden' || !root.isConnected || root.clientWidth === 0) return this.#later(EVERY);
    const began = performance.now();
    // The kernel says where asking would cost a training too much.
    const wait = await this.#ask('poll', { token: this.#token });
    this.#later(Math.max(EVERY, 1000 * wait, 20 * (performance.now() - began)));
  }

  /** Ask and show; gives the seconds to wait before asking again. */
  async #ask(verb: string, payload: JsonObject): Promise<number> {
    try {
      const answer = await this.#connector.call(verb, payload);
      if (this.#gone) return 0;
      if (answer.payload.changed !== false) {
        this.#take(answer.payload, answer.buffers);
        this.#token = typeof answer.payload.token === 'string' ? answer.payload.token : '';
      }
      this.#well();
      return finite(answer.payload.wait) ?? 0;
    } catch (error) {
      if (!this.#gone) this.#fail(error);
      return 0;
    }
  }

  #later(ms: number): void {
    if (!this.#connector.live || this.#gone) return;
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.#poll(), Math.min(ms, SLOWEST));
  }

  #well(): void {
    this.trouble.hidden = true;
    this.#updated = Date.now();
    this.#say(this.#connector.live ? 'live' : 'saved with the notebook');
  }

  #fail(error: unknown): void {
    const since = this.#updated === null ? '' : `as of ${new Date(this.#updated).toLocaleTimeString()}`;
    if (error instanceof Error && error.name === 'NoAnswer' && since) {
      // A long cell is running: what is on the screen stays, and says how old it is.
      this.trouble.hidden = true;
      this.#say(`the kernel is busy; ${since}`);
      return;
    }
    const again = h('button', { type: 'button', onclick: () => void this.open() }, 'Try again');
    this.trouble.replaceChildren(h('span', {}, error instanceof Error ? error.message : String(error)), this.#connector.live ? again : '');
    this.trouble.hidden = false;
    this.#say(since || 'no data');
  }

  #say(text: string): void {
    if (this.#state.textContent !== text) this.#state.textContent = text;
  }
}
