// The views of an app, and of an instance.

import { toolbar } from './actions.js';
import { empty, facts, h, panel, part, scroll } from './dom.js';
import { Figures, byInstance } from './figures.js';
import * as write from './format.js';
import { find } from './store.js';
import { appsTable, pathOf, statusBadge } from './table.js';

const heading = (tools, ...crumbs) => {
  const status = h('span');
  const made = crumbs.slice(0, -1).map(([name, href]) => [h('a', { href }, name), h('span', { class: 'muted' }, '/')]);
  const node = h('div', { class: 'heading' }, h('h1', null, made, crumbs.at(-1)[0]), status, tools.nodes);
  return { node, show: part(status, statusBadge) };
};

const exit = (it) => it.last_exit && `${it.last_exit.reason}, ${write.moment(it.last_exit.at_ms)}`;

function health(of) {
  if (!of) return null;
  return [
    of.health,
    of.stalled && `stalled (${of.stalled})`,
    of.failures > 0 && `${of.failures} failed checks: ${of.last_failure}`,
  ]
    .filter(Boolean)
    .join(', ');
}

function scaling(of) {
  if (!of) return null;
  const { at_ms: at, from, to, because } = of.last ?? {};
  const last = of.last && `from ${from} to ${to}, ${write.moment(at)}: ${because}`;
  return [`${of.min} to ${of.max} instances, as the load asks`, last].filter(Boolean).join('; ');
}

const SPREAD = ['mean', 'p50', 'p95', 'p99', 'max'];

function nodePanel(node) {
  const { event_loop: loop, http, gc, heap, active, window_ms: span } = node;
  const spreads = [
    ['Event loop delay', loop?.delay_ms],
    ['Latency', http?.latency_ms],
  ].filter(([, of]) => of);
  const row = ([name, of]) =>
    h(
      'tr',
      null,
      h('th', { scope: 'row' }, name),
      SPREAD.map((key) => h('td', null, write.millis(of[key]))),
    );
  const table = scroll(
    'How values are spread',
    h(
      'table',
      { class: 'grid' },
      h(
        'thead',
        null,
        h(
          'tr',
          null,
          ['Spread', ...SPREAD].map((key) => h('th', { scope: 'col' }, key)),
        ),
      ),
      h('tbody', null, spreads.map(row)),
    ),
  );
  return panel(
    'Node',
    facts([
      ['Event loop', loop && loop.utilization !== null && `${write.share(loop.utilization)} busy`],
      ['Requests', http && `${write.number(http.requests_per_second)} a second${http.in_flight === null ? '' : `, ${http.in_flight} in flight`}`],
      ['Errors', http && `${http.errors} with status 500 or more${http.aborted === null ? '' : `, ${http.aborted} aborted`}`],
      [
        'Garbage collection',
        gc && span && `${write.percent((gc.took_ms / span) * 100)} of the time, ${gc.collections} times`,
      ],
      [
        'Heap',
        `${write.bytes(heap.used_bytes)} of ${write.bytes(heap.total_bytes)}, ${write.bytes(heap.external_bytes)} outside`,
      ],
      ['Active', active && `${active.handles} handles, ${active.requests} requests`],
    ]),
    spreads.length > 0 ? table : null,
  );
}

const ownMetrics = (metrics) =>
  Object.entries(metrics ?? {}).map(([name, metric]) => [
    name,
    [metric.value, metric.unit].filter((it) => it !== null && it !== undefined).join(' '),
  ]);

function settings(list) {
  const given = list.filter((it) => it.origin !== 'default');
  const table = (label, rows) =>
    scroll(
      label,
      h(
        'table',
        { class: 'grid left' },
        h(
          'thead',
          null,
          h(
            'tr',
            null,
            ['Setting', 'Value', 'Origin'].map((it) => h('th', { scope: 'col' }, it)),
          ),
        ),
        h(
          'tbody',
          null,
          rows.map((it) =>
            h(
              'tr',
              null,
              h('th', { scope: 'row' }, it.name),
              h('td', null, h('code', null, it.value)),
              h('td', { class: 'muted' }, it.origin),
            ),
          ),
        ),
      ),
    );
  return [
    given.length > 0 ? table('Settings that were given', given) : empty('All settings have their defaults.'),
    h('details', null, h('summary', null, `All ${list.length} settings`), table('All settings', list)),
  ];
}

