// Plays scenes in one headless Chromium for a test program: `{ id, page, scene, given }` a line, answered with
// `{ id, value }` or `{ id, error }`. Each page has a profile of its own, and tells all that went wrong in it. Ends with its input.

import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { createInterface } from 'node:readline';

import * as scenes from './scenes.mjs';

const [, , executablePath, packages] = process.argv;
const require = createRequire(`${packages}/`);
const { chromium } = require('playwright-core');
const axe = readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8');

const ARGUMENTS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1',
];
const LIMIT = 30_000;

const browser = await chromium.launch({ executablePath, args: ARGUMENTS });
const pages = new Map();

async function open(name, options) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options });
  context.setDefaultTimeout(LIMIT);
  const page = await context.newPage();
  const faults = [];
  page.on('pageerror', (error) => faults.push(`exception: ${error.stack || error.message}`));
  page.on('console', (message) => {
    if (['error', 'warning'].includes(message.type()))
      faults.push(`console: ${message.text()} (${message.location().url})`);
  });
  context.on('request', (request) => {
    const { protocol, hostname } = new URL(request.url());
    if (protocol !== 'blob:' && hostname !== '127.0.0.1') faults.push(`off the machine: ${request.url()}`);
  });
  const opened = { page, faults };
  pages.set(name, opened);
  return opened;
}

// Faults of accessibility that keep somebody out.
async function check(page) {
  await page.evaluate(axe);
  const { violations, passes } = await page.evaluate(() => globalThis.axe.run());
  if (passes.length === 0) throw new Error('axe has checked nothing');
  const grave = violations.filter(({ impact }) => impact === 'serious' || impact === 'critical');
  const told = grave.map(
    ({ id, nodes }) => `${id}: ${nodes.map(({ html, any }) => `${html} ${any[0]?.message ?? ''}`).join('\n  ')}`,
  );
  if (told.length > 0) throw new Error(`${page.url()}: ${told.join('\n')}`);
}

async function play({ page: name, scene, given }) {
  if (scene === 'close') {
    const { page, faults } = pages.get(name);
    pages.delete(name);
    await page.context().close();
    const expected = given.expected.map((pattern) => new RegExp(pattern));
    return faults.filter((fault) => !expected.some((pattern) => pattern.test(fault)));
  }
  const { page } = pages.get(name) ?? (await open(name, given.options));
  return scenes[scene]({ page, check: () => check(page), ...given });
}

for await (const line of createInterface({ input: process.stdin })) {
  const { id, ...wanted } = JSON.parse(line);
  // Not awaited: others play at the same time.
  play(wanted)
    .then(
      (value = null) => ({ value }),
      (error) => ({ error: String(error.stack ?? error) }),
    )
    .then((outcome) => console.log(JSON.stringify({ id, ...outcome })));
}
await browser.close();
