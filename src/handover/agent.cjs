// Loaded into Node workers by pmr-runtime (NODE_OPTIONS --require). In every process it changes how one that has called `listen`
// stops: a stop signal for which the app has no handler of its own no longer cuts off the requests being answered (`drain.cjs`). To a
// worker of the runtime it also offers a channel, as to a child of `fork`, and where there are several it makes workers of Node's cluster
// of them. One with a channel tells the runtime how it does, when asked, and of what it dies (`reports.cjs`). Bun loads it as well
// (BUN_OPTIONS --preload), for the channel and these reports alone: how Bun stops is left as it is.
'use strict';

const SIGNALS = ['SIGTERM', 'SIGINT', 'SIGQUIT'];

// Where the channel is, and by what an app shows that it knows of such a thing.
const CHANNEL_FD = 3;
// Where an app of Bun says what others say by `process.send`.
const MESSAGES = 'pmr:message';
const OFFERED = ['send', 'connected', 'channel', 'disconnect'];

// Buffers that lie deeper in a message stay what they are.
const DEEPEST = 64;

// By this the runtime asks for a report. The kernel ignores it for whoever does not handle it, so that it does no harm. It is
// not listened to before the app has had time to give its first answers.
const QUESTION = 'SIGURG';
// The other scripts are loaded at that time, too, and not before: each line that Node reads holds up the app's start.
const LATER_MS = 100;

// What the scripts share.
const shared = {
  // Servers that were told to listen; and those that were closed since and may still have connections.
  open: new Set(),
  closing: new Set(),
  // The sessions of HTTP/2 servers.
  sessions: new WeakMap(),
  // The signal that is being handed to the app; that has come at all; that we drain for.
  delivering: null,
  signalled: false,
  draining: null,
  // Of a process that is no cluster worker of Node's own making, once it is open.
  channel: null,
  channelFd: CHANNEL_FD,
  // The inode of the socket at that descriptor: the app may have put another there.
  channelInode: null,
  nothing,
  die,
  inodeAt,
  isConnected,
  load,
};
const loaded = {};
let watching = false;
// Node's module, where we have made a cluster worker of the process; the worker's number; and how far it is that for the app, too:
// nobody has asked for it, it is being made, it is there.
let cluster = null;
let workerId;
let worker = null;
let membership = 'possible';
// Whether a server of it listens for which the runtime was not asked.
let hasListened = false;
// Its servers for which the runtime was not asked.
const unasked = new WeakSet();
// Whether the runtime sees what it binds.
let isSeen = true;
// Is to be said to such a worker once it has closed its servers.
let farewell = null;
// Whether the runtime asks us.
let isAsked = false;

// Node itself asks for the number of the channel's descriptor when the app first writes to a pipe.
const closedChannel = new Proxy({}, {
  get(target, name) {
    if (name === 'fd') return CHANNEL_FD;
    openChannel();
    const value = process.channel?.[name];
    return typeof value === 'function' ? value.bind(process.channel) : value;
  },
});

const isBun = process.versions.bun !== undefined;
// To be given it by `require` takes Node a third of a millisecond.
const Module = isBun ? undefined : module.constructor;
const loadAsIs = Module?._extensions['.js'];
// Node marks what it forbids in worker threads, which get no signals. Asking `worker_threads` itself would load it.
const isMainThread = isBun ? Bun.isMainThread : process.chdir.disabled !== true;

if (isMainThread) {
  takeQuestions();
  if (isBun) {
    leaveNoTrace();
  } else {
    trackServers(require('net').Server.prototype);
    if (process.connected) watchMessages();
  }
  takeChannel();
  if (!isBun) watchSignals();
  // From when the app's own code has run, however long it takes. A timer would take longer to begin than this, which keeps the process
  // for one turn of its loop. (One that does not keep it comes only after something else has woken the loop.)
  setImmediate(() => setTimeout(getReady, LATER_MS).unref());
}

function getReady() {
  if (!isBun) script('drain');
  const reports = isAsked && script('reports');
  if (!reports) return;
  if (isBun) process.on(QUESTION, reports.answerQuestion);
  else hold(QUESTION);
}

// `undefined` if somebody has tidied it away.
function script(name) {
  try {
    return load(name).share(shared);
  } catch {
    return undefined;
  }
}

