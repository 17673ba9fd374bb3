// What people do with the dashboard, and see. Every wait is for something to be seen.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import http from 'node:http';
import { setTimeout as pause } from 'node:timers/promises';

const row = (page, name) => page.getByRole('row').filter({ has: page.getByRole('link', { name, exact: true }) });
const status = (page, name) => row(page, name).locator('.badge');
// A cell of a row, by its column.
const cell = async (page, name, column) => {
  const head = await page.getByRole('columnheader').allTextContents();
  return row(page, name).locator('th, td').nth(head.indexOf(column));
};
const number = async (page, name, column) => Number(await (await cell(page, name, column)).textContent());
const seen = (locator, text) => locator.filter({ hasText: text }).first().waitFor();
const done = (page, text) => seen(page.locator('.toast.good'), text);

// Asks the app for `path`, so that it does something.
async function ask(port, path) {
  const [response] = await once(http.get({ port, path, agent: false }), 'response');
  for await (const _ of response);
}

// The only place that pauses: the page does not tell us of every change.
async function until(what, holds) {
  for (const end = Date.now() + 30_000; Date.now() < end; await pause(20)) {
    if (await holds()) return;
  }
  throw new Error(`waited in vain for ${what}`);
}

async function unlock(page, token) {
  await page.getByLabel('Token').fill(token);
  await page.keyboard.press('Enter');
}

export async function rows({ page, url }) {
  await page.goto(url);
  await seen(status(page, 'server.0'), 'online');
  await seen(status(page, 'server.1'), 'online');
  const pids = await Promise.all(['server.0', 'server.1'].map((name) => number(page, name, 'PID')));
  for (const name of ['Memory', 'Loop', 'Busy', 'Conns'])
    await until(name, async () => (await (await cell(page, 'server.0', name)).textContent()) !== '–');
  await page.getByRole('figure').filter({ hasText: 'Memory' }).locator('path.line').first().waitFor();
  return pids;
}

export async function killed({ page }) {
  const pid = await number(page, 'server.0', 'PID');
  process.kill(pid, 'SIGKILL');
  await seen(status(page, 'server.0'), 'waiting restart');
  await seen(status(page, 'server.0'), 'online');
  assert.notEqual(await number(page, 'server.0', 'PID'), pid);
  assert.equal(await number(page, 'server.0', 'Restarts'), 1);
  await page.getByRole('link', { name: 'Events' }).click();
  await seen(page.locator('.event.warn'), 'SIGKILL');
}

export async function charts({ page }) {
  const memory = page.getByRole('slider', { name: 'Memory over time' });
  await memory.focus();
  await page.keyboard.press('ArrowLeft');
  assert.match(await memory.getAttribute('aria-valuetext'), /^\d\d:\d\d:\d\d: server [\d.]+ MB$/);
  await page.locator('.tip:visible').waitFor();
  await page.keyboard.press('Escape');
  assert.match(await memory.getAttribute('aria-valuetext'), /^now: /);
  await page.getByRole('button', { name: 'Table' }).click();
  await page.getByRole('region', { name: 'Figures as a table' }).getByRole('cell', { name: /MB/ }).first().waitFor();
  await page.getByRole('button', { name: 'Table' }).click();
}

export async function logs({ page, port }) {
  await page.getByRole('link', { name: 'Logs' }).click();
  const lines = page.getByRole('log').locator('.line');
  await seen(lines, 'listening pid=');
  await ask(port, '/slow');
  await seen(lines, 'begin pid=');
  await page.getByRole('searchbox').fill('BEGIN');
  assert.equal(await lines.count(), await lines.filter({ hasText: 'begin pid=' }).count());
  assert.equal(await lines.first().locator('mark').textContent(), 'begin');
  await page.getByRole('button', { name: 'Pause' }).click();
  const before = await lines.count();
  await ask(port, '/slow');
  await seen(page.getByRole('status'), 'new');
  assert.equal(await lines.count(), before);
  await page.getByRole('button', { name: 'Resume' }).click();
  await until('the line that came meanwhile', async () => (await lines.count()) === before + 1);
  await page.getByRole('combobox', { name: 'Stream' }).selectOption('err');
  await page.getByRole('searchbox').fill('worker ready');
  await seen(page.locator('.line.runtime'), 'worker ready');
  await page.getByRole('link', { name: 'Apps' }).click();
}

