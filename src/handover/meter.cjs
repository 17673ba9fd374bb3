// Measures a Node worker while somebody asks for it. Our script beside this one loads it at the first question: until then
// none of it costs anything. Each question opens a new window; when none has come for a while, all is put away again. Of what Bun does not
// know, or tells wrongly, nothing is said.
'use strict';

const { PerformanceObserver, createHistogram, monitorEventLoopDelay, performance } = require('perf_hooks');
const { channel } = require('diagnostics_channel');

// Who asks does so about once a second. After so long without a question, nobody does.
const PATIENCE_MS = 15_000;
// How often the event loop is tried: a wake-up each time.
const TRIAL_MS = 20;
// A question that comes so soon after another gets the same answer: they pile up while the event loop is blocked.
const TOO_SOON_MS = 10;
// Where there are more requests a second, about so many of them are timed. To time one takes as long as a fiftieth of the
// shortest answer.
const TIMED_PER_S = 1000;
// To hear of a request takes a hundredth of the shortest answer, and of a collection more than a young one itself. Where more come
// than so many, they are heard for a part of each period, and reckoned up.
const HEARD_REQUESTS_PER_S = 10_000;
const HEARD_COLLECTIONS_PER_S = 20;
const PERIOD_MS = 200;
const LEAST_SHARE = 0.05;
const MS_PER_S = 1000;
const NS_PER_MS = 1e6;
const US_PER_MS = 1e3;

const isBun = process.versions.bun !== undefined;
// A delay that Node tells has the time between two trials in it, one that Bun tells has not.
const WITHIN_MS = isBun ? 0 : TRIAL_MS;
// The histogram's longest duration: an hour.
const LONGEST_US = 3_600_000_000;

const REQUEST = /Req|ConnectWrap$|WriteWrap$|ShutdownWrap$/;

const started = channel('http.server.request.start');
const finished = channel('http.server.response.finish');

// Hears all of something that comes; where that is more than `enough` a second, only for a share of each period.
class Ear {
  constructor(enough, listen, leave) {
    Object.assign(this, { enough, listen, leave, share: 1, heard: 0, left: 0, timer: null });
    this.opened = performance.now();
    this.begin(this.opened);
  }

  begin(now = performance.now()) {
    this.since = now;
    this.listen();
    this.plan();
  }

  plan() {
    this.timer = this.share < 1 ? setTimeout(() => this.pause(), this.share * PERIOD_MS) : null;
    this.timer?.unref();
  }

  // For what is left of this period, and a part of the next one that chance chooses, lest it go in step with what comes.
  pause() {
    this.heard += performance.now() - this.since;
    this.since = null;
    this.leave();
    const rest = (1 - this.share) * PERIOD_MS;
    const before = Math.random() * rest;
    this.timer = setTimeout(() => this.begin(), this.left + before);
    this.timer.unref();
    this.left = rest - before;
  }

  // Of a window at whose end `count` were heard: how often as many came as were heard. Then a new one begins. One of which nothing was
  // heard goes into the next.
  turn(now, count) {
    if (this.since !== null) this.heard += now - this.since;
    if (this.heard === 0) return 0;
    const times = (now - this.opened) / this.heard;
    this.share = Math.max(Math.min(this.enough / MS_PER_S * this.heard / count, 1), LEAST_SHARE);
    Object.assign(this, { opened: now, heard: 0, since: this.since === null ? null : now });
    if (this.timer === null) this.plan();
    return times;
  }

  end() {
    clearTimeout(this.timer);
    if (this.since !== null) this.leave();
  }
}

// What the window that is open has seen; `null` while nobody asks.
let measured = null;
let last = null;
let timer = null;

// What was measured since the last question; at the first one only what needs no time. `owed` counts the answers that are owed
// to clients that are still there.
function report(owed = () => 0) {
  const now = performance.now();
  if (measured !== null && now - measured.since < TOO_SOON_MS) return last;
  const answer = {
    window: null, loop: null, gc: null, http: null, heap: heap(), active: active(),
  };
  if (measured === null) begin(isBun ? 0 : owed());
  else {
    const window = now - measured.since;
    const http = isBun ? requestsOfBun(window) : requests(owed(), window, timesRequests(now));
    Object.assign(answer, { window, loop: loop(), gc: collections(now), http });
  }
  open(now);
  last = answer;
  return answer;
}