// The other scripts lie beside this one. The app may compile what it loads (ts-node), but not them.
function load(name) {
  if (loaded[name] !== undefined) return loaded[name];
  const path = __filename.replace(/agent([^/]*)$/, `${name}$1`);
  if (isBun) return require(path);
  const found = new Module(path);
  found.filename = path;
  loadAsIs(found, path);
  loaded[name] = found.exports;
  return found.exports;
}

// The variables are not for processes that the app starts; each names us, lest who has it all the same takes it for its own.
function takeQuestions() {
  const { PMR_REPORTS: owner, PMR_CHANNEL_INODE: inode } = process.env;
  if (owner === undefined) return;
  delete process.env.PMR_REPORTS;
  delete process.env.PMR_CHANNEL_INODE;
  if (owner !== String(process.pid)) return;
  shared.channelInode = Number(inode);
  isAsked = true;
  process.on('uncaughtExceptionMonitor', (error, origin) => script('reports')?.tellOfException(error, origin));
}

// As above. Node itself may have opened it: then the agent only notes it.
function takeChannel() {
  const { PMR_CHANNEL: owner, PMR_WORKER: number } = process.env;
  if (owner === undefined) return;
  delete process.env.PMR_CHANNEL;
  delete process.env.PMR_WORKER;
  if (owner !== String(process.pid)) return;
  if (isBun) passMessagesOn();
  else if (process.connected) shared.channel = process.channel;
  else {
    if (number !== undefined) joinCluster(number);
    offerChannel();
  }
}

// Of several instances each is a worker of Node's cluster for whoever asks, which Node decides by a variable when that module
// is first loaded. What takes long is its channel, and to be handed a socket over it. A plain TCP server needs neither: it binds
// by itself, as without a cluster, and the runtime puts the socket that all share in the place of its own.
function joinCluster(number) {
  const { _createServerHandle: create } = require('net');
  process.env.NODE_UNIQUE_ID = number;
  const found = require('cluster');
  delete process.env.NODE_UNIQUE_ID;
  if (!found.isWorker || typeof found._setupWorker !== 'function' || typeof create !== 'function') return;
  cluster = found;
  workerId = Number(number);
  noteNewUsers();
  const { _getServer: ask } = cluster;
  cluster._getServer = function (server, options, done) {
    if (!isPlain(server, options)) {
      // It keeps the process from now on, as Node's own does.
      openAndKeep();
      return Reflect.apply(ask, this, arguments);
    }
    const { address, port, addressType, fd, flags } = options;
    const handle = create(address, port, addressType, fd, flags);
    const error = typeof handle === 'number' ? handle : bindError(handle, port);
    // The app may listen to errors after it has called `listen`.
    if (error !== 0) return process.nextTick(done, error, null);
    unasked.add(server);
    server.once('listening', noteListening);
    done(0, handle);
  };
  Object.defineProperty(cluster, 'worker', {
    get() {
      becomeWorker();
      return worker;
    },
    // Node's own assignment comes by here, too.
    set(value) {
      becomeWorker();
      worker = value;
    },
    configurable: true,
    enumerable: true,
  });
}

// Not before somebody looks for the worker, or its channel is opened. By then the app may have frozen whatever is its own.
function becomeWorker() {
  if (cluster === null || membership !== 'possible') return;
  // What Node does here is not the app looking for the channel.
  membership = 'begun';
  cluster._setupWorker();
  membership = 'whole';
  // Node takes it from a variable that is not there any more.
  worker.id = workerId;
  closeBeforeDisconnect(cluster.Worker.prototype);
  worker.on('newListener', openForListener);
  if (hasListened) noteListening();
}

function noteListening() {
  hasListened = true;
  if (membership === 'whole') worker.state = 'listening';
}

// TLS servers get the keys of their sessions with the answer, and a port that the kernel chooses is the same for all.
function isPlain(server, { port, addressType, fd }) {
  const isTcp = addressType === 4 || addressType === 6;
  return isSeen && isTcp && port > 0 && !(fd >= 0) && typeof server._getServerData !== 'function';
}

// libuv keeps some errors of `bind` for whoever asks next.
function bindError(handle, port) {
  const bound = {};
  const error = handle.getsockname(bound);
  if (error === 0 && bound.port === port) return 0;
  handle.close();
  return error || -require('os').constants.errno.EADDRINUSE;
}

