// Loaded into Node workers by pmr-runtime (NODE_OPTIONS --require). It changes one thing: SIGTERM, SIGINT and SIGQUIT,
// where the app has no handler of its own for them, no longer cut off the requests being answered. The worker takes
// no new connections, finishes its answers, and exits. An app with handlers of its own is left to them.
'use strict';

// How often idle keep-alive connections are closed while the worker drains. Node closes those that idle when
// `close` is called, but not those that become idle later; Node 18 closes none.
const SWEEP_MS = 20;

const SIGNALS = ['SIGTERM', 'SIGINT', 'SIGQUIT'];

// Node marks what it forbids in worker threads, which get no signals. Asking `worker_threads` itself would load it, which
// takes longer than all the rest of this file.
if (process.chdir.disabled !== true) install();

function install() {
  const servers = new Set();
  trackServers(servers);

  const emit = process.emit;
  process.emit = function (event, ...rest) {
    if (event === 'internalMessage' && isSecondFarewell(rest[0])) return true;
    const handled = Reflect.apply(emit, this, [event, ...rest]);
    if (SIGNALS.includes(event)) {
      if (!handled) drainOrDie(event, servers);
      else sweepWhenClosed(servers);
    }
    return handled;
  };
  // Only now: Node binds `process.emit` as it is when a signal gets its first listener.
  for (const signal of SIGNALS) hold(signal);
}

// A worker that is disconnecting of its own accord fails on being told to by the protocol.
function isSecondFarewell(message) {
  if (!message || message.cmd !== 'NODE_CLUSTER' || message.act !== 'disconnect') return false;
  const { worker } = require('cluster');
  return Boolean(worker && worker.exitedAfterDisconnect);
}

// Remembers every server that listens, so that it can be closed.
function trackServers(servers) {
  const { Server } = require('net');
  const listen = Server.prototype.listen;
  Server.prototype.listen = function (...args) {
    servers.add(this);
    this.once('close', () => servers.delete(this));
    return Reflect.apply(listen, this, args);
  };
}

// A listener makes Node take the signal over from the kernel. Taken out of the table behind Node's back, it leaves
// the signal taken over, and libraries that count listeners see none of ours.
function hold(signal) {
  const nothing = () => {};
  process.on(signal, nothing);
  const table = process._events;
  if (table[signal] === nothing) {
    delete table[signal];
    process._eventsCount -= 1;
  }
}

// A process that serves nothing ends by the signal, as it would without us.
function drainOrDie(signal, servers) {
  if (servers.size === 0) {
    // Removing the last listener gives the signal back to the kernel.
    const nothing = () => {};
    process.on(signal, nothing);
    process.removeListener(signal, nothing);
    process.kill(process.pid, signal);
    return;
  }
  sweep(servers);
  const { worker } = require('cluster');
  // Says that we leave of our own accord; else Node would end the process with its channel.
  if (worker) worker.exitedAfterDisconnect = true;
  for (const server of servers) server.close();
  // In the same turn, so that no order to disconnect can arrive in between: a second time is an error.
  if (process.connected) process.disconnect();
}

// The app's own handler decides when to close its servers; from then on their idle connections need not stay.
function sweepWhenClosed(servers) {
  sweep(servers, (server) => !server.listening);
}

function sweep(servers, wanted = () => true) {
  const all = [...servers];
  const timer = setInterval(() => {
    for (const server of all) {
      if (wanted(server) && typeof server.closeIdleConnections === 'function') server.closeIdleConnections();
    }
  }, SWEEP_MS);
  timer.unref();
}
