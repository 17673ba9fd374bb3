// What of the dashboard needs no browser: figures and times for people, the history, and server-sent events however they are cut.

import assert from 'node:assert/strict';
import test from 'node:test';

const from = (name) => import(new URL(`../../src/web/assets/${name}`, import.meta.url));
const { bytes, count, duration, millis, number, words } = await from('format.js');
const { Window } = await from('history.js');
const { read } = await from('api.js');

test('figures are short and have their units', () => {
  assert.deepEqual([0, 1.25, 99.6, 12345, null].map(number), ['0', '1.3', '100', '12.3k', '–']);
  assert.deepEqual([0, 1023, 1536, 5 << 20, 300 << 20].map(bytes), ['0 B', '1023 B', '1.5 KB', '5.0 MB', '300 MB']);
  assert.deepEqual([0, 59e3, 3600e3, 90061e3].map(duration), ['0s', '59s', '1h', '1d 1h']);
  assert.deepEqual([0.25, 1500].map(millis), ['0.3 ms', '1.5 s']);
  assert.equal(count(undefined), '–');
  assert.equal(words(['node', 'a b.js', "it's"]), "node 'a b.js' 'it'\\''s'");
});

const answer = (from_ms, columns) => ({
  step_ms: 1000,
  from_ms,
  series: Object.entries(columns).map(([app, cpu_percent]) => ({
    app,
    instance: 0,
    cpu_percent,
    memory_bytes: cpu_percent,
  })),
});
const column = (window, app) => window.series.get(`${app}\n0`)?.columns.cpu_percent;

test('a history goes on where it ended', () => {
  const window = new Window(5);
  window.add(answer(1000, { a: [1, 2] }));
  window.add(answer(3000, { a: [3], b: [9] }));
  assert.deepEqual(
    [column(window, 'a'), column(window, 'b')],
    [
      [1, 2, 3],
      [null, null, 9],
    ],
  );
  // One that is gone has nothing any more; what is missing in between is not known.
  window.add(answer(5000, { b: [8] }));
  assert.deepEqual(
    [column(window, 'a'), column(window, 'b')],
    [
      [1, 2, 3, null, null],
      [null, null, 9, null, 8],
    ],
  );
  assert.deepEqual([window.end, window.length], [5000, 5]);
});

test('a history is no longer than its window, and what comes twice counts once', () => {
  const window = new Window(3);
  window.add(answer(1000, { a: [1, 2, 3] }));
  window.add(answer(2000, { a: [2, 3] }));
  window.add(answer(3000, { a: [3, 4] }));
  assert.deepEqual(column(window, 'a'), [2, 3, 4]);
  window.add(answer(9000, { b: [1] }));
  assert.deepEqual([column(window, 'a'), column(window, 'b')], [undefined, [null, null, 1]]);
  window.add({ step_ms: 1000, from_ms: 0, series: [] });
  assert.equal(window.length, 3);
});

test('events are read however they are cut', async () => {
  const content = new TextEncoder().encode('event: line\ndata: {"text":"ä"}\n\n: still here\n\ndata: 7\n\n');
  for (let size = 1; size <= content.length; size += 1) {
    const pieces = [];
    for (let at = 0; at < content.length; at += size) pieces.push(content.slice(at, at + size));
    const found = [];
    await read(new Response(ReadableStream.from(pieces)), (name, value) => found.push([name, value]));
    assert.deepEqual(
      found,
      [
        ['line', { text: 'ä' }],
        ['message', 7],
      ],
      `in pieces of ${size}`,
    );
  }
});
