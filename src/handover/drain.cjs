// Loaded by the agent beside it, to lead a process through its stop: after a signal for which the app has no handler it takes no new
// connections, finishes its answers, and ends; and a server that is closed because of a signal parts with its clients so that none
// loses a request.
'use strict';

// A connection that a stop finds open, or that has had its answer since, is closed once nothing has come over it for so
// long: a request that was on its way to us is answered, and the answer says that it is the last.
const QUIET_MS = 200;
const SWEEP_MS = 20;
// Between two looks no more than this counts as quiet: while we did not run, our clients may not have run either.
const LONGEST_SWEEP_MS = 2 * SWEEP_MS;
// What the app does after its last answer may take so long; then what keeps it (a pool, a timer) keeps it no more.
const GRACE_MS = 500;
// The highest number of a stream: GOAWAY with it takes no request back that the client has sent.
const ANY_STREAM = 2 ** 31 - 1;

// What the agent knows and can do.
let shared = null;
// Servers that part with their clients.
const parting = new Set();
// What had come over a connection when it was last looked at, and since when.
const seen = new WeakMap();
// How long we have looked, and when last.
let looked = { ms: 0, at: 0 };
let timer = null;

exports.share = (given) => {
  shared = given;
  return exports;
};
exports.arrived = arrived;
exports.part = part;
exports.reopened = (server) => {
  parting.delete(server);
  forgetDrained();
};
exports.connectionsOf = connectionsOf;

// The signal is the app's own business first; then, where it has no handler, ours.
function arrived(signal, rest) {
  const before = shared.delivering;
  shared.delivering = signal;
  if (!shared.signalled) {
    expectFarewell();
    // An app that listens to messages ends all the same when its work is done.
    shared.channel?.unref();
  }
  const hidden = isHidden(signal);
  if (hidden) process.on(signal, shared.nothing);
  try {
    // The app's own handler decides when to close its servers.
    if (process.emit(signal, ...rest) && !hidden) return true;
    if (shared.draining === null) drainOrDie(signal);
    return hidden;
  } finally {
    shared.delivering = before;
  }
}

// tsx has a handler that it hides from whoever counts, and ends the process in it where it counts no other. So the app has
// none; and while we drain for it, that one must count ours.
function isHidden(signal) {
  return process._events[signal] !== undefined && process.listenerCount(signal) === 0;
}

// From now on a server that is closed parts with its clients in peace. Node's own `close` would cut off idle connections,
// those too over which a request is just coming in.
function expectFarewell() {
  shared.signalled = true;
  for (const server of [...shared.open, ...shared.closing]) {
    if (typeof server.closeIdleConnections === 'function') {
      const value = function closeIdleConnections() { part(this); };
      Object.defineProperty(server, 'closeIdleConnections', { value, configurable: true, writable: true });
    }
  }
  for (const server of shared.closing) part(server);
}

// A process that serves nothing any more ends by the signal, as it would without us.
function drainOrDie(signal) {
  forgetDrained();
  shared.draining = signal;
  if (shared.open.size + shared.closing.size === 0) return shared.die(signal);
  const { worker } = require('cluster');
  // Says that we leave of our own accord; else Node would end the process with its channel.
  if (worker) worker.exitedAfterDisconnect = true;
  for (const server of [...shared.open]) server.close();
  // In the same turn, so that no order to disconnect can arrive in between: a second time is an error.
  if (worker && shared.isConnected()) process.disconnect();
  sweep();
}

function part(server) {
  if (parting.has(server)) return;
  parting.add(server);
  for (const event of ['request', 'checkContinue', 'checkExpectation']) {
    if (server.listenerCount(event) > 0) server.prependListener(event, makeLast);
  }
  for (const { socket } of connectionsOf(server)) {
    if (socket?._httpMessage) makeLast(null, socket._httpMessage);
  }
  for (const session of shared.sessions.get(server) ?? []) partFromSession(session);
  sweep();
}

// Node answers with `Connection: close`, unless the answer has begun. HTTP/2 knows no such thing.
function makeLast(request, response) {
  if (!response.headersSent && response.shouldKeepAlive) response.shouldKeepAlive = false;
}

function partFromSession(session) {
  if (session.closed || session.destroyed) return;
  session.goaway(0, ANY_STREAM);
  setTimeout(() => session.close(), QUIET_MS).unref();
}

// What has arrived is read between the timer and the look.
function sweep() {
  if (timer !== null) return;
  looked.at = performance.now();
  look();
  timer = setInterval(() => setImmediate(look), SWEEP_MS);
  timer.unref();
}

function look() {
  const now = performance.now();
  looked = { ms: looked.ms + Math.min(now - looked.at, LONGEST_SWEEP_MS), at: now };
  for (const server of parting) closeQuiet(server);
  forgetDrained();
  if (parting.size > 0 || timer === null) return;
  clearInterval(timer);
  timer = null;
  if (shared.draining !== null) setTimeout(shared.die, GRACE_MS, shared.draining).unref();
}

function closeQuiet(server) {
  const idle = new Set(server[listKey(server)]?.idle());
  for (const connection of connectionsOf(server)) {
    const { socket } = connection;
    // Node does not count one as idle that has never asked.
    const asks = socket._httpMessage || socket.writableLength > 0 || !(idle.has(connection) || socket.bytesRead === 0);
    const before = seen.get(socket);
    if (asks || before?.bytesRead !== socket.bytesRead) {
      seen.set(socket, { bytesRead: socket.bytesRead, since: looked.ms });
    } else if (looked.ms - before.since >= QUIET_MS) {
      socket.destroySoon();
    }
  }
}

// The HTTP/1 connections that a server holds, upgraded ones excepted.
function connectionsOf(server) {
  const list = server[listKey(server)];
  return typeof list?.all === 'function' ? list.all().filter(({ socket }) => socket) : [];
}

function listKey(server) {
  return Object.getOwnPropertySymbols(server).find(({ description }) => description === 'http.server.connections');
}

function forgetDrained() {
  for (const server of shared.closing) {
    if (!isDrained(server)) continue;
    shared.closing.delete(server);
    parting.delete(server);
  }
}

// A connection that was upgraded (a web socket) has no answer to wait for, and no end: an HTTP server has drained when
// no other is left.
function isDrained(server) {
  if (server.listening) return false;
  if (server._connections === 0) return true;
  const served = listKey(server) !== undefined || shared.sessions.has(server);
  return served && connectionsOf(server).length === 0 && !shared.sessions.get(server)?.size;
}
