// What this page knows of the runtime, and keeps asking for while somebody looks.

import { Failure, get, stream } from './api.js';
import * as history from './history.js';

const EVERY = 2000;
const AFTER_EVENT = 150;
const LONGEST_PAUSE = 8000;
const MOST_EVENTS = 1000;

export const state = {
  access: null,
  apps: null,
  runtime: null,
  events: [],
  crashes: null,
  range: null,
  // Whether the last look failed, and why.
  away: null,
  // The version that this page came with.
  version: null,
};

const bus = new EventTarget();
export const listen = (name, hear, signal) => bus.addEventListener(name, hear, { signal });
export const tell = (name) => bus.dispatchEvent(new Event(name));

export const now = () =>
  state.runtime ? state.runtime.started_at_ms + state.runtime.uptime_ms + (performance.now() - state.seen) : Date.now();
export const find = (name) => state.apps?.find((app) => app.name === name);
export const mayChange = () => state.access?.change === 'ok';
export const isReadOnly = () => state.access?.change === 'read_only';

// What an instance is called: `web.0`.
export const nameOf = (id) => {
  for (const app of state.apps ?? []) {
    const found = app.instances.find((it) => it.id === id);
    if (found) return app.instances.length > 1 ? `${app.name}.${found.instance}` : app.name;
  }
  return null;
};

let timer;
let isHurried = false;
let looking = null;
let pause = EVERY;

// Whether somebody has to be told: who may do what is not among it, `/access` says that.
const isNews = (error) => !(error instanceof Failure) || error.status >= 500;

async function look() {
  state.access = await get('/access');
  if (state.access.look !== 'ok') return;
  const [apps, runtime] = await Promise.all([get('/v1/apps'), get('/v1/runtime')]);
  // It is another one.
  if (state.runtime && runtime.started_at_ms > state.runtime.started_at_ms + 5000) history.forget();
  Object.assign(state, { apps, runtime, seen: performance.now() });
  // A chart that is mostly empty shows little.
  state.range ??= runtime.uptime_ms < 300e3 ? history.RANGES[0] : history.RANGES[1];
  state.version ??= runtime.version;
  await history.poll(state.range, now(), apps);
}

async function once() {
  clearTimeout(timer);
  isHurried = false;
  try {
    await look();
    state.away = null;
    pause = EVERY;
  } catch (error) {
    if (isNews(error)) {
      state.away = error instanceof Failure ? error.message : 'The runtime does not answer';
      pause = Math.min(pause * 1.5, LONGEST_PAUSE);
    }
  }
  looking = null;
  clearTimeout(timer);
  if (document.hidden) isHurried = false;
  else timer = setTimeout(cycle, isHurried ? AFTER_EVENT : pause);
  tell('change');
}

function cycle() {
  looking ??= once();
  return looking;
}

// Looks soon, besides the regular looks.
export function hurry() {
  if (isHurried || document.hidden) return;
  isHurried = true;
  pause = EVERY;
  clearTimeout(timer);
  timer = setTimeout(cycle, AFTER_EVENT);
}

function note(event) {
  const { events } = state;
  if (events.some((known) => known.seq === event.seq && known.at_ms === event.at_ms)) return;
  events.push(event);
  if (events.length > MOST_EVENTS) events.splice(0, events.length - MOST_EVENTS);
  tell('event');
  hurry();
}

// Runs `open(signal)` again whenever it has ended, until `signal` aborts.
export async function keep(open, signal) {
  for (let wait = 500; !signal.aborted; wait = Math.min(wait * 2, LONGEST_PAUSE)) {
    const began = performance.now();
    try {
      await open(signal);
    } catch (error) {
      if (error instanceof Failure && error.status < 500) return;
    }
    if (performance.now() - began > LONGEST_PAUSE) wait = 500;
    if (!signal.aborted)
      await new Promise((done) => {
        setTimeout(done, wait);
      });
  }
}

let events = null;

// Begins anew with what may be seen now.
export async function begin() {
  events?.abort();
  events = new AbortController();
  // One that is under way may have gone out with another token.
  await looking;
  await cycle();
  if (state.access && state.access.look !== 'ok') return;
  const { signal } = events;
  keep(
    () => stream('/v1/events?follow=true&last=256', signal, (name, event) => name === 'event' && note(event), hurry),
    signal,
  );
}

export function setRange(range) {
  state.range = range;
  hurry();
  tell('change');
}

document.addEventListener('visibilitychange', () => !document.hidden && hurry());
