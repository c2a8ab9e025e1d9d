// Every view, behind one door; the same for a live model and for what was saved.
import { clip } from '../core/format.ts';
import type { Connector } from '../core/protocol.ts';
import { mountDashboard } from './dashboard.ts';
import { mountDatasets } from './datasets.ts';
import { words } from '../core/safe.ts';
import { h } from './dom.ts';
import { mountProjects } from './projects.ts';
import { mountReport } from './report.ts';
import css from './style.css';

/** Draw a view into `el`; the function returned takes it away again and lets the connector go. */
export function mount(el: HTMLElement, view: string, connector: Connector): () => void {
  // Inside the element, for hosts that draw in a shadow root.
  const style = h('style', {}, css);
  el.append(style);
  // JupyterLab's shortcuts are one letter or an arrow, and it looks at the focused element alone to leave them out.
  const keepKeys = (event: FocusEvent): void => {
    if (event.target instanceof Element) event.target.setAttribute('data-lm-suppress-shortcuts', 'true');
  };
  el.addEventListener('focusin', keepKeys);
  let unmount = (): void => {};
  let gone = false;
  if (view === 'dashboard') unmount = mountDashboard(el, connector);
  else if (view === 'datasets') unmount = mountDatasets(el, connector);
  else if (view === 'projects') unmount = mountProjects(el, connector);
  else if (view === 'report') {
    const fail = (error: unknown): void => el.append(h('p', { class: 'modellab', role: 'alert' }, `This page could not be drawn: ${error instanceof Error ? error.message : 'no reason is known.'}`));
    connector.call('open').then(({ payload }) => {
      if (!gone) unmount = mountReport(el, connector, payload, words(payload.title));
    }).catch(fail);
  } else el.append(h('p', {}, `This version of ModelLab has no view named "${clip(view, 60)}"; run the cell again.`));
  return () => {
    gone = true;
    unmount();
    connector.dispose();
    el.removeEventListener('focusin', keepKeys);
    style.remove();
  };
}
