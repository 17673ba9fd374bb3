// Loaded into Node workers by pmr-runtime (NODE_OPTIONS --require). It changes how a process that has called `listen`
// stops, and nothing else. SIGTERM, SIGINT and SIGQUIT, where the app has no handler of its own for them, no longer cut
// off the requests being answered: the process takes no new connections, finishes its answers, and ends. And a server that
// is closed because of such a signal, by the app or by us, parts with its clients so that none loses a request. To a process
// that is no cluster worker it also offers a channel to the runtime, as to a child of `fork`. A worker with a channel tells
// the runtime how it does, when asked, and of what it dies. Bun loads it as well (BUN_OPTIONS --preload), for the channel and these
// reports alone: how Bun stops is left as it is.
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

// Buffers that lie deeper in a message stay what they are.
const DEEPEST = 64;

const SIGNALS = ['SIGTERM', 'SIGINT', 'SIGQUIT'];

// Where the channel is, and by what an app shows that it knows of such a thing.
const CHANNEL_FD = 3;
// Where an app of Bun says what others say by `process.send`.
const MESSAGES = 'pmr:message';
const OFFERED = ['send', 'connected', 'channel', 'disconnect'];

// By this the runtime asks for a report. The kernel ignores it for whoever does not handle it, so that it does no harm. It is
// not listened to before the app has had time to give its first answers.
const QUESTION = 'SIGURG';
const HEAR_AFTER_MS = 100;
// What is older was for a process that had our number before us.
const ORDER_FRESH_MS = 10_000;
// An app that survives its exceptions may have many: of more than so many within a second we are silent.
const MOST_EXCEPTIONS = 5;
const LONGEST_STACK = 2000;

// Servers that were told to listen; and those that were closed since and may still have connections.
const open = new Set();
const closing = new Set();
// Servers that part with their clients; the sessions of HTTP/2 ones.
const parting = new Set();
const sessions = new WeakMap();
// What had come over a connection when it was last looked at, and since when.
const seen = new WeakMap();
// How long we have looked, and when last.
let looked = { ms: 0, at: 0 };
// The signal that is being handed to the app; that has come at all; that we drain for.
let delivering = null;
let signalled = false;
let draining = null;
let timer = null;
let watching = false;
// Of a process that is no cluster worker, once it is open.
let channel = null;
// The file at the channel's descriptor: the app may have put another there.
let channelFile = null;
let exceptions = { second: 0, told: 0 };
// By its number, what we were told to do last.
let heeded = null;

const isBun = process.versions.bun !== undefined;
// Node marks what it forbids in worker threads, which get no signals. Asking `worker_threads` itself would load it, which
// takes longer than all the rest of this file.
const isMainThread = isBun ? Bun.isMainThread : process.chdir.disabled !== true;

if (isMainThread) {
  if (isBun) {
    leaveNoTrace();
  } else {
    watchSignals();
    trackServers(require('net').Server.prototype);
    if (process.connected) watchMessages();
  }
  takeChannel();
  takeQuestions();
}

// The variable is not for processes that the app starts; it names us, lest one that has it all the same takes it for its own.
function takeChannel() {
  const { PMR_CHANNEL: owner } = process.env;
  if (owner === undefined) return;
  delete process.env.PMR_CHANNEL;
  if (owner !== String(process.pid)) return;
  if (isBun) passMessagesOn();
  else if (process.connected) channel = process.channel;
  else offerChannel();
}

// In Bun the script has nothing to do in processes that the app starts.
function leaveNoTrace() {
  const given = process.env.BUN_OPTIONS?.replace(`--preload=${__filename}`, '').trim();
  if (given) process.env.BUN_OPTIONS = given;
  else delete process.env.BUN_OPTIONS;
}

// With Bun the app has no `process.send`, which would tell it that it is somebody's child. What it publishes here is passed on.
function passMessagesOn() {
  require('diagnostics_channel').channel(MESSAGES).subscribe((message) => {
    try {
      tell(message);
    } catch {
      // It cannot be put into JSON, or there is no room in the channel.
    }
  });
}

// To open it takes Node a third of a millisecond, so it is opened when the app first looks for it.
function offerChannel() {
  for (const name of OFFERED) {
    const get = () => {
      openChannel();
      return process[name];
    };
    const set = (value) => {
      openChannel();
      process[name] = value;
    };
    Object.defineProperty(process, name, { get, set, configurable: true, enumerable: true });
  }
  process.on('newListener', openForListener);
}

function openForListener(name) {
  if (name !== 'message' && name !== 'disconnect') return;
  openChannel();
  // Node counts listeners from the next one on: while there are any, the channel keeps the process.
  channel?.refCounted();
}

