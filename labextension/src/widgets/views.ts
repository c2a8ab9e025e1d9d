// Every view, behind one door; the same for a live model and for what was saved.
import type { Connector } from '../core/protocol.ts';
import { mountDashboard } from './dashboard.ts';
import { h } from './dom.ts';
import { mountReport } from './report.ts';
import css from './style.css';

/** Draw a view into `el`; the function returned takes it away again and lets the connector go. */
export function mount(el: HTMLElement, view: string, connector: Connector): () => void {
  // Inside the element, for hosts that draw in a shadow root.
  const style = h('style', {}, css);
  el.append(style);
  let unmount = (): void => {};
  let gone = false;
  if (view === 'dashboard') unmount = mountDashboard(el, connector);
  else if (view === 'report') {
    void connector.call('open').then(({ payload }) => {
      if (!gone) unmount = mountReport(el, connector, payload, String(payload.title ?? ''));
    });
  } else el.append(h('p', {}, `This version of ModelLab has no view named "${view}"; run the cell again.`));
  return () => {
    gone = true;
    unmount();
    connector.dispose();
    style.remove();
  };
}
