// Tabs as the keyboard and screen readers know them: arrows move, one of them is in the tab order.
import { h, uniqueId } from './dom.ts';

export class Tabs<Name extends string> {
  readonly el: HTMLElement;
  readonly panel = h('div', { role: 'tabpanel', id: uniqueId('panel'), tabindex: 0 });
  #buttons = new Map<Name, HTMLButtonElement>();
  #chosen: Name;
  #choose: (name: Name) => void;

  constructor(label: string, names: readonly (readonly [Name, string])[], choose: (name: Name) => void) {
    this.#choose = choose;
    this.#chosen = names[0]![0];
    for (const [name, text] of names) {
      this.#buttons.set(name, h('button', { type: 'button', role: 'tab', id: uniqueId('tab'), 'data-tab': name, 'aria-controls': this.panel.id, onclick: () => this.select(name) }, text));
    }
    this.el = h('div', { class: 'ml-tabs', role: 'tablist', 'aria-label': label, 'data-lm-suppress-shortcuts': 'true', onkeydown: (e: KeyboardEvent) => this.#key(e) }, ...this.#buttons.values());
    this.#mark();
  }

  get chosen(): Name {
    return this.#chosen;
  }

  select(name: Name): void {
    this.mark(name);
    this.#choose(name);
  }

  /** Show a tab as chosen; who calls draws what is in it. */
  mark(name: Name): void {
    this.#chosen = name;
    this.#mark();
  }

  /** Say more on a tab, as how many there are. */
  title(name: Name, text: string): void {
    this.#buttons.get(name)!.textContent = text;
  }

  #mark(): void {
    for (const [name, button] of this.#buttons) {
      const on = name === this.#chosen;
      button.setAttribute('aria-selected', String(on));
      button.tabIndex = on ? 0 : -1;
      if (on) this.panel.setAttribute('aria-labelledby', button.id);
    }
  }

  #key(event: KeyboardEvent): void {
    const names = [...this.#buttons.keys()];
    const at = names.indexOf(this.#chosen);
    const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: names.length - 1 }[event.key];
    if (to === undefined) return;
    this.select(names[(to + names.length) % names.length]!);
    this.#buttons.get(this.#chosen)!.focus();
    event.preventDefault();
    event.stopPropagation();
  }
}
