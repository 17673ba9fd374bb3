// Loaded by the agent beside it: a worker with a channel tells the runtime how it does, when asked, and of what it dies.
'use strict';

// What is older was for a process that had our number before us.
const ORDER_FRESH_MS = 10_000;
// An app that survives its exceptions may have many: of more than so many within a second we are silent.
const MOST_EXCEPTIONS = 5;
const LONGEST_STACK = 2000;

// What the agent knows and can do.
let shared = null;
let exceptions = { second: 0, told: 0 };
// By its number, what we were told to do last.
let heeded = null;

exports.share = (given) => {
  shared = given;
  return exports;
};
exports.answerQuestion = answerQuestion;
exports.tellOfException = tellOfException;
exports.tell = tell;

function answerQuestion() {
  try {
    const order = newOrder();
    if (order !== null) heed(order);
    else tell({ cmd: 'NODE_PMR', report: shared.load('meter').report(owed) });
  } catch {
    // The other script was tidied away, or there is no room in the channel: then there is no answer.
  }
}

// How many HTTP/1 answers are owed to clients that are still there.
function owed() {
  const connections = [...shared.open, ...shared.closing].flatMap(shared.load('drain').connectionsOf);
  return connections.filter(({ socket }) => socket._httpMessage && !socket.destroyed).length;
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
    shared.load('insight').heed(order, tell);
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
    if (process.connected) process._send(message, undefined, { swallowErrors: true }, shared.nothing);
  } else if (shared.channelInode !== null && shared.inodeAt(shared.channelFd) === shared.channelInode) {
    require('fs').writeSync(shared.channelFd, `${JSON.stringify(message)}\n`);
  }
}