function openChannel() {
  if (channel !== null) return;
  for (const name of OFFERED) delete process[name];
  process.removeListener('newListener', openForListener);
  try {
    require('child_process')._forkChild(CHANNEL_FD, 'json');
    channel = process.channel;
  } catch {
    // The app has closed the descriptor, or taken it for itself: it has no channel then.
  }
}

// For our worker only, as above.
function takeQuestions() {
  const { PMR_REPORTS: owner } = process.env;
  if (owner === undefined) return;
  delete process.env.PMR_REPORTS;
  if (owner !== String(process.pid)) return;
  channelFile = fileAt(CHANNEL_FD);
  process.on('uncaughtExceptionMonitor', tellOfException);
  const listen = isBun ? () => process.on(QUESTION, answerQuestion) : () => hold(QUESTION);
  setTimeout(listen, HEAR_AFTER_MS).unref();
}

function answerQuestion() {
  try {
    const order = newOrder();
    if (order !== null) heed(order);
    else tell({ cmd: 'NODE_PMR', report: sibling('meter').report(owed) });
  } catch {
    // The other script was tidied away, or there is no room in the channel: then there is no answer.
  }
}

// How many HTTP/1 answers are owed to clients that are still there.
function owed() {
  const connections = [...open, ...closing].flatMap(connectionsOf);
  return connections.filter(({ socket }) => socket._httpMessage && !socket.destroyed).length;
}

function sibling(name) {
  return require(__filename.replace(/agent([^/]*)$/, `${name}$1`));
}

// What is wanted beside a report stands in a file next to this one, of whoever has put this one here.
function newOrder() {
  const { lstatSync, readFileSync } = require('fs');
  const [, owner] = /-(\d+)\.cjs$/.exec(__filename);
  const path = `${__dirname}/pmr-order-${owner}-${process.pid}.json`;
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (!found?.isFile() || found.uid !== Number(owner) || Date.now() - found.mtimeMs > ORDER_FRESH_MS) return null;
  const order = JSON.parse(readFileSync(path, 'utf8'));
  if (order.id === heeded) return null;
  heeded = order.id;
  return order;
}

function heed(order) {
  try {
    sibling('insight').heed(order, tell);
  } catch ({ message }) {
    tell({ cmd: 'NODE_PMR', insight: { id: order.id, state: 'failed', why: message } });
  }
}

// It only listens in: what Node makes of the exception stays Node's business, or the app's.
function tellOfException(error, origin) {
  const second = Math.floor(Date.now() / 1000);
  if (exceptions.second !== second) exceptions = { second, told: 0 };
  exceptions.told += 1;
  if (exceptions.told > MOST_EXCEPTIONS) return;
  try {
    const { name, message, stack } = Object(error);
    const text = (value) => (typeof value === 'string' ? value.slice(0, LONGEST_STACK) : undefined);
    const data = { name: text(name), message: text(message) ?? String(error).slice(0, LONGEST_STACK), stack: text(stack), origin };
    tell({ type: 'process:exception', data });
  } catch {
    // What was thrown may be anything, even what throws when it is looked at.
  }
}

// Over the channel as Node has opened it, or straight into one that the app has not looked for.
function tell(message) {
  if (typeof process._send === 'function') {
    if (process.connected) process._send(message, undefined, { swallowErrors: true }, nothing);
  } else if (channelFile !== null && fileAt(CHANNEL_FD) === channelFile) {
    require('fs').writeSync(CHANNEL_FD, `${JSON.stringify(message)}\n`);
  }
}

function fileAt(descriptor) {
  try {
    const { dev, ino } = require('fs').fstatSync(descriptor);
    return `${dev}:${ino}`;
  } catch {
    return null;
  }
}

// A cluster worker that is disconnecting of its own accord fails on being told to by its primary. And what socket.io's adapter
// sends from worker to worker may have buffers in it, of which JSON makes objects.
function watchMessages() {
  const { emit } = process;
  process.emit = function (event, ...rest) {
    if (event === 'internalMessage' && isFarewell(rest[0])) {
      const { worker } = require('cluster');
      if (worker && worker.exitedAfterDisconnect) return true;
    }
    if (event === 'message' && rest[0]?.source === '_sio_adapter') reviveBuffers(rest[0], DEEPEST);
    return Reflect.apply(emit, this, [event, ...rest]);
  };
}

function isFarewell(message) {
  return Boolean(message) && message.cmd === 'NODE_CLUSTER' && message.act === 'disconnect';
}

