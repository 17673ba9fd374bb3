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
// Up to so many requests a second each one is looked at. To look at one takes as long as a fortieth of the shortest answer, so where
// there are more, about so many are: those of a short while out of every period.
const SEEN_PER_S = 1000;
const PERIOD_MS = 50;
const SHORTEST_WHILE_MS = 1;
const MS_PER_S = 1000;
const NS_PER_MS = 1e6;
const US_PER_MS = 1e3;
// The histogram's longest duration: an hour.
const LONGEST_US = 3_600_000_000;

const REQUEST = /Req|ConnectWrap$|WriteWrap$|ShutdownWrap$/;

const started = channel('http.server.request.start');

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
  if (measured === null) begin();
  else {
    const window = now - measured.since;
    Object.assign(answer, { window, loop: loop(), gc: collections(), http: requests(owed(), now) });
  }
  open(now);
  last = answer;
  return answer;
}

function begin() {
  const collector = new PerformanceObserver((list) => list.getEntries().forEach(collect));
  const delay = monitorEventLoopDelay({ resolution: TRIAL_MS });
  const latency = createHistogram({ highest: LONGEST_US, figures: 2 });
  // Since when requests are looked at, if they are; and what takes turns in that.
  measured = { collector, delay, latency, share: 1, seeing: null, turns: null };
  collector.observe({ entryTypes: ['gc'] });
  delay.enable();
  timer = setTimeout(end, PATIENCE_MS);
  timer.unref();
}

function end() {
  measured.collector.disconnect();
  measured.delay.disable();
  look(false, performance.now());
  clearTimeout(measured.turns);
  measured = null;
  last = null;
}

function open(now) {
  timer.refresh();
  measured.delay.reset();
  measured.latency.reset();
  Object.assign(measured, {
    since: now, utilization: performance.eventLoopUtilization(), collections: { count: 0, ms: 0 },
    answered: 0, errors: 0, aborted: 0, seen: 0,
  });
  clearTimeout(measured.turns);
  look(true, now);
  if (measured.share < 1) takeTurns();
}

function collect({ duration }) {
  if (measured === null) return;
  measured.collections.count += 1;
  measured.collections.ms += duration;
}

// Begins or ends to look at requests, and notes for how long that was done.
function look(wanted, now) {
  if (measured.seeing !== null) {
    measured.seen += now - Math.max(measured.seeing, measured.since);
    started.unsubscribe(onStart);
    measured.seeing = null;
  }
  if (wanted) {
    started.subscribe(onStart);
    measured.seeing = now;
  }
}

function takeTurns() {
  const { share, seeing } = measured;
  const ms = seeing === null ? PERIOD_MS * (1 - share) : Math.max(PERIOD_MS * share, SHORTEST_WHILE_MS);
  measured.turns = setTimeout(() => {
    look(seeing === null, performance.now());
    takeTurns();
  }, ms);
  measured.turns.unref();
}

function onStart({ response }) {
  const since = performance.now();
  response.once('close', function () { onEnd(this, since); });
}

// Of an answer, or of a client that has gone.
function onEnd(response, since) {
  if (measured === null) return;
  if (!response.writableFinished) {
    measured.aborted += 1;
    return;
  }
  measured.answered += 1;
  if (response.statusCode >= 500) measured.errors += 1;
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

// Where a part of the requests was looked at, there were as many more as the time was longer.
function requests(owed, now) {
  look(false, now);
  const { latency, since, seen, answered, errors, aborted } = measured;
  const window = now - since;
  const whole = (number) => Math.round(number * window / Math.max(seen, SHORTEST_WHILE_MS));
  measured.share = Math.min(SEEN_PER_S / (whole(answered) / window * MS_PER_S), 1);
  const known = latency.max > 0 && Number.isFinite(latency.mean);
  const took = known ? summary(latency, (us) => us / US_PER_MS) : null;
  return { requests: whole(answered), errors: whole(errors), aborted: whole(aborted), in_flight: owed, latency: took };
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
