// A page exported from a notebook, opened from disk: what was saved becomes interactive, with nothing from a network.
//
// The page holds the shared files once, as text, and each saved output beside its plain HTML, which stays where it
// cannot be drawn.
import { loadAsset } from '../core/assets.ts';
import type { AssetName } from '../core/assets.ts';
import { MIME, readSnapshot } from '../core/protocol.ts';
import { SnapshotConnector } from '../core/snapshot.ts';
import type { mount as Mount } from './views.ts';

/** The bytes of a shared file that the page holds. */
function held(name: AssetName): () => Promise<DataView> {
  return async () => {
    const text = document.getElementById(`modellab-${name}`)?.textContent;
    if (!text) throw new Error(`this page lacks the file "${name}"; export the notebook again`);
    return new DataView(Uint8Array.from(atob(text), letter => letter.charCodeAt(0)).buffer);
  };
}

async function draw(scripts: readonly HTMLElement[]): Promise<void> {
  const { mount } = await loadAsset<{ mount: typeof Mount }>('views', __VIEWS__, held('views'));
  // Views ask for Plotly by its hash when the first chart comes into sight; from then on it is on the shelf.
  loadAsset('plotly', __PLOTLY__, held('plotly')).catch((error: unknown) => console.warn('ModelLab draws no charts here:', error));
  for (const script of scripts) {
    // One output that cannot be drawn keeps its plain HTML, and the others are drawn.
    const el = document.createElement('div');
    try {
      const snapshot = readSnapshot(JSON.parse(script.textContent ?? ''));
      if (typeof snapshot === 'string') continue;
      const plain = script.previousElementSibling;
      script.after(el);
      mount(el, snapshot.view, new SnapshotConnector(snapshot));
      plain?.remove();
    } catch (error) {
      el.remove();
      console.warn('ModelLab could not draw this saved output:', error);
    }
  }
}

const saved = [...document.querySelectorAll<HTMLElement>(`script[type="${MIME}"]`)];
if (saved.length > 0) draw(saved).catch((error: unknown) => console.warn('ModelLab could not draw the saved outputs:', error));
