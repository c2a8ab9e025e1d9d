// Elements from data. Strings only ever become text.

export type Child = Node | string | null | undefined | false;
type Props = Record<string, string | number | boolean | null | undefined | ((event: never) => void)>;

/** Make an element: `on…` properties listen, `class` and the rest are attributes; null and false are left out. */
export function h<K extends keyof HTMLElementTagNameMap>(tag: K, props: Props = {}, ...children: Child[]): HTMLElementTagNameMap[K] {
  const el = document.createElement(tag);
  for (const [key, value] of Object.entries(props)) {
    if (value === null || value === undefined || value === false) continue;
    if (typeof value === 'function') el.addEventListener(key.slice(2), value as EventListener);
    else el.setAttribute(key, value === true ? '' : String(value));
  }
  el.append(...children.filter((c): c is Node | string => c !== null && c !== undefined && c !== false));
  return el;
}

/** Put nodes into an element; those that are there already are not touched, and keep focus and scrolling. */
export function put(el: HTMLElement, nodes: readonly (Node | string)[]): void {
  const wanted = nodes.filter(node => node !== '').map(node => (typeof node === 'string' ? document.createTextNode(node) : node));
  for (const old of [...el.childNodes]) if (!wanted.includes(old)) old.remove();
  wanted.forEach((node, i) => {
    if (el.childNodes[i] !== node) el.insertBefore(node, el.childNodes[i] ?? null);
  });
}

let made = 0;

/** An id that no other element of the page has. */
export function uniqueId(word: string): string {
  return `modellab-${word}-${++made}`;
}

/** Write a text where it is another one: what is read aloud when it changes is not read again. */
export function say(el: HTMLElement, text: string): void {
  if (el.textContent !== text) el.textContent = text;
}

/** Replace the choices of a select, keeping the value if it is still there. */
export function choices(select: HTMLSelectElement, names: readonly string[], title: (name: string) => string, value: string): void {
  const [now, then] = [[...select.options].map(o => `${o.value}\n${o.text}`), names.map(name => `${name}\n${title(name)}`)];
  if (now.length !== then.length || now.some((text, i) => text !== then[i])) select.replaceChildren(...names.map(name => h('option', { value: name }, title(name))));
  select.value = names.includes(value) ? value : (names[0] ?? '');
}