function reviveBuffers(value, depth) {
  for (const [key, inner] of Object.entries(value)) {
    if (typeof inner !== 'object' || inner === null || depth === 0) continue;
    if (inner.type === 'Buffer' && Array.isArray(inner.data)) value[key] = Buffer.from(inner.data);
    else reviveBuffers(inner, depth - 1);
  }
}

// The functions have the names and lengths of those that they stand for.
function trackServers(prototype) {
  const { listen, close } = prototype;
  prototype.listen = function (...args) {
    closing.delete(this);
    parting.delete(this);
    forgetDrained();
    open.add(this);
    // HTTP/2 servers alone have settings; only some versions of Node keep a list of their sessions.
    if (typeof this.updateSettings === 'function' && !sessions.has(this)) trackSessions(this);
    holdSignals();
    return Reflect.apply(listen, this, args);
  };
  prototype.close = function (callback) {
    if (open.delete(this)) closing.add(this);
    const result = Reflect.apply(close, this, arguments);
    if (signalled) part(this);
    return result;
  };
}

function trackSessions(server) {
  const alive = new Set();
  sessions.set(server, alive);
  server.on('session', (session) => {
    alive.add(session);
    session.once('close', () => alive.delete(session));
  });
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

// Node binds `process.emit` as it is when a signal gets its first listener, the app's or ours. So ours stands there for
// that moment only, and we hear of the signal before any listener.
function watchSignals() {
  let restore = null;
  process.prependListener('newListener', (name) => {
    if (name !== QUESTION && !SIGNALS.includes(name)) return;
    const own = Object.getOwnPropertyDescriptor(process, 'emit');
    const { emit } = process;
    process.emit = (event, ...rest) => (event === name ? arrived(name, rest) : Reflect.apply(emit, process, [event, ...rest]));
    restore = () => (own ? Object.defineProperty(process, 'emit', own) : delete process.emit);
  });
  process.on('newListener', () => {
    restore?.();
    restore = null;
  });
}

// A listener makes Node take the signal over from the kernel. Taken out of the table behind Node's back, it leaves the
// signal taken over, and libraries that count listeners see none of ours.
function hold(signal) {
  const table = process._events;
  if (table[signal] !== undefined) return;
  process.on(signal, nothing);
  if (table[signal] === nothing) {
    delete table[signal];
    process._eventsCount -= 1;
  }
}

function nothing() {}

function arrived(signal, rest) {
  if (signal === QUESTION) {
    answerQuestion();
    return process.emit(signal, ...rest);
  }
  const before = delivering;
  delivering = signal;
  if (!signalled) {
    expectFarewell();
    // An app that listens to messages ends all the same when its work is done.
    channel?.unref();
  }
  const hidden = isHidden(signal);
  if (hidden) process.on(signal, nothing);
  try {
    // The app's own handler decides when to close its servers.
    if (process.emit(signal, ...rest) && !hidden) return true;
    if (draining === null) drainOrDie(signal);
    return hidden;
  } finally {
    delivering = before;
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
  signalled = true;
  for (const server of [...open, ...closing]) {
    if (typeof server.closeIdleConnections === 'function') {
      const value = function closeIdleConnections() { part(this); };
      Object.defineProperty(server, 'closeIdleConnections', { value, configurable: true, writable: true });
    }
  }
  for (const server of closing) part(server);
}

// A process that serves nothing any more ends by the signal, as it would without us.
function drainOrDie(signal) {
  forgetDrained();
  draining = signal;
  if (open.size + closing.size === 0) return die();
  const { worker } = require('cluster');
  // Says that we leave of our own accord; else Node would end the process with its channel.
  if (worker) worker.exitedAfterDisconnect = true;
  for (const server of [...open]) server.close();
  // In the same turn, so that no order to disconnect can arrive in between: a second time is an error.
  if (worker && process.connected) process.disconnect();
  sweep();
}

// Removing the last listener gives the signal back to the kernel.
function die() {
  if (!process.listeners(draining).includes(nothing)) process.on(draining, nothing);
  process.removeListener(draining, nothing);
  process.kill(process.pid, draining);
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
  for (const session of sessions.get(server) ?? []) partFromSession(session);
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
  if (draining !== null) setTimeout(die, GRACE_MS).unref();
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
  for (const server of closing) {
    if (!isDrained(server)) continue;
    closing.delete(server);
    parting.delete(server);
  }
}

// A connection that was upgraded (a web socket) has no answer to wait for, and no end: an HTTP server has drained when
// no other is left.
function isDrained(server) {
  if (server.listening) return false;
  if (server._connections === 0) return true;
  const served = listKey(server) !== undefined || sessions.has(server);
  return served && connectionsOf(server).length === 0 && !sessions.get(server)?.size;
}
