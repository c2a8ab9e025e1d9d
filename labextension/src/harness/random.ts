// The generator that both languages share: Threefry-2x32 with 20 rounds (Salmon, Moraes, Dror & Shaw 2011, "Parallel
// random numbers: as easy as 1, 2, 3", SC'11). A word depends on its seed, purpose, row and place alone, so any resample
// can be drawn by itself, in any order and in any worker.

/** Two 32-bit words. */
export type Key = readonly [number, number];

const PARITY = 0x1bd11bda;

/** Purposes of streams; every use of random numbers has its own. */
export const RESAMPLES = 1, CALIBRATION = 2, SPLIT = 5, DRAWS_OF_CELLS = 7, NOISE = 8;

/**
 * Fill `out` with the words of one row, from pair `first` on: pair j is the block of counter (j, row), words 2j and 2j + 1.
 * Rounds are written out because a loop over a table of rotations takes four times as long.
 */
export function words(key: Key, row: number, out: Uint32Array, first = 0): void {
  const k0 = key[0] | 0, k1 = key[1] | 0, k2 = PARITY ^ k0 ^ k1;
  const start = ((row | 0) + k1) | 0, size = out.length;
  for (let i = 0, j = first; i < size; i += 2, j++) {
    let a = (j + k0) | 0, b = start;
    a = (a + b) | 0; b = ((b << 13) | (b >>> 19)) ^ a;
    a = (a + b) | 0; b = ((b << 15) | (b >>> 17)) ^ a;
    a = (a + b) | 0; b = ((b << 26) | (b >>> 6)) ^ a;
    a = (a + b) | 0; b = ((b << 6) | (b >>> 26)) ^ a;
    a = (a + k1) | 0; b = (b + k2 + 1) | 0;
    a = (a + b) | 0; b = ((b << 17) | (b >>> 15)) ^ a;
    a = (a + b) | 0; b = ((b << 29) | (b >>> 3)) ^ a;
    a = (a + b) | 0; b = ((b << 16) | (b >>> 16)) ^ a;
    a = (a + b) | 0; b = ((b << 24) | (b >>> 8)) ^ a;
    a = (a + k2) | 0; b = (b + k0 + 2) | 0;
    a = (a + b) | 0; b = ((b << 13) | (b >>> 19)) ^ a;
    a = (a + b) | 0; b = ((b << 15) | (b >>> 17)) ^ a;
    a = (a + b) | 0; b = ((b << 26) | (b >>> 6)) ^ a;
    a = (a + b) | 0; b = ((b << 6) | (b >>> 26)) ^ a;
    a = (a + k0) | 0; b = (b + k1 + 3) | 0;
    a = (a + b) | 0; b = ((b << 17) | (b >>> 15)) ^ a;
    a = (a + b) | 0; b = ((b << 29) | (b >>> 3)) ^ a;
    a = (a + b) | 0; b = ((b << 16) | (b >>> 16)) ^ a;
    a = (a + b) | 0; b = ((b << 24) | (b >>> 8)) ^ a;
    a = (a + k1) | 0; b = (b + k2 + 4) | 0;
    a = (a + b) | 0; b = ((b << 13) | (b >>> 19)) ^ a;
    a = (a + b) | 0; b = ((b << 15) | (b >>> 17)) ^ a;
    a = (a + b) | 0; b = ((b << 26) | (b >>> 6)) ^ a;
    a = (a + b) | 0; b = ((b << 6) | (b >>> 26)) ^ a;
    a = (a + k2) | 0; b = (b + k0 + 5) | 0;
    out[i] = a;
    if (i + 1 < size) out[i + 1] = b;
  }
}

/** The block of one counter. */
export function threefry(key: Key, counter: Key): Key {
  const out = new Uint32Array(2);
  words(key, counter[1], out, counter[0]);
  return [out[0]!, out[1]!];
}

/** The key of one purpose under a seed of 0 to 2^64 - 1; beyond 2^53 it must be a bigint. */
export function subkey(seed: number | bigint, purpose: number): Key {
  const whole = BigInt(seed);
  return threefry([Number(whole & 0xffffffffn), Number((whole >> 32n) & 0xffffffffn)], [purpose, 0]);
}

/** Turn a word u into a whole number below `high`, floor(u * high / 2^32); exact for all `high` up to 2^31. */
export function integer(word: number, high: number): number {
  if (high <= 0x200000) return Math.floor(word * (high / 0x100000000));
  const upper = word >>> 16, lower = word & 0xffff;
  return Math.floor((upper * high + Math.floor((lower * high) / 65536)) / 65536);
}

/** Turn two words into a number strictly between 0 and 1, with 53 bits. */
export function uniform(a: number, b: number): number {
  return Math.min(((a >>> 5) * 67108864 + (b >>> 6) + 0.5) / 9007199254740992, 1 - 2 ** -53);
}

/** The first `count` uniform numbers of a purpose's plain stream. */
export function uniforms(key: Key, count: number): Float64Array {
  const raw = new Uint32Array(2 * count), out = new Float64Array(count);
  words(key, 0, raw);
  for (let i = 0; i < count; i++) out[i] = uniform(raw[2 * i]!, raw[2 * i + 1]!);
  return out;
}
