// Builds everything the browser needs, from src/ into modellab_jupyter/:
//
//   static/        stub.js (the anywidget entry), views.js.gz and plotly.js.gz (sent by the kernel where no
//                  extension is installed), page.js (draws in an exported page) and assets.json (their hashes)
//   labextension/  the prebuilt JupyterLab extension, with views.HASH.js and plotly.HASH.js beside it
//
// The hashes are compiled into whoever loads a file, so a page never mixes two versions.
// Output depends on the sources and the lock file alone.
import { createHash } from 'node:crypto';
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import * as esbuild from 'esbuild';

const here = path.dirname(fileURLToPath(import.meta.url));
const python = path.join(here, '..', 'modellab_jupyter');
const name = 'modellab-jupyter';
const version = process.env.MODELLAB_VERSION ?? '0.0.0';
const sources = process.env.MODELLAB_SOURCES ?? '';
const hash = bytes => createHash('sha256').update(bytes).digest('hex').slice(0, 16);

const common = {
  absWorkingDir: here,
  bundle: true,
  minify: true,
  target: 'es2022',
  write: false,
  legalComments: 'none',
  logLevel: 'warning',
  loader: { '.css': 'text' },
};

async function bundle(options) {
  const result = await esbuild.build({ ...common, ...options });
  return Buffer.from(result.outputFiles[0].contents);
}

// One Plotly with the traces our figures use, and no other.
const plotly = await bundle({
  stdin: {
    contents: `
      import Plotly from 'plotly.js/lib/core';
      import bar from 'plotly.js/lib/bar';
      import box from 'plotly.js/lib/box';
      import heatmap from 'plotly.js/lib/heatmap';
      import histogram from 'plotly.js/lib/histogram';
      import parcoords from 'plotly.js/lib/parcoords';
      Plotly.register([bar, box, heatmap, histogram, parcoords]);
      export default Plotly;`,
    resolveDir: here,
  },
  format: 'esm',
  define: { global: 'globalThis' },
});
const plotlyHash = hash(plotly);

const views = await bundle({
  entryPoints: ['src/widgets/views.ts'],
  format: 'esm',
  define: { __PLOTLY__: JSON.stringify(plotlyHash) },
});
const viewsHash = hash(views);

const stub = await bundle({
  entryPoints: ['src/widgets/stub.ts'],
  format: 'esm',
  define: { __VIEWS__: JSON.stringify(viewsHash) },
});

// What an exported page runs; inline in the page, so no end of a script may stand in it.
const page = await bundle({
  entryPoints: ['src/widgets/page.ts'],
  format: 'esm',
  define: { __VIEWS__: JSON.stringify(viewsHash), __PLOTLY__: JSON.stringify(plotlyHash) },
});
if (page.includes('</script')) throw new Error('page.js would end its own script');

// The extension: modules that JupyterLab shares are taken from its share scope when the plugin is first asked for.
const SHARED = Symbol.for(`${name}/shared`).description;
const used = new Set();
const shared = {
  name: 'shared',
  setup(build) {
    build.onResolve({ filter: /^@(jupyterlab|lumino)\// }, args => {
      used.add(args.path);
      return { path: args.path, namespace: 'shared' };
    });
    build.onLoad({ filter: /.*/, namespace: 'shared' }, args => ({
      loader: 'js',
      contents: `module.exports = globalThis[Symbol.for(${JSON.stringify(SHARED)})][${JSON.stringify(args.path)}];`,
    }));
  },
};
const plugin = await bundle({
  entryPoints: ['src/lab/index.ts'],
  format: 'iife',
  globalName: '__plugin',
  define: { __VIEWS__: JSON.stringify(viewsHash) },
  plugins: [shared],
});
const container = Buffer.from(`(() => {
let scope;
const need = ${JSON.stringify([...used].sort())};
const modules = {
  './extension': async () => {
    const got = {};
    await Promise.all(need.map(async key => {
      const versions = scope[key];
      if (!versions) throw new Error(${JSON.stringify(name)} + ' needs ' + key + ', which this JupyterLab does not share');
      const found = Object.values(versions);
      got[key] = (await (found.find(v => v.loaded) ?? found[0]).get())();
    }));
    globalThis[Symbol.for(${JSON.stringify(SHARED)})] = got;
    ${plugin.toString('utf8')}
    return __plugin;
  },
  './style': async () => ({}),
};
(globalThis._JUPYTERLAB ??= {})[${JSON.stringify(name)}] = {
  init(given) { scope = given; },
  async get(id) { const made = await modules[id](); return () => made; },
};
})();
`);

async function put(folder, files) {
  // Written beside and moved: an interrupted build leaves the old folder whole.
  const fresh = `${folder}.new`;
  await rm(fresh, { recursive: true, force: true });
  for (const [file, bytes] of Object.entries(files)) {
    const target = path.join(fresh, file);
    await mkdir(path.dirname(target), { recursive: true });
    await writeFile(target, bytes);
  }
  await rm(folder, { recursive: true, force: true });
  await rename(fresh, folder);
}

const json = value => JSON.stringify(value, null, 2) + '\n';
const zip = bytes => gzipSync(bytes, { level: 9 });
const manifest = JSON.parse(await readFile(path.join(here, 'package.json'), 'utf8'));

await put(path.join(python, 'labextension'), {
  'package.json': json({
    name,
    version,
    description: manifest.description,
    license: manifest.license,
    jupyterlab: {
      extension: true,
      _build: { load: `static/remoteEntry.${hash(container)}.js`, extension: './extension', style: './style' },
    },
  }),
  [`static/remoteEntry.${hash(container)}.js`]: container,
  [`static/views.${viewsHash}.js`]: views,
  [`static/plotly.${plotlyHash}.js`]: plotly,
});
await put(path.join(python, 'static'), {
  'stub.js': stub,
  'page.js': page,
  'views.js.gz': zip(views),
  'plotly.js.gz': zip(plotly),
  'assets.json': json({ sources, views: viewsHash, plotly: plotlyHash }),
});

const kb = bytes => `${(bytes.length / 1024).toFixed(1)} KB`;
console.log(
  `modellab-jupyter front end: plotly ${kb(plotly)} (${kb(zip(plotly))} gzip), views ${kb(views)} (${kb(zip(views))} gzip), ` +
    `stub ${kb(stub)}, extension ${kb(container)}`,
);
