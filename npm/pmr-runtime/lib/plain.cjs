// Runs the command as it stands, once, on what is not Linux: so that the line of a Procfile works on a laptop, too.
'use strict';

const { existsSync } = require('node:fs');
const path = require('node:path');
const { run } = require('./child.cjs');
// Written by a test of the runtime (src/cli/npm.rs), which knows its options.
const grammar = require('./grammar.json');

const DOCUMENTATION = 'https://github.com/pmr-runtime/pmr-runtime#readme';

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

// What is answered without anything being run.
const ANSWERS = { '--help': help, '-h': help, '--version': version, '-V': version };

/** Runs the command among `words`, which are those of `pmr-runtime`'s command line; or says why not. */
function plain(words) {
  const asked = withoutOptions(words[0] === 'start' ? words.slice(1) : words).options.find((word) => ANSWERS[word]);
  if (asked) return process.stdout.write(`${ANSWERS[asked](words[0] === '--as-pmr' ? 'pmr' : 'pmr-runtime')}\n`);
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

/** The leading options, what follows them, and whether that was after `--`. */
function withoutOptions(words) {
  const options = [];
  let at = 0;
  while (at < words.length && words[at].startsWith('-') && words[at] !== '--') {
    options.push(words[at]);
    at += grammar.values.includes(words[at]) ? 2 : 1;
  }
  const ended = words[at] === '--';
  return { options, rest: words.slice(ended ? at + 1 : at), ended };
}

function version(name) {
  return `${name} ${require('../package.json').version}`;
}

function help(name) {
  const usage = { pmr: 'pmr [OPTIONS] <VERB>', 'pmr-runtime': 'pmr-runtime [OPTIONS] COMMAND [ARGS]...' }[name];
  const here = {
    pmr: 'there is no runtime to talk to',
    'pmr-runtime': 'COMMAND is run by itself, as one process, whatever the options are',
  }[name];
  return `Usage: ${usage}\n\nThis is ${system()}, and the runtime is for Linux alone: ${here}.\nOptions and all else: ${DOCUMENTATION}`;
}

function refuse(status, why) {
  say(why);
  process.exitCode = status;
}

function say(what) {
  process.stderr.write(`pmr-runtime: this is ${system()}, and the runtime is for Linux alone: ${what}\n`);
}

function system() {
  return { darwin: 'macOS', win32: 'Windows' }[process.platform] ?? process.platform;
}

module.exports = { plain };