// The kernel does not let everybody look at a process that has ever changed its user, even if it has changed back.
function noteNewUsers() {
  for (const name of ['setuid', 'setgid', 'seteuid', 'setegid']) {
    const change = process[name];
    const noting = { [name](id) {
      isSeen = false;
      return Reflect.apply(change, this, arguments);
    } };
    process[name] = noting[name];
  }
}

// Node closes the servers for which it has asked over the channel.
function closeBeforeDisconnect(prototype) {
  const { disconnect } = prototype;
  let leaving = false;
  prototype.disconnect = function () {
    if (leaving) return this;
    leaving = true;
    this.exitedAfterDisconnect = true;
    const servers = [...shared.open].filter((server) => server.listening && unasked.has(server));
    let left = servers.length;
    const closed = () => {
      left -= 1;
      if (left <= 0) Reflect.apply(disconnect, this, []);
    };
    if (left === 0) closed();
    else for (const server of servers) server.close(closed);
    return this;
  };
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
      script('reports')?.tell(message);
    } catch {
      // It cannot be put into JSON, or there is no room in the channel.
    }
  });
}

// To open it takes Node a third of a millisecond, so it is opened when the app first looks for it.
function offerChannel() {
  for (const name of OFFERED) {
    const get = () => {
      if (membership === 'begun') return undefined;
      if (name === 'channel') return closedChannel;
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
  if (membership !== 'begun' && (name === 'message' || name === 'disconnect')) openAndKeep();
}

function openAndKeep() {
  openChannel();
  // Node counts listeners from the next one on: while there are any, the channel keeps the process.
  shared.channel?.refCounted();
}

function openChannel() {
  if (shared.channel !== null) return;
  becomeWorker();
  for (const name of OFFERED) delete process[name];
  process.removeListener('newListener', openForListener);
  try {
    require('child_process')._forkChild(CHANNEL_FD, 'json');
    shared.channel = process.channel;
    if (cluster !== null) watchMessages();
  } catch {
    // The app has closed the descriptor, or taken it for itself: it has no channel then.
  }
}

// Whether there is a channel, and not merely the offer of one.
function isConnected() {
  return typeof process._send === 'function' && process.connected;
}

function inodeAt(descriptor) {
  try {
    const found = require('fs').fstatSync(descriptor);
    return found.isSocket() ? found.ino : null;
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
      if (require('cluster').worker?.exitedAfterDisconnect) return true;
      // The runtime does not know of servers for which we have not asked it.
      if (cluster !== null && listens()) {
        farewell = () => process.emit(event, ...rest);
        return true;
      }
    }
    if (event === 'message' && rest[0]?.source === '_sio_adapter') reviveBuffers(rest[0], DEEPEST);
    return Reflect.apply(emit, this, [event, ...rest]);
  };
}

function listens() {
  return [...shared.open].some(({ listening }) => listening);
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
    shared.closing.delete(this);
    loaded.drain?.reopened(this);
    shared.open.add(this);
    // HTTP/2 servers alone have settings; only some versions of Node keep a list of their sessions.
    if (typeof this.updateSettings === 'function' && !shared.sessions.has(this)) trackSessions(this);
    holdSignals();
    return Reflect.apply(listen, this, args);
  };
  prototype.close = function (callback) {
    if (shared.open.delete(this)) shared.closing.add(this);
    const result = Reflect.apply(close, this, arguments);
    if (farewell !== null && !listens()) process.nextTick(farewell);
    if (shared.signalled) script('drain')?.part(this);
    return result;
  };
}

function trackSessions(server) {
  const alive = new Set();
  shared.sessions.set(server, alive);
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
  if (SIGNALS.includes(signal) && signal !== shared.delivering && shared.draining === null) hold(signal);
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

// Before any listener of the app hears of it.
function arrived(signal, rest) {
  if (signal === QUESTION) {
    script('reports')?.answerQuestion();
  } else {
    const drain = script('drain');
    if (drain) return drain.arrived(signal, rest);
  }
  return process.emit(signal, ...rest) || signal === QUESTION || die(signal);
}

// Removing the last listener gives the signal back to the kernel.
function die(signal) {
  shared.draining = signal;
  if (!process.listeners(signal).includes(nothing)) process.on(signal, nothing);
  process.removeListener(signal, nothing);
  return process.kill(process.pid, signal);
}
