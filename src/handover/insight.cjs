// Looks into a Node worker when somebody has asked for it: a heap snapshot, a profile, a diagnostic report. Our script beside
// this one loads it then. What is found is written into a file that the runtime has made, by this thread: a snapshot stops
// the world anyway, and held back it would take its size of memory.
'use strict';

const { closeSync, openSync, writeFileSync } = require('fs');

const MS_PER_S = 1000;

let underWay = false;

// `tell` sends a message to the runtime.
function heed({ id, what, seconds, file }, tell) {
  const say = (state, why) => tell({ cmd: 'NODE_PMR', insight: { id, state, why } });
  let descriptor = null;
  const end = (error) => {
    underWay = false;
    closeSync(descriptor);
    if (error) say('failed', reason(error));
    else say('done');
  };
  if (underWay) return say('failed', 'it is being looked into already');
  try {
    descriptor = openSync(file, 'r+');
  } catch (error) {
    return say('failed', reason(error));
  }
  underWay = true;
  say('begun');
  try {
    looks[what](descriptor, seconds, end);
  } catch (error) {
    end(error);
  }
}

function reason(error) {
  if (error?.code === 'ENOSPC') return 'there is no space left for the file';
  return String(error?.message ?? error);
}

const looks = {
  snapshot(descriptor, seconds, end) {
    // By its name it can be opened once more, though that may be gone.
    require('v8').writeHeapSnapshot(`/proc/self/fd/${descriptor}`);
    end();
  },
  cpu(descriptor, seconds, end) {
    profile(['Profiler.enable', 'Profiler.start'], 'Profiler.stop', descriptor, seconds, end);
  },
  heap(descriptor, seconds, end) {
    profile(['HeapProfiler.enable', 'HeapProfiler.startSampling'], 'HeapProfiler.stopSampling', descriptor, seconds, end);
  },
  report(descriptor, seconds, end) {
    writeFileSync(descriptor, JSON.stringify(diagnosis(), null, 2));
    end();
  },
};

// It does not keep the process.
function profile(first, last, descriptor, seconds, end) {
  const { Session } = require('inspector');
  const session = new Session();
  session.connect();
  const post = (method, next) => {
    session.post(method, (error, result) => {
      try {
        if (error) throw error;
        next(result);
      } catch (problem) {
        session.disconnect();
        end(problem);
      }
    });
  };
  const stop = () => post(last, (result) => {
    writeFileSync(descriptor, JSON.stringify(result.profile));
    session.disconnect();
    end();
  });
  post(first[0], () => post(first[1], () => setTimeout(stop, seconds * MS_PER_S).unref()));
}

// Without names of other machines, which would be looked up while all stands still, and without the environment, which has
// secrets in it.
function diagnosis() {
  const { report } = process;
  const before = report.excludeNetwork;
  if (before !== undefined) report.excludeNetwork = true;
  try {
    const found = report.getReport();
    delete found.environmentVariables;
    return found;
  } finally {
    if (before !== undefined) report.excludeNetwork = before;
  }
}

module.exports = { heed };
