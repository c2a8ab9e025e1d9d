// All that a widget sends to each page: connect, fetch the shared views, hand over.
import { Channel } from '../core/channel.ts';
import type { Comm } from '../core/channel.ts';
import { loadAsset } from '../core/assets.ts';
import { PROTOCOL } from '../core/protocol.ts';
import type { mount as Mount } from './views.ts';

interface Model extends Comm {
  get(key: 'view' | 'protocol'): unknown;
}

async function render({ model, el }: { model: Model; el: HTMLElement }): Promise<() => void> {
  if (model.get('protocol') !== PROTOCOL) {
    el.textContent = 'This widget belongs to another version of ModelLab; run the cell again.';
    return () => {};
  }
  const channel = new Channel(model);
  el.textContent = 'Loading…';
  try {
    const { mount } = await loadAsset<{ mount: typeof Mount }>('views', __VIEWS__, async () => {
      const { buffers } = await channel.call('asset', { name: 'views', hash: __VIEWS__ });
      return buffers[0]!;
    });
    el.textContent = '';
    return mount(el, String(model.get('view')), channel);
  } catch (error) {
    el.textContent = `ModelLab could not show this widget: ${error instanceof Error ? error.message : String(error)}`;
    return () => channel.dispose();
  }
}

export default { render };
