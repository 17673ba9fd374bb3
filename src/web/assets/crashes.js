// The views of what workers have died of (`/v1/crashes`): all of them, and one with its stack, last lines and figures.

import { Failure, get } from './api.js';
import { empty, facts, h, panel, part } from './dom.js';
import { Figures } from './figures.js';
import * as write from './format.js';
import { Window } from './history.js';
import { lineNode } from './lines.js';
import { state } from './store.js';

// What the runtime answers, or the words to be shown instead.
async function ask(path) {
  try {
    return [await get(path), null];
  } catch (error) {
    return [null, error instanceof Failure && error.status === 404 ? null : error.message];
  }
}

const nameOf = (it) => (it.instance === null || it.instance === undefined ? it.app : `${it.app}.${it.instance}`);

function list(found, problem) {
  if (problem) return empty(problem);
  if (!found || found.length === 0)
    return empty(found ? 'No worker has crashed.' : 'This runtime keeps no record of crashes.');
  const row = (it) =>
    h(
      'tr',
      null,
      h('th', { scope: 'row' }, h('a', { href: `#/crashes/${it.id}` }, it.summary)),
      h('td', null, nameOf(it)),
      h('td', null, it.cause),
      h('td', null, it.reason),
      h('td', { class: 'num' }, String(it.count)),
      h('td', { class: 'wide' }, write.duration(it.uptime_ms)),
      h('td', null, write.moment(it.at_ms)),
    );
  const head = [
    ['What', ''],
    ['Instance', ''],
    ['Cause', ''],
    ['Exit', ''],
    ['Times', 'num'],
    ['Lived', 'wide'],
    ['When', ''],
  ];
  return h(
    'div',
    { class: 'scroll' },
    h(
      'table',
      { class: 'grid left crashes' },
      h('caption', { class: 'unseen' }, 'Crashes, the newest first'),
      h(
        'thead',
        null,
        h(
          'tr',
          null,
          head.map(([name, kind]) => h('th', { scope: 'col', class: kind }, name)),
        ),
      ),
      h('tbody', null, found.map(row)),
    ),
  );
}

export function crashes() {
  const below = h('div');
  const show = part(below, list);
  let seen = null;
  const look = async () => show(...(await ask('/v1/crashes')));
  return {
    title: 'Crashes',
    node: h('div', null, h('h1', { class: 'unseen' }, 'Crashes'), below),
    // Anew when something has happened.
    update() {
      const newest = state.events.at(-1)?.seq ?? 0;
      if (seen === newest) return;
      seen = newest;
      look();
    },
  };
}

export function crash(id) {
  const node = h('div');
  const draw = (it, problem) => {
    if (!it) return [h('h1', null, `Crash ${id}`), empty(problem ?? 'There is no such crash.')];
    const figures = new Figures({ hasRange: false });
    figures.node.hidden = !it.figures;
    if (it.figures) {
      const kept = new Window(3600);
      kept.add({ ...it.figures, series: [{ ...it.figures, app: it.app, instance: it.instance }] });
      figures.update([{ name: nameOf(it), series: [...kept.series.values()] }], kept, kept.length * kept.step);
    }
    return [
      h(
        'div',
        { class: 'heading' },
        h('h1', null, h('a', { href: '#/crashes' }, 'Crashes'), h('span', { class: 'muted' }, '/'), it.summary),
      ),
      h(
        'div',
        { class: 'panels' },
        panel(
          'What happened',
          facts([
            ['App', nameOf(it)],
            ['When', write.moment(it.at_ms)],
            ['Cause', it.cause],
            ['Exit', it.reason],
            ['PID', it.pid && String(it.pid)],
            ['Lived', write.duration(it.uptime_ms)],
            ['Generation', String(it.generation)],
            ['Times', `${it.count}, the first ${write.moment(it.first_at_ms)}`],
            ['Fingerprint', h('code', null, it.fingerprint)],
            ['Revision', it.revision],
            ['Version', it.version],
            ['Command', it.command && h('code', null, write.words(it.command))],
            ['Directory', it.directory],
          ]),
        ),
        it.exception
          ? panel('Stack', h('pre', { class: 'box', tabindex: 0, 'aria-label': 'Stack' }, it.exception.stack))
          : null,
      ),
      figures.node,
      panel(
        'Last lines',
        it.logs?.length > 0
          ? h(
              'div',
              { class: 'log', tabindex: 0, role: 'region', 'aria-label': 'Last lines' },
              it.logs.map((line) => lineNode(line)),
            )
          : empty('It wrote nothing.'),
      ),
    ];
  };
  const show = part(node, draw);
  let isAsked = false;
  return {
    title: `Crash ${id}`,
    node,
    async update() {
      if (isAsked) return;
      isAsked = true;
      show(...(await ask(`/v1/crashes/${encodeURIComponent(id)}`)));
    },
  };
}
