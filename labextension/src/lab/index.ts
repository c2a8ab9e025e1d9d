// Draws saved ModelLab outputs in every notebook, trusted or not, and hands over to the live widget where there is one.
import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import type { ICodeCellModel } from '@jupyterlab/cells';
import { INotebookTracker } from '@jupyterlab/notebook';
import type { NotebookPanel } from '@jupyterlab/notebook';
import { IRenderMimeRegistry } from '@jupyterlab/rendermime';
import type { IRenderMime } from '@jupyterlab/rendermime';
import { Panel, Widget } from '@lumino/widgets';
import { loadAsset } from '../core/assets.ts';
import { KEEPS, MIME, STILL, isObject, readSnapshot } from '../core/protocol.ts';
import type { JsonObject } from '../core/protocol.ts';
import { SnapshotConnector } from '../core/snapshot.ts';
import type { mount as Mount } from '../widgets/views.ts';

const LIVE = 'application/vnd.jupyter.widget-view+json';
const views = (): Promise<{ mount: typeof Mount }> => loadAsset('views', __VIEWS__);

class ModelLabOutput extends Panel implements IRenderMime.IRenderer {
  #notebook: NotebookPanel | null;
  #model: IRenderMime.IMimeModel | null = null;
  #unmount: (() => void) | null = null;
  #shown: 'nothing' | 'saved' | 'live' = 'nothing';
  /** Of the live widget: the model that is shown, and its saved form as it was last. */
  #liveId: string | null = null;
  #still: JsonObject | null = null;

  constructor(notebook: NotebookPanel | null) {
    super();
    this.#notebook = notebook;
    this.addClass('modellab-output');
    // Views paint their own light or dark; JupyterLab's white plate behind rich output is not wanted.
    this.node.dataset.mimeType = MIME;
    this.node.setAttribute(KEEPS, '');
    this.node.addEventListener(STILL, event => (this.#still = (event as CustomEvent<JsonObject>).detail));
    notebook?.context.saveState.connect(this.#saving, this);
    notebook?.sessionContext.kernelChanged.connect(this.#kernelChanged, this);
    notebook?.sessionContext.statusChanged.connect(this.#statusChanged, this);
  }

  override dispose(): void {
    if (this.isDisposed) return;
    this.#notebook?.context.saveState.disconnect(this.#saving, this);
    this.#notebook?.sessionContext.kernelChanged.disconnect(this.#kernelChanged, this);
    this.#notebook?.sessionContext.statusChanged.disconnect(this.#statusChanged, this);
    this.#clear();
    super.dispose();
  }

  async renderModel(model: IRenderMime.IMimeModel): Promise<void> {
    this.#model = model;
    const id = this.#modelId();
    // Its saved form alone was brought up to date.
    if (this.#shown === 'live' && id === this.#liveId) return;
    if (id !== null && this.#notebook?.sessionContext.session?.kernel?.hasComm(id)) {
      await this.#showLive();
      return;
    }
    await this.#showSaved();
    // Right after a page load the kernel may still run while its comms are not known here yet.
    void this.#becomeLive();
  }

  #modelId(): string | null {
    const view = this.#model?.data[LIVE];
    return isObject(view) && typeof view.model_id === 'string' ? view.model_id : null;
  }

  #clear(): void {
    this.#unmount?.();
    this.#unmount = null;
    for (const child of [...this.widgets]) child.dispose();
    this.#shown = 'nothing';
    this.#still = null;
  }

  async #becomeLive(): Promise<void> {
    const id = this.#modelId();
    const context = this.#notebook?.sessionContext;
    if (id === null || !context) return;
    try {
      await context.ready;
      const kernel = context.session?.kernel;
      if (!kernel || this.isDisposed) return;
      const known = await kernel.requestCommInfo({ target_name: 'jupyter.widget' });
      if (known.content.status !== 'ok' || !(id in known.content.comms)) return;
    } catch {
      // The kernel has ended, or was ended while it was asked: what is saved is on the screen.
      return;
    }
    if (!this.isDisposed && this.#shown !== 'live') await this.#showLive();
  }

  async #showLive(): Promise<void> {
    const rendermime = this.#notebook!.content.rendermime;
    if (!rendermime.getFactory(LIVE)) return this.#showSaved();
    const renderer = rendermime.createRenderer(LIVE);
    this.#clear();
    this.#shown = 'live';
    this.#liveId = this.#modelId();
    this.addWidget(renderer);
    try {
      await renderer.renderModel(this.#model!);
    } catch {
      // The kernel ended meanwhile.
      if (!this.isDisposed && renderer.parent === this) await this.#showSaved();
    }
  }

  async #showSaved(): Promise<void> {
    const snapshot = readSnapshot(this.#model!.data[MIME]);
    this.#clear();
    this.#shown = 'saved';
    const host = new Widget();
    this.addWidget(host);
    if (typeof snapshot === 'string') {
      host.node.textContent = snapshot;
      return;
    }
    try {
      const { mount } = await views();
      if (!host.isDisposed) this.#unmount = mount(host.node, snapshot.view, new SnapshotConnector(snapshot));
    } catch (error) {
      host.node.textContent = `ModelLab could not draw this saved output: ${error instanceof Error ? error.message : String(error)}`;
    }
  }

  /** What is saved is what was last on the screen, and not that of the time when the cell ran. */
  #saving(_: unknown, state: string): void {
    const [id, still] = [this.#modelId(), this.#still];
    if (state !== 'started' || this.#shown !== 'live' || still === null) return;
    this.#still = null;
    for (const { model } of this.#notebook!.content.widgets) {
      if (model.type !== 'code') continue;
      const { outputs } = model as ICodeCellModel;
      for (let i = 0; i < outputs.length; i++) {
        const output = outputs.get(i).toJSON();
        const view = isObject(output.data) ? output.data[LIVE] : undefined;
        if (isObject(view) && view.model_id === id) outputs.set(i, { ...output, data: { ...(output.data as JsonObject), ...still } });
      }
    }
  }

  #kernelChanged(): void {
    if (this.#shown === 'live') void this.#showSaved();
  }

  #statusChanged(_: unknown, status: string): void {
    if (this.#shown === 'live' && ['restarting', 'autorestarting', 'dead', 'terminating'].includes(status)) void this.#showSaved();
  }
}

function addTo(rendermime: IRenderMimeRegistry, notebook: NotebookPanel | null): void {
  rendermime.addFactory({
    safe: true,
    mimeTypes: [MIME],
    defaultRank: -20,
    createRenderer: () => new ModelLabOutput(notebook),
  });
}

const renderer: JupyterFrontEndPlugin<void> = {
  id: 'modellab-jupyter:renderer',
  description: 'Draws ModelLab tables and figures, live and in saved notebooks.',
  autoStart: true,
  optional: [INotebookTracker, IRenderMimeRegistry],
  activate: (_app: JupyterFrontEnd, tracker: INotebookTracker | null, rendermime: IRenderMimeRegistry | null) => {
    // Outputs shown outside a notebook (a console, a preview) have no kernel to ask: they are drawn as saved.
    if (rendermime) addTo(rendermime, null);
    const adopt = (panel: NotebookPanel): void => addTo(panel.content.rendermime, panel);
    tracker?.forEach(adopt);
    tracker?.widgetAdded.connect((_, panel) => adopt(panel));
  },
};

export default [renderer];
