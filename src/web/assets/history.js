// The figures of the last hour by the second, and of the last day by the minute, as far as the runtime keeps them
// (`/v1/history`). Where it keeps none, what this page has seen since it was opened.

import { Failure, get } from './api.js';

export const RANGES = [
  { name: '5 min', span: 300e3, step: 1 },
  { name: '15 min', span: 900e3, step: 1 },
  { name: '1 h', span: 3600e3, step: 1 },
  { name: '24 h', span: 86400e3, step: 60 },
];
const LONGEST = { 1: 3600, 60: 1440 };
// How far apart the looks are where we remember them ourselves.
const OWN_STEP = 2000;

const COLUMNS = [
  'cpu_percent',
  'memory_bytes',
  'loop_delay_ms',
  'loop_utilization',
  'requests_per_second',
  'in_flight',
  'latency_ms',
  'errors_per_second',
  'restarts',
];

// Columns of all instances over the same times; the last value is that of `end`.
export class Window {
  constructor(longest) {
    Object.assign(this, { longest, step: null, end: null, length: 0, reach: 0, series: new Map() });
  }

  // Takes an answer of `/v1/history` that goes on where the last one ended.
  add({ step_ms: step, from_ms: from, series }) {
    const count = series[0]?.cpu_percent.length ?? 0;
    if (count === 0) return;
    if (this.end === null) Object.assign(this, { step, end: from - step });
    const gap = Math.round((from - this.end) / step) - 1;
    if (gap < 0 && -gap >= count) return;
    this.pad(Math.min(Math.max(gap, 0), this.longest));
    const skip = Math.max(-gap, 0);
    for (const one of series) {
      const mine = this.of(one);
      for (const name of COLUMNS) mine.columns[name].push(...(one[name] ?? []).slice(skip));
    }
    this.length += count - skip;
    this.end = from + (count - 1) * step;
    this.level();
  }

  of({ app, instance }) {
    const key = `${app}\n${instance}`;
    if (!this.series.has(key)) {
      const columns = Object.fromEntries(COLUMNS.map((name) => [name, Array(this.length).fill(null)]));
      this.series.set(key, { app, instance, columns });
    }
    return this.series.get(key);
  }

  pad(count) {
    this.length += count;
    this.level();
  }

  // Makes all columns as long as the window, and forgets who has nothing in it any more.
  level() {
    const excess = Math.max(this.length - this.longest, 0);
    this.length -= excess;
    for (const [key, { columns }] of this.series) {
      for (const values of Object.values(columns)) {
        values.splice(0, excess);
        while (values.length < this.length) values.push(null);
      }
      if (columns.cpu_percent.every((value) => value === null) && columns.memory_bytes.every((value) => value === null))
        this.series.delete(key);
    }
  }
}

const windows = { 1: new Window(LONGEST[1]), 60: new Window(LONGEST[60]) };
let own = null;

export const isKept = () => own === null;

// What there is of `range`.
export const window_ = (range) => own ?? windows[range.step];

export function forget() {
  own = null;
  for (const step of [1, 60]) windows[step] = new Window(LONGEST[step]);
}

// Asks for what is new; `now` is the runtime's time.
export async function poll(range, now, apps) {
  if (own) return remember(now, apps);
  const known = windows[range.step];
  const wanted = now - range.span;
  // A longer range than before begins anew.
  if (known.end !== null && wanted < known.reach) windows[range.step] = new Window(LONGEST[range.step]);
  const mine = windows[range.step];
  if (mine.end === null) mine.reach = wanted;
  try {
    mine.add(await get(`/v1/history?step=${range.step}&since=${Math.max(Math.round(mine.end ?? wanted), 0)}`));
  } catch (error) {
    if (!(error instanceof Failure && error.status === 404)) throw error;
    own = new Window(3600e3 / OWN_STEP);
    remember(now, apps);
  }
}

function remember(now, apps) {
  const series = apps.flatMap((app) =>
    app.instances.map((it) => ({
      app: app.name,
      instance: it.instance,
      cpu_percent: [it.cpu_percent],
      memory_bytes: [it.memory_bytes],
      loop_delay_ms: [it.node?.event_loop?.delay_ms?.p99 ?? null],
      loop_utilization: [it.node?.event_loop?.utilization ?? null],
      requests_per_second: [it.node?.http?.requests_per_second ?? null],
      in_flight: [it.node?.http?.in_flight ?? it.requests_in_flight ?? null],
      latency_ms: [it.node?.http?.latency_ms?.p95 ?? null],
      errors_per_second: [null],
    })),
  );
  own.add({ step_ms: OWN_STEP, from_ms: Math.floor(now / OWN_STEP) * OWN_STEP, series });
}
