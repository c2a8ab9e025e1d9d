declare module '*.css' {
  const text: string;
  export default text;
}
/** Hashes of the shared files, compiled in by build.mjs. */
declare const __VIEWS__: string;
declare const __PLOTLY__: string;