export async function reload({ page, token }) {
  await page.getByRole('button', { name: 'Unlock' }).click();
  await unlock(page, token);
  await page.getByRole('button', { name: 'Lock', exact: true }).waitFor();
  const before = await number(page, 'server', 'Gen');
  await page.getByRole('button', { name: 'Reload server' }).click();
  await done(page, 'Reload server');
  await until('the next generation', async () => (await number(page, 'server.1', 'Gen')) === before + 1);
}

export async function scale({ page }) {
  await page.getByRole('button', { name: 'Scale server' }).click();
  await page.getByRole('spinbutton', { name: 'Instances' }).fill('3');
  await page.getByRole('button', { name: 'Scale', exact: true }).click();
  await done(page, 'Scale server to 3');
  await seen(status(page, 'server.2'), 'online');
}

export async function detail({ page }) {
  await page.getByRole('link', { name: 'server', exact: true }).click();
  await page.getByRole('heading', { name: 'Settings' }).waitFor();
  await page.getByRole('button', { name: 'Stop server' }).click();
  await page.getByRole('button', { name: 'Cancel' }).click();
  await page.getByRole('button', { name: 'Stop server' }).click();
  await page.getByRole('button', { name: 'Stop', exact: true }).click();
  await seen(status(page, 'server.0'), 'stopped');
  await page.getByRole('button', { name: 'Start server', exact: true }).click();
  await seen(status(page, 'server.0'), 'online');
  await page.getByRole('link', { name: 'server.0' }).click();
  await page.getByRole('heading', { name: 'Node' }).waitFor();
  await page.getByRole('button', { name: 'Signal server.0' }).click();
  await page.getByRole('combobox', { name: 'Signal' }).selectOption('KILL');
  await page.getByRole('button', { name: 'Send' }).click();
  await done(page, 'SIGKILL to server.0');
  await page.locator('dd').filter({ hasText: 'SIGKILL' }).waitFor();
}

// No mouse: from the page's beginning to a reload that has been done.
export async function keyboard({ page, url, token }) {
  await page.goto(url);
  await seen(status(page, 'server.0'), 'online');
  const focused = () =>
    page.evaluate(() => document.activeElement.getAttribute('aria-label') ?? document.activeElement.textContent);
  await page.keyboard.press('Tab');
  assert.equal(await focused(), 'Skip to content');
  await page.keyboard.press('Enter');
  for (let presses = 0; (await focused()) !== 'Reload server'; presses += 1) {
    assert.ok(presses < 40, `at ${await focused()}`);
    await page.keyboard.press('Tab');
  }
  await page.keyboard.press('Enter');
  await page.getByRole('dialog').waitFor();
  assert.equal(await page.evaluate(() => document.activeElement.type), 'password');
  await page.keyboard.type(token);
  await page.keyboard.press('Enter');
  await done(page, 'Reload server');
  await until('the next generation', async () => (await number(page, 'server', 'Gen')) === 2);
}

export async function readOnly({ page, url }) {
  await page.goto(url);
  await seen(status(page, 'server'), 'online');
  await page.getByRole('button', { name: 'Read-only' }).waitFor();
  assert.equal(await page.getByRole('button', { name: /Reload|Scale/ }).count(), 0);
  await page.getByRole('link', { name: 'server', exact: true }).click();
  await page.getByText('This server is read-only').waitFor();
  assert.equal(await page.getByRole('button', { name: /Reload|Restart|Scale|Stop|Signal/ }).count(), 0);
}

