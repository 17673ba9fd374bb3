// What node does in the runtime's place, where bin/pmr-runtime is started by node, or has become it. On Linux it becomes the
// binary; elsewhere the command is run as it stands.
'use strict';

const path = require('node:path');
const { run } = require('./child.cjs');
const { plain } = require('./plain.cjs');

const NOT_FOUND = 127;

// The packages that have a binary, by what `os` and `cpu` in their package.json are. The binaries are linked statically, so
// that musl or glibc makes no difference.
const PACKAGES = { 'linux x64': '@pmr-runtime/linux-x64', 'linux arm64': '@pmr-runtime/linux-arm64' };

function main() {
  const isPmr = path.basename(process.argv[1]) === 'pmr';
  const words = isPmr ? ['--as-pmr', ...process.argv.slice(2)] : process.argv.slice(2);
  if (process.platform !== 'linux') return plain(words);
  const name = PACKAGES[`${process.platform} ${process.arch}`];
  const binary = name && locate(name);
  if (!binary) return missing(name);
  // Node has learnt to exec in 22.15. Before that it stays, and hands signals on.
  if (process.execve) process.execve(binary, [binary, ...words], process.env);
  run(binary, words);
}

/** The path of the package's binary, if it is installed. */
function locate(name) {
  try {
    return require.resolve(`${name}/bin/pmr-runtime`);
  } catch {
    return undefined;
  }
}

function missing(name) {
  const why = name
    ? `the package ${name}, which has the binary for this machine, is not installed\n` +
      'hint: it is an optional dependency: install without --omit=optional (--no-optional). If the lock file was written on ' +
      'another system, npm may have left it out (https://github.com/npm/cli/issues/4828): remove node_modules and ' +
      'package-lock.json, and install anew'
    : `there is no binary for Linux on ${process.arch}, only for x64 and arm64`;
  process.stderr.write(`error: ${why}\n`);
  process.exitCode = NOT_FOUND;
}

main();
