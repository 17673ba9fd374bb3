// Evaluates a configuration file that is a program, and writes what it exports as one line of JSON to descriptor 0, so that
// nothing which the file prints disturbs.
const { writeSync } = require('node:fs');
const { pathToFileURL } = require('node:url');

const ANSWERS = 0;
const file = process.argv.at(-1);
const exit = process.exit.bind(process);
const STRIP = '--experimental-strip-types';

function answer(object) {
  let left = Buffer.from(JSON.stringify(object, dataOnly) + '\n');
  while (left.length > 0) left = left.subarray(writeSync(ANSWERS, left));
  exit(0);
}

const notData = (what) => ({ '\u0000not data': what });

// JSON would drop these or fail; the reader says that they stand there.
function dataOnly(_key, value) {
  if (typeof value === 'function') return notData('a function');
  if (typeof value === 'symbol') return notData('a symbol');
  if (typeof value === 'bigint') return Number(value);
  if (typeof value === 'number' && !Number.isFinite(value)) return notData(`\`${value}\``);
  if (value instanceof RegExp) return String(value);
  return value;
}

// How this Node reads TypeScript: by itself, with an option, or not at all.
function refuseTypeScript() {
  if (process.versions.bun || process.features.typescript || process.execArgv.includes(STRIP)) return false;
  const [major, minor] = process.versions.node.split('.').map(Number);
  if (major > 22 || (major === 22 && minor >= 6)) answer({ again: STRIP });
  answer({ failed: [`Node.js ${process.version} cannot read TypeScript; Bun, and Node.js from 22.6 on, can`] });
  return true;
}

// What the module exports: its default, through the wrapping of compilers, else all that it names.
function exported(module) {
  let value = module;
  while (value && typeof value === 'object' && 'default' in value && (value === module || value.__esModule)) {
    value = value.default;
  }
  return value === module ? { ...module } : value;
}

async function main() {
  if (/\.[cm]?ts$/.test(file) && refuseTypeScript()) return;
  let value = exported(await import(pathToFileURL(file).href));
  if (typeof value === 'function') value = value();
  answer({ exported: await value });
}

// What was thrown, with its place. Of a module that cannot be read, Node tells the place only when asked to check it, and Bun
// in the errors that it puts together.
function describe(error) {
  if (error instanceof SyntaxError && !process.versions.bun && !String(error.stack).includes(file)) {
    const { stderr } = require('node:child_process').spawnSync(process.execPath, ['--check', file], { encoding: 'utf8' });
    if (stderr) return stderr;
  }
  const places = (error && error.errors) || [];
  const lines = places.filter((one) => one.position).map(({ message, position }) => {
    return `${message}\n    at ${position.file}:${position.line}:${position.column}`;
  });
  if (lines.length > 0) return lines.join('\n');
  return error && typeof error.stack === 'string' ? error.stack : String(error);
}

main().catch((error) => answer({ thrown: describe(error) }));