// `before` are being answered already.
function begin(before) {
  const delay = monitorEventLoopDelay({ resolution: TRIAL_MS });
  const latency = createHistogram({ highest: LONGEST_US, figures: 2 });
  // Up to now: all that have been asked; of these, what was answered and what was given up. How many until the next is timed, and
  // how many are not, on average.
  measured = { ears: null, delay, latency, timed: new Map(), loose: new Set(), asked: before, answered: 0, givenUp: 0, skip: 1, every: 1, pending: 0, put: null };
  delay.enable();
  if (isBun) {
    measured.isHearing = true;
    watchServers(require('http').Server.prototype);
  } else {
    measured.ears = { requests: new Ear(HEARD_REQUESTS_PER_S, hearRequests, leaveRequests), collections: earOfCollections() };
  }
  timer = setTimeout(end, PATIENCE_MS);
  timer.unref();
}

function earOfCollections() {
  const collector = new PerformanceObserver((list) => list.getEntries().forEach(collect));
  return new Ear(HEARD_COLLECTIONS_PER_S, () => collector.observe({ entryTypes: ['gc'] }), () => {
    collector.takeRecords().forEach(collect);
    collector.disconnect();
  });
}

function hearRequests() {
  measured.isHearing = true;
  started.subscribe(onStart);
  if (!measured.hearsEnds) finished.subscribe(onFinish);
  measured.hearsEnds = true;
}

// Those that are timed are followed to their end, else what takes long would never be seen; and those that a server owes that never
// listens.
function leaveRequests() {
  measured.isHearing = false;
  started.unsubscribe(onStart);
  leaveEnds();
}

function leaveEnds() {
  if (measured === null || measured.isHearing || !measured.hearsEnds) return;
  if (measured.timed.size + measured.loose.size > 0) return;
  finished.unsubscribe(onFinish);
  measured.hearsEnds = false;
}

// Puts all away.
function end() {
  if (measured === null) return;
  clearTimeout(timer);
  for (const responses of [measured.timed, measured.loose]) responses.clear();
  for (const ear of Object.values(measured.ears ?? {})) ear.end();
  leaveEnds();
  measured.delay.disable();
  measured.put?.();
  measured = null;
  last = null;
}

function open(now) {
  timer.refresh();
  measured.delay.reset();
  measured.latency.reset();
  Object.assign(measured, {
    since: now, utilization: isBun ? null : performance.eventLoopUtilization(), collections: { count: 0, ms: 0 },
    requests: 0, errors: 0, taken: 0, server: undefined, isLoose: false,
  });
}

function collect({ duration }) {
  if (measured === null) return;
  measured.collections.count += 1;
  measured.collections.ms += duration;
}

function onStart({ response, server }) {
  if (measured === null) return;
  // One server follows the other seldom.
  if (server !== measured.server) Object.assign(measured, { server, isLoose: !listsConnections(server) });
  if (measured.isLoose) measured.loose.add(response);
  measured.asked += 1;
  measured.skip -= 1;
  if (measured.skip > 0) return;
  // By chance, lest it be always the same one of requests that take turns.
  measured.skip = measured.every === 1 ? 1 : Math.ceil(Math.random() * 2 * measured.every);
  measured.timed.set(response, performance.now());
  measured.taken += 1;
  // More than there were in the window before.
  if (measured.taken % (2 * TIMED_PER_S) === 0) measured.every *= 2;
}

// One that never listens, since another gives it its connections, as sticky sessions do, has no list of them: what it owes is
// known from its requests alone.
function listsConnections(server) {
  const key = Object.getOwnPropertySymbols(server).find(({ description }) => description === 'http.server.connections');
  return server[key] !== undefined;
}

// Of one that had begun before we measured, how long it took is not known.
function onFinish({ response }) {
  if (measured === null) return;
  if (measured.isHearing) {
    measured.requests += 1;
    if (response.statusCode >= 500) measured.errors += 1;
  }
  if (measured.loose.size > 0) measured.loose.delete(response);
  if (measured.timed.size > 0) time(response);
  // Not from within the channel, which is just telling its listeners.
  if (!measured.isHearing && measured.timed.size + measured.loose.size === 0) setImmediate(leaveEnds);
}

