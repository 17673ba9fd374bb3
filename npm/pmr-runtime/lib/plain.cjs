// Runs the command as it stands, once, on what is not Linux: so that the line of a Procfile works on a laptop, too.
'use strict';

const { existsSync } = require('node:fs');
const path = require('node:path');
const { run } = require('./child.cjs');
// Written by a test of the runtime (src/cli/npm.rs), which knows its options.
const grammar = require('./grammar.json');

const FAILED = 1;
const USAGE = 2;

// What a file is run by.
const INTERPRETERS = {
  '.js': process.execPath,
  '.cjs': process.execPath,
  '.mjs': process.execPath,
  '.ts': process.execPath,
  '.py': 'python3',
  '.rb': 'ruby',
  '.sh': 'sh',
};
// Files that tell of several apps.
const CONFIGURATION = /(^|[/\\])Procfile[^/\\]*$|\.config\.[cm]?js$|\.(json5?|ya?ml|toml)$/;

/** Runs the command among `words`, which are those of `pmr-runtime`'s command line; or says why not. */
function plain(words) {
  if (words[0] === '--as-pmr' || grammar.verbs.includes(words[0])) {
    return refuse(FAILED, 'there is no runtime to talk to');
  }
  const command = commandOf(words);
  if (command === undefined) return refuse(USAGE, 'what to run is not said');
  if (CONFIGURATION.test(command[0])) return refuse(FAILED, `\`${command[0]}\` is not read: name the command itself`);
  say(`running the command by itself, as one process: ${command.join(' ')}`);
  run(command[0], command.slice(1));
}

/** The command and its words, without the runtime's own. */
function commandOf(words) {
  const { rest, ended } = withoutOptions(words[0] === 'start' ? words.slice(1) : words);
  if (rest.length === 0) return undefined;
  const interpreter = INTERPRETERS[path.extname(rest[0])];
  if (ended || !interpreter || CONFIGURATION.test(rest[0]) || !existsSync(rest[0])) return rest;
  // After a file our options may follow, and the app's words stand after `--`.
  return [interpreter, rest[0], ...withoutOptions(rest.slice(1)).rest];
}

/** What follows the leading options, and whether that was after `--`. */
function withoutOptions(words) {
  let at = 0;
  while (at < words.length && words[at].startsWith('-') && words[at] !== '--') {
    at += grammar.values.includes(words[at]) ? 2 : 1;
  }
  const ended = words[at] === '--';
  return { rest: words.slice(ended ? at + 1 : at), ended };
}

function refuse(status, why) {
  say(why);
  process.exitCode = status;
}

function say(what) {
  const system = { darwin: 'macOS', win32: 'Windows' }[process.platform] ?? process.platform;
  process.stderr.write(`pmr-runtime: this is ${system}, and the runtime is for Linux alone: ${what}\n`);
}

module.exports = { plain };
