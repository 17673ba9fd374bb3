// Loaded into Node workers by pmr-runtime (NODE_OPTIONS --require). It changes one thing, and only in a process that
// has called `listen`: SIGTERM, SIGINT and SIGQUIT, where the app has no handler of its own for them, no longer cut off
// the requests being answered. The process takes no new connections, finishes its answers, and ends. An app with
// handlers of its own is left to them.
'use strict';

// How often idle keep-alive connections are closed while a server drains. Node closes those that idle when `close` is
// called, but not those that become idle later; Node 18 closes none.
const SWEEP_MS = 20;
// What the app does after its last answer may take so long; then what keeps it (a pool, a timer) keeps it no more.
const GRACE_MS = 500;

const SIGNALS = ['SIGTERM', 'SIGINT', 'SIGQUIT'];

// Servers that were told to listen; and those that were closed since and may still have connections.
const open = new Set();
const closing = new Set();
// The signal that is being handed to the app; that has come at all; that we drain for.
let delivering = null;
let signalled = false;
let draining = null;
let timer = null;
let watching = false;

// Node marks what it forbids in worker threads, which get no signals. Asking `worker_threads` itself would load it, which
// takes longer than all the rest of this file.
const isMainThread = process.chdir.disabled !== true;

if (isMainThread) {
  trackServers(require('net').Server.prototype);
  if (process.connected) passOverSecondFarewell();
}

// A cluster worker that is disconnecting of its own accord fails on being told to by its primary.
function passOverSecondFarewell() {
  const { emit } = process;
  process.emit = function (event, ...rest) {
    if (event === 'internalMessage' && isFarewell(rest[0])) {
      const { worker } = require('cluster');
      if (worker && worker.exitedAfterDisconnect) return true;
    }
    return Reflect.apply(emit, this, [event, ...rest]);
  };
}

function isFarewell(message) {
  return Boolean(message) && message.cmd === 'NODE_CLUSTER' && message.act === 'disconnect';
}

// The functions have the names and lengths of those that they stand for.
function trackServers(prototype) {
  const { listen, close } = prototype;
  prototype.listen = function (...args) {
    closing.delete(this);
    forgetDrained();
    open.add(this);
    holdSignals();
    return Reflect.apply(listen, this, args);
  };
  prototype.close = function (callback) {
    if (open.delete(this)) closing.add(this);
    const result = Reflect.apply(close, this, arguments);
    if (signalled) sweep();
    return result;
  };
}

// Not before a server listens: a program that serves nothing, such as a job that its parent ends by a signal, must end
// at once, even in the middle of a loop.
function holdSignals() {
  if (!watching) process.on('removeListener', holdAgain);
  watching = true;
  for (const signal of SIGNALS) hold(signal);
}

// Node gives a signal back to the kernel with its last listener. That is right for one that the app had `once`.
function holdAgain(signal) {
  if (SIGNALS.includes(signal) && signal !== delivering && draining === null) hold(signal);
}

// A listener makes Node take the signal over from the kernel. Taken out of the table behind Node's back, it leaves the
// signal taken over, and libraries that count listeners see none of ours. Node binds `process.emit` as it is when a
// signal gets its first listener, so ours stands there for that moment only.
function hold(signal) {
  if (process.listenerCount(signal) > 0) return;
  const nothing = () => {};
  const own = Object.getOwnPropertyDescriptor(process, 'emit');
  const { emit } = process;
  process.emit = (event, ...rest) => (event === signal ? arrived(signal, rest) : Reflect.apply(emit, process, [event, ...rest]));
  process.on(signal, nothing);
  if (own) Object.defineProperty(process, 'emit', own);
  else delete process.emit;
  const table = process._events;
  if (table[signal] === nothing) {
    delete table[signal];
    process._eventsCount -= 1;
  }
}

function arrived(signal, rest) {
  const before = delivering;
  delivering = signal;
  try {
    if (process.emit(signal, ...rest)) {
      // The app's own handler decides when to close its servers; from then on their idle connections need not stay.
      signalled = true;
      if (closing.size > 0) sweep();
      return true;
    }
    if (draining === null) drainOrDie(signal);
    return false;
  } finally {
    delivering = before;
  }
}

// A process that serves nothing any more ends by the signal, as it would without us.
function drainOrDie(signal) {
  forgetDrained();
  draining = signal;
  signalled = true;
  if (open.size + closing.size === 0) return die();
  const { worker } = require('cluster');
  // Says that we leave of our own accord; else Node would end the process with its channel.
  if (worker) worker.exitedAfterDisconnect = true;
  for (const server of [...open]) server.close();
  // In the same turn, so that no order to disconnect can arrive in between: a second time is an error.
  if (process.connected) process.disconnect();
  sweep();
}

// Removing the last listener gives the signal back to the kernel.
function die() {
  const nothing = () => {};
  process.on(draining, nothing);
  process.removeListener(draining, nothing);
  process.kill(process.pid, draining);
}

function sweep() {
  if (timer !== null) return;
  timer = setInterval(() => {
    for (const server of closing) {
      if (typeof server.closeIdleConnections === 'function') server.closeIdleConnections();
    }
    forgetDrained();
    if (closing.size > 0) return;
    clearInterval(timer);
    timer = null;
    if (draining !== null) setTimeout(die, GRACE_MS).unref();
  }, SWEEP_MS);
  timer.unref();
}

function forgetDrained() {
  for (const server of closing) {
    if (isDrained(server)) closing.delete(server);
  }
}

// A connection that was upgraded (a web socket) has no answer to wait for, and no end: an HTTP server has drained when
// no other is left.
function isDrained(server) {
  if (server.listening) return false;
  if (server._connections === 0) return true;
  const symbol = Object.getOwnPropertySymbols(server).find(({ description }) => description === 'http.server.connections');
  const list = symbol === undefined ? undefined : server[symbol];
  return typeof list?.all === 'function' && list.all().length === 0;
}
