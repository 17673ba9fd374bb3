// Measures a Node worker while somebody asks for it. Our script beside this one loads it at the first question: until then
// none of it costs anything. Each question opens a new window; when none has come for a while, all is put away again.
'use strict';

const { PerformanceObserver, createHistogram, monitorEventLoopDelay, performance } = require('perf_hooks');
const { channel } = require('diagnostics_channel');

// Who asks does so about once a second. After so long without a question, nobody does.
const PATIENCE_MS = 15_000;
// How often the event loop is tried: a wake-up each time.
const TRIAL_MS = 20;
// A question that comes so soon after another gets the same answer: they pile up while the event loop is blocked.
const TOO_SOON_MS = 10;
const NS_PER_MS = 1e6;
const US_PER_MS = 1e3;
// The histogram's longest duration: an hour.
const LONGEST_US = 3_600_000_000;

const REQUEST = /Req|ConnectWrap$|WriteWrap$|ShutdownWrap$/;

const started = channel('http.server.request.start');
const finished = channel('http.server.response.finish');

// What the window that is open has seen; `null` while nobody asks.
let measured = null;
let last = null;
let timer = null;

// What was measured since the last question; at the first one only what needs no time.
function report() {
  const now = performance.now();
  if (measured !== null && now - measured.since < TOO_SOON_MS) return last;
  const answer = {
    window: null, loop: null, gc: null, http: null, heap: heap(), active: active(),
  };
  if (measured === null) begin();
  else Object.assign(answer, { window: now - measured.since, loop: loop(), gc: collections(), http: requests() });
  open(now);
  last = answer;
  return answer;
}

function begin() {
  const collector = new PerformanceObserver((list) => list.getEntries().forEach(collect));
  const delay = monitorEventLoopDelay({ resolution: TRIAL_MS });
  measured = { collector, delay, latency: createHistogram({ highest: LONGEST_US, figures: 2 }), open: new Map() };
  collector.observe({ entryTypes: ['gc'] });
  delay.enable();
  started.subscribe(onStart);
  finished.subscribe(onFinish);
  timer = setTimeout(end, PATIENCE_MS);
  timer.unref();
}

function end() {
  measured.collector.disconnect();
  measured.delay.disable();
  started.unsubscribe(onStart);
  finished.unsubscribe(onFinish);
  measured = null;
  last = null;
}

function open(now) {
  timer.refresh();
  measured.delay.reset();
  measured.latency.reset();
  Object.assign(measured, {
    since: now, utilization: performance.eventLoopUtilization(), collections: { count: 0, ms: 0 },
    requests: 0, errors: 0, aborted: 0,
  });
}

function collect({ duration }) {
  if (measured === null) return;
  measured.collections.count += 1;
  measured.collections.ms += duration;
}

function onStart({ response }) {
  measured?.open.set(response, performance.now());
}

// One that had begun before we measured is counted, but how long it took is not known.
function onFinish({ response }) {
  if (measured === null) return;
  measured.requests += 1;
  if (response.statusCode >= 500) measured.errors += 1;
  const since = measured.open.get(response);
  if (since === undefined) return;
  measured.open.delete(response);
  const us = Math.round((performance.now() - since) * US_PER_MS);
  measured.latency.record(Math.min(Math.max(us, 1), LONGEST_US));
}

// The delays have the time between two trials in them.
function loop() {
  const { delay } = measured;
  const ms = (ns) => Math.max(ns / NS_PER_MS - TRIAL_MS, 0);
  const { utilization } = performance.eventLoopUtilization(measured.utilization);
  const seen = delay.max > 0 && Number.isFinite(delay.mean);
  return { utilization, delay: seen ? summary(delay, ms) : null };
}

function collections() {
  return measured.collections;
}

// Whose client has gone, or who was cut off, does not finish.
function requests() {
  for (const response of measured.open.keys()) {
    if (!response.destroyed && !response.req?.destroyed) continue;
    if (response.writableFinished) continue;
    measured.open.delete(response);
    measured.aborted += 1;
  }
  const { latency, errors, aborted } = measured;
  const seen = latency.max > 0 && Number.isFinite(latency.mean);
  const took = seen ? summary(latency, (us) => us / US_PER_MS) : null;
  return { requests: measured.requests, errors, aborted, in_flight: measured.open.size, latency: took };
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
  const all = process.getActiveResourcesInfo();
  const requests = all.filter((name) => REQUEST.test(name)).length;
  return { handles: all.length - requests, requests };
}

module.exports = { report };