export async function tokenless({ page, url }) {
  await page.goto(url);
  await seen(status(page, 'server'), 'online');
  await page.getByRole('button', { name: 'Reload server' }).click();
  await page.getByRole('dialog').getByText('PMR_WEB_TOKEN').waitFor();
  await page.getByRole('button', { name: 'Close' }).click();
}

export async function gate({ page, url, token, check }) {
  await page.goto(url);
  await page.getByRole('heading', { name: 'This runtime takes a token' }).waitFor();
  await check();
  await unlock(page, 'not the token at all');
  await page.getByRole('alert').getByText('This is not the token').waitFor();
  await unlock(page, token);
  await seen(status(page, 'server.0'), 'online');
  assert.equal(page.url().includes(token), false);
  await page.reload();
  await seen(status(page, 'server.0'), 'online');
}

// Every view, as `options` of its page have it; a phone shows no less than can be scrolled to.
export async function access({ page, url, check }) {
  await page.goto(url);
  await seen(status(page, 'server'), 'online');
  for (const view of ['', 'app/server', 'app/server/0', 'logs', 'events', 'crashes', 'machine']) {
    await page.goto(`${url}#/${view}`);
    await page.locator('main h1').waitFor({ state: 'attached' });
    if (view === 'logs') await page.locator('.line').first().waitFor();
    await check();
    const [wide, shown] = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
    assert.ok(wide <= shown, `${view} is ${wide} wide`);
  }
  await page.goto(`${url}#/app/server`);
  await page.getByRole('button', { name: 'Restart server' }).click();
  await page.getByRole('dialog').waitFor();
  await check();
  await page.keyboard.press('Escape');
}

export async function goneAway({ page }) {
  await seen(page.getByRole('status'), 'Reconnecting');
  await page.getByRole('alert').getByText('it goes on by itself').waitFor();
}

export async function isBack({ page, pid }) {
  await seen(page.getByRole('status'), 'Live');
  await until('the new worker', async () => (await number(page, 'server.0', 'PID')) === pid);
}

// A worker that ends by its own doing is found with what it said last.
export async function crashed({ page, port }) {
  await ask(port, '/crash').catch(() => {});
  await page.getByRole('link', { name: 'Crashes' }).click();
  await page.getByRole('link', { name: 'about to crash' }).first().click();
  await seen(page.locator('dd'), 'exit code 7');
  await seen(page.getByRole('region', { name: 'Last lines' }).locator('.line'), 'about to crash');
  await page.getByRole('link', { name: 'Apps' }).click();
}

// The first thing that is drawn goes back to before the page was opened.
export async function history({ page, url }) {
  await page.goto(url);
  const line = page.getByRole('figure').filter({ hasText: 'Memory' }).locator('path.line').first();
  let drawn = null;
  await until('a line', async () => (drawn = await line.getAttribute('d')));
  assert.ok(drawn.split('L').length > 5, drawn);
}

export async function profile({ page }) {
  await page.getByRole('link', { name: 'server', exact: true }).click();
  await page.getByRole('button', { name: 'CPU profile server' }).click();
  await page.getByRole('spinbutton', { name: 'Seconds' }).fill('1');
  const [file] = await Promise.all([
    page.waitForEvent('download'),
    page.getByRole('button', { name: 'Profile', exact: true }).click(),
  ]);
  assert.match(file.suggestedFilename(), /\.cpuprofile$/);
  await done(page, 'CPU profile of server');
  await page.getByRole('link', { name: 'Apps' }).first().click();
}

// The switch goes before what the system says, and is remembered.
export async function theme({ page }) {
  const background = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  const bright = await background();
  const button = page.getByRole('button', { name: /^Theme/ });
  await button.click();
  assert.equal(await background(), bright);
  await button.click();
  assert.equal(await button.getAttribute('aria-label'), 'Theme: dark');
  assert.notEqual(await background(), bright);
  await page.reload();
  assert.notEqual(await background(), bright);
  await button.click();
  assert.equal(await background(), bright);
}
