// Runs a program in our place, as far as a parent can: it gets our signals, and we end as it does.
'use strict';

const { spawn } = require('node:child_process');
const os = require('node:os');
const { isatty } = require('node:tty');

const NOT_EXECUTABLE = 126;
const NOT_FOUND = 127;
const SIGNAL_BASE = 128;

function run(program, words) {
  const child = start(program, words);
  // A terminal sends these to the program as well, which would take the second for impatience.
  const ofTerminal = [0, 1, 2].some((descriptor) => isatty(descriptor));
  for (const signal of ['SIGINT', 'SIGQUIT', 'SIGHUP']) process.on(signal, () => ofTerminal || child.kill(signal));
  process.on('SIGTERM', () => child.kill('SIGTERM'));
  child.on('error', (error) => {
    process.stderr.write(`error: cannot run \`${program}\`: ${error.message}\n`);
    process.exitCode = error.code === 'ENOENT' ? NOT_FOUND : NOT_EXECUTABLE;
  });
  child.on('exit', (code, signal) => {
    process.exitCode = code ?? SIGNAL_BASE + os.constants.signals[signal];
  });
}

function start(program, words) {
  if (process.platform !== 'win32') return spawn(program, words, { stdio: 'inherit' });
  // Most of npm's programs are scripts there, which only a shell can start.
  return spawn([program, ...words].map((word) => `"${word}"`).join(' '), { stdio: 'inherit', shell: true });
}

module.exports = { run };
