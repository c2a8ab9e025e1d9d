// Every view, behind one door; the same for a live model and for what was saved.
import type { Connector } from '../core/protocol.ts';

/** Draw a view into `el`; the function returned takes it away again. */
export function mount(el: HTMLElement, view: string, connector: Connector): () => void {
  el.textContent = view;
  return () => connector.dispose();
}
