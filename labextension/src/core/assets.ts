// One copy of each shared file per page, whoever asks first: the installed extension's own file, then the kernel's bytes.

const EXTENSION = 'modellab-jupyter';

export type AssetName = 'views' | 'plotly';

function shelf(name: AssetName): Map<string, Promise<unknown>> {
  const key = Symbol.for(`modellab.${name}`);
  const page = globalThis as unknown as Record<symbol, Map<string, Promise<unknown>> | undefined>;
  return (page[key] ??= new Map());
}

/** The address of a file of the installed extension, or null where it is not installed. */
export function extensionUrl(file: string): string | null {
  const text = document.getElementById('jupyter-config-data')?.textContent;
  if (!text) return null;
  const config = JSON.parse(text) as { fullLabextensionsUrl?: string; federated_extensions?: { name: string }[] };
  if (!config.fullLabextensionsUrl) return null;
  if (!config.federated_extensions?.some(e => e.name === EXTENSION)) return null;
  // Widget code runs from a blob: address, so the address must be absolute.
  return new URL(`${config.fullLabextensionsUrl}/${EXTENSION}/static/${file}`, document.baseURI).href;
}

async function unzip(bytes: DataView): Promise<string> {
  const part = new Uint8Array(bytes.buffer as ArrayBuffer, bytes.byteOffset, bytes.byteLength);
  const stream = new Blob([part]).stream().pipeThrough(new DecompressionStream('gzip'));
  return await new Response(stream).text();
}

async function fetchModule(name: AssetName, hash: string, ask?: () => Promise<DataView>): Promise<unknown> {
  const url = extensionUrl(`${name}.${hash}.js`);
  if (url !== null) {
    try {
      return await import(url);
    } catch (error) {
      if (!ask) throw error;
    }
  }
  if (!ask) throw new Error('Charts need the ModelLab extension of JupyterLab, or a kernel; neither is here.');
  const source = URL.createObjectURL(new Blob([await unzip(await ask())], { type: 'text/javascript' }));
  try {
    return await import(source);
  } finally {
    URL.revokeObjectURL(source);
  }
}

/** The module of that hash; a failure is forgotten, so that asking again tries again. */
export function loadAsset<T>(name: AssetName, hash: string, ask?: () => Promise<DataView>): Promise<T> {
  const found = shelf(name);
  let promise = found.get(hash);
  if (!promise) {
    promise = fetchModule(name, hash, ask);
    found.set(hash, promise);
    promise.catch(() => found.delete(hash));
  }
  return promise as Promise<T>;
}
