import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Channel, NoAnswer } from '../src/core/channel.ts';
import type { Comm } from '../src/core/channel.ts';
import { PROTOCOL, readSnapshot } from '../src/core/protocol.ts';
import { SnapshotConnector } from '../src/core/snapshot.ts';

/** A comm whose other end is a function. */
class Pair implements Comm {
  sent: { id: number; verb: string; payload: unknown }[] = [];
  heard: ((message: unknown, buffers: DataView[]) => void)[] = [];
  send(content: unknown): void {
    this.sent.push(content as { id: number; verb: string; payload: unknown });
  }
  on(_: string, f: (message: unknown, buffers: DataView[]) => void): void {
    this.heard.push(f);
  }
  off(_: string, f: (message: unknown, buffers: DataView[]) => void): void {
    this.heard = this.heard.filter(g => g !== f);
  }
  say(message: unknown): void {
    this.heard.forEach(f => f(message, []));
  }
}

test('answers find their question by id, in any order', async () => {
  const pair = new Pair();
  const channel = new Channel(pair);
  const [one, two] = [channel.call('a'), channel.call('b')];
  pair.say({ id: pair.sent[1]!.id, ok: true, payload: { is: 'b' } });
  pair.say({ id: pair.sent[0]!.id, ok: true, payload: { is: 'a' } });

  assert.deepEqual([(await one).payload, (await two).payload], [{ is: 'a' }, { is: 'b' }]);
});

test('an error of the other side arrives as its sentence', async () => {
  const pair = new Pair();
  const asked = new Channel(pair).call('a');
  pair.say({ id: pair.sent[0]!.id, ok: false, error: 'no such run' });

  await assert.rejects(asked, /^Error: no such run$/u);
});

test('silence ends with a sentence, and a late answer hurts nobody', async () => {
  const pair = new Pair();
  const asked = new Channel(pair, 5).call('a');

  await assert.rejects(asked, NoAnswer);
  pair.say({ id: pair.sent[0]!.id, ok: true, payload: {} });
});

test('two views on one comm each hear their own answer', async () => {
  const pair = new Pair();
  const asked = [new Channel(pair).call('open', { of: 1 }), new Channel(pair).call('open', { of: 2 })];
  for (const { id, verb, payload } of [...pair.sent].reverse()) pair.say({ id, verb, ok: true, payload });

  assert.ok(pair.sent.every(({ id }) => Number.isSafeInteger(id) && id > 0));
  assert.deepEqual((await Promise.all(asked)).map(answer => answer.payload), [{ of: 1 }, { of: 2 }]);
});

test('an answer to another verb is not taken, and a question can have patience of its own', async () => {
  const pair = new Pair();
  const asked = new Channel(pair, 5).call('act', {}, 500);
  pair.say({ id: pair.sent[0]!.id, verb: 'open', ok: true, payload: { is: 'open' } });
  await new Promise(resolve => setTimeout(resolve, 20));
  pair.say({ id: pair.sent[0]!.id, verb: 'act', ok: true, payload: { is: 'act' } });

  assert.deepEqual((await asked).payload, { is: 'act' });
});

test('news has the id 0 and is heard by the view; noise is not', () => {
  const pair = new Pair();
  const channel = new Channel(pair);
  const heard: string[] = [];
  channel.listen(verb => heard.push(verb));
  for (const message of [{ id: 0, verb: 'changed' }, null, 'x', { id: 99, ok: true }, { verb: 'y' }]) pair.say(message);

  assert.deepEqual(heard, ['changed']);
});

test('an unreadable or foreign snapshot is answered with a sentence', () => {
  assert.match(String(readSnapshot({ protocol: 2, view: 'dashboard', data: '{}' })), /another version/u);
  for (const odd of [null, 3, [], {}, { view: 'x' }]) assert.match(String(readSnapshot(odd)), /not a ModelLab view/u);
  for (const odd of ['', '[]', '{', 'null']) assert.match(String(readSnapshot({ protocol: 1, view: 'x', data: odd })), /damaged/u);
});

test('a saved view answers what was saved and refuses to act', async () => {
  const snapshot = readSnapshot({ protocol: 1, view: 'dashboard', title: 't', data: '{"series":{"acc":{"rows":0,"columns":[]}}}' });
  assert.ok(typeof snapshot !== 'string');
  const saved = new SnapshotConnector(snapshot);

  assert.deepEqual((await saved.call('series', { key: 'acc' })).payload, { rows: 0, columns: [] });
  await assert.rejects(saved.call('act', { verb: 'trash' }), /run the cell again/u);
});

test('a saved view finds answers by verb and by what was asked, and says what was not saved', async () => {
  const table = { rows: 1, columns: [] };
  const saved = new SnapshotConnector({
    protocol: PROTOCOL, view: 'datasets', title: '', data: { summary: { 'ds 2': table, 'ds 3': { error: 'the stored bytes were changed' } }, preview: 3, dataset: { ds: [] } },
  });

  assert.deepEqual((await saved.call('summary', { dataset_id: 'ds', version: 2 })).payload, table);
  await assert.rejects(saved.call('summary', { dataset_id: 'ds', version: 3 }), { name: 'NotSaved', message: 'the stored bytes were changed' });
  for (const [verb, payload] of [['summary', { dataset_id: 'ds', version: 1 }], ['preview', { dataset_id: 'ds' }], ['dataset', { dataset_id: 'ds' }], ['constructor', { key: 'name' }], ['summary', { key: '__proto__' }]] as const) {
    await assert.rejects(saved.call(verb, payload), { name: 'NotSaved', message: /run the cell again/u });
  }
});