function time(response) {
  const since = measured.timed.get(response);
  if (since === undefined) return;
  measured.timed.delete(response);
  const us = Math.round((performance.now() - since) * US_PER_MS);
  measured.latency.record(Math.min(Math.max(us, 1), LONGEST_US));
}

// Bun publishes no channels of requests: for as long as somebody asks, we stand before what all servers of `node:http` have in common.
function watchServers(prototype) {
  const own = Object.getOwnPropertyDescriptor(prototype, 'emit');
  const { emit } = prototype;
  const window = measured;
  function watched(event, ...rest) {
    if (event === 'request' && measured === window) follow(rest[1]);
    return Reflect.apply(emit, this, [event, ...rest]);
  }
  Object.defineProperty(prototype, 'emit', { value: watched, configurable: true, writable: true });
  measured.put = () => {
    // Somebody else may stand before us by now.
    if (prototype.emit !== watched) return;
    if (own) Object.defineProperty(prototype, 'emit', own);
    else delete prototype.emit;
  };
}

function follow(response) {
  const window = measured;
  onStart({ response });
  window.pending += 1;
  response.once('finish', () => {
    if (measured === window) onFinish({ response });
  });
  response.once('close', () => {
    window.pending -= 1;
  });
}

// Who has asked before we looked is not known, so neither is how many are being answered. Before the first request it is not even known
// whether the app has a server of this kind.
function requestsOfBun(window) {
  if (measured.asked === 0) return null;
  return { ...requests(measured.pending, window, 1), in_flight: null };
}

function loop() {
  const { delay } = measured;
  const ms = (ns) => Math.max(ns / NS_PER_MS - WITHIN_MS, 0);
  const utilization = isBun ? null : performance.eventLoopUtilization(measured.utilization).utilization;
  const seen = delay.max > 0 && Number.isFinite(delay.mean);
  return { utilization, delay: seen ? summary(delay, ms) : null };
}

function collections(now) {
  if (isBun) return null;
  const { count, ms } = measured.collections;
  const ear = measured.ears.collections;
  const most = now - ear.opened;
  const times = ear.turn(now, count);
  return { count: Math.round(count * times), ms: Math.min(ms * times, most) };
}

// A server that never listens is heard all the time: nothing else knows what it owes.
function timesRequests(now) {
  const { requests, loose, isLoose, ears } = measured;
  return ears.requests.turn(now, isLoose || loose.size > 0 ? 0 : requests);
}

// What was asked and is neither answered nor owed was given up: its client has gone, or was cut off. That is not known where not all was
// heard, but there were so many `times` as many.
function requests(listed, window, times) {
  const { latency, timed, loose } = measured;
  for (const responses of [timed, loose]) {
    for (const response of responses.keys()) if (isGivenUp(response)) responses.delete(response);
  }
  const owed = listed + loose.size;
  const aborted = times === 1 ? newlyGivenUp(owed) : null;
  if (aborted === null) Object.assign(measured, { asked: owed, answered: 0, givenUp: 0 });
  measured.every = Math.max(Math.round(measured.requests / window * MS_PER_S / TIMED_PER_S), 1);
  const seen = latency.max > 0 && Number.isFinite(latency.mean);
  const took = seen ? summary(latency, (us) => us / US_PER_MS) : null;
  const all = (heard) => Math.round(heard * times);
  return { requests: all(measured.requests), errors: all(measured.errors), aborted, in_flight: owed, latency: took };
}

function newlyGivenUp(owed) {
  measured.answered += measured.requests;
  const count = Math.max(measured.asked - measured.answered - measured.givenUp - owed, 0);
  measured.givenUp += count;
  return count;
}

function isGivenUp(response) {
  return (response.destroyed || response.req?.destroyed) && !response.writableFinished;
}

function summary(histogram, ms) {
  const of = (percent) => ms(histogram.percentile(percent));
  return { mean: ms(histogram.mean), p50: of(50), p95: of(95), p99: of(99), max: ms(histogram.max) };
}

function heap() {
  const { heapUsed, heapTotal, external } = process.memoryUsage();
  return { used: heapUsed, total: heapTotal, external };
}

function active() {
  if (isBun) return null;
  const all = process.getActiveResourcesInfo();
  const requests = all.filter((name) => REQUEST.test(name)).length;
  return { handles: all.length - requests, requests };
}

module.exports = { report, end };