function appFacts(app) {
  return h(
    'div',
    { class: 'panels' },
    panel(
      'App',
      facts([
        ['Command', h('code', null, write.words(app.command))],
        ['Resolved', app.resolved],
        ['Directory', h('code', null, app.directory)],
        ['Version', app.version],
        ['Git', app.git && [app.git.branch, app.git.revision.slice(0, 12)].filter(Boolean).join(' ')],
        [
          'Interpreter',
          app.interpreter && [app.interpreter.program, app.interpreter.version].filter(Boolean).join(' '),
        ],
        ['User', app.user],
        ['Namespace', app.namespace === 'default' ? null : app.namespace],
        ['Waits', app.before_start],
        ['Scaling', scaling(app.scaling)],
        [
          'Last crash',
          app.last_crash &&
            h(
              'a',
              { href: `#/crashes/${app.last_crash.id}` },
              `${app.last_crash.summary}, ${write.moment(app.last_crash.at_ms)}`,
            ),
        ],
        ['Health', health(app.health)],
        ['Log files', [app.logs.both, app.logs.out, app.logs.error].filter(Boolean).join(', ')],
      ]),
    ),
    panel(
      'Port',
      facts([
        ...app.listeners.map((it) => [
          it.address + (it.instance === null ? '' : `, instance ${it.instance}`),
          it.waiting === null ? 'listens' : `${it.waiting} waiting`,
        ]),
        ['Shared by', app.share],
        ['Balance', app.balance],
        ['Generation', String(app.generation)],
        ['Reloading', app.reloading && `to generation ${app.reloading}`],
      ]),
    ),
    Object.keys(app.metrics).length > 0 ? panel('Its own metrics', facts(ownMetrics(app.metrics))) : null,
    h('section', { class: 'panel full' }, h('h2', null, 'Settings'), settings(app.settings)),
  );
}

const gone = (name) =>
  h('div', null, h('h1', null, name), empty('There is no such app any more. ', h('a', { href: '#/' }, 'All apps')));

const isNode = (list) => list.some((it) => it.node) || list.length === 0;

export function app(name) {
  const figures = new Figures();
  const tools = toolbar(name);
  const head = heading(tools, ['Apps', '#/'], [name]);
  const table = appsTable({ caption: `Instances of ${name}`, most: Infinity });
  const below = h('div');
  const show = part(below, appFacts);
  const node = h('div');
  const whole = [head.node, figures.node, table.node, below];
  return {
    title: name,
    node,
    update() {
      const found = find(name);
      if (!found) return node.replaceChildren(gone(name));
      if (!head.node.isConnected) node.replaceChildren(...whole);
      head.show({ status: found.status, before_start: found.before_start });
      tools.update(found, isNode(found.instances));
      figures.update(byInstance(name));
      table.update([found]);
      const { instances: _instances, standbys: _standbys, ...rest } = found;
      return show(rest);
    },
  };
}

export function instance(name, number) {
  const figures = new Figures();
  const node = h('div');
  const below = h('div', { class: 'panels' });
  let tools = null;
  let head = null;
  const show = part(below, (it) => [
    panel(
      'Worker',
      facts([
        ['PID', it.pid && String(it.pid)],
        ['Number', String(it.id)],
        ['Uptime', it.uptime_ms === null ? null : write.duration(it.uptime_ms)],
        ['Generation', String(it.generation)],
        ['Restarts', String(it.restarts)],
        ['Unstable starts', String(it.unstable_starts)],
        ['Next start', it.next_start_in_ms && `in ${write.millis(it.next_start_in_ms)}`],
        ['Last exit', exit(it)],
        ['Health', health(it.health)],
        ['Says', it.says],
        [
          'Connections',
          [it.connections, it.steered_away && 'new ones are kept away'].filter((of) => of || of === 0).join(', '),
        ],
        ['In flight', it.requests_in_flight],
        ['CPU', write.percent(it.cpu_percent)],
        ['Memory', write.bytes(it.memory_bytes)],
        ['Processes', it.processes && String(it.processes)],
      ]),
    ),
    it.node ? nodePanel(it.node) : null,
    Object.keys(it.metrics).length > 0 ? panel('Its own metrics', facts(ownMetrics(it.metrics))) : null,
  ]);
  return {
    title: `${name}.${number}`,
    node,
    update() {
      const it = find(name)?.instances.find((one) => one.instance === Number(number));
      if (!it) return node.replaceChildren(gone(`${name}.${number}`));
      tools ??= toolbar(name, it);
      head ??= heading(tools, ['Apps', '#/'], [name, pathOf(name)], [`${name}.${number}`]);
      if (!head.node.isConnected) node.replaceChildren(head.node, figures.node, below);
      head.show({ status: it.status, next_start_in_ms: it.next_start_in_ms });
      tools.update(it, it.node !== null);
      figures.update(byInstance(name).filter((line) => line.colour === it.instance));
      return show(it);
    },
  };
}
