// The table of apps and their instances.

import { h, keyed, set, text } from './dom.js';
import * as write from './format.js';
import { quick } from './actions.js';
import { isReadOnly } from './store.js';

// An app with more instances than this shows them when asked to.
const MANY = 16;

const COLUMNS = [
  ['PID', 'wide'],
  ['Gen', 'wide', 'Generation: one more with each reload'],
  ['Uptime', 'mid'],
  ['Restarts', 'wide'],
  ['CPU', ''],
  ['Memory', ''],
  ['Loop', 'mid', 'Event loop delay, p99'],
  ['Busy', 'wide', 'Event loop utilisation'],
  ['Req/s', ''],
  ['In flight', 'mid', 'Requests being answered'],
  ['Conns', 'wide', 'Open connections'],
];

const sum = (values) =>
  values.reduce((all, value) => (value === null || value === undefined ? all : (all ?? 0) + value), null);
const most = (values) =>
  values.reduce((all, value) => (value === null || value === undefined ? all : Math.max(all ?? 0, value)), null);

// What a worker's columns hold, before they are written.
function figures(it) {
  const { event_loop: loop, http } = it.node ?? {};
  return {
    cpu: it.cpu_percent,
    memory: it.memory_bytes,
    delay: loop?.delay_ms?.p99 ?? null,
    busy: loop?.utilization ?? null,
    rate: http?.requests_per_second ?? null,
    flight: http?.in_flight ?? it.requests_in_flight ?? null,
    connections: it.connections ?? null,
  };
}

function cells({ pid, generation, uptime, restarts, cpu, memory, delay, busy, rate, flight, connections }) {
  return [
    pid ?? '',
    generation,
    uptime === '' ? '' : write.duration(uptime),
    restarts,
    write.percent(cpu),
    write.bytes(memory),
    write.millis(delay),
    write.share(busy),
    write.number(rate),
    write.count(flight),
    write.count(connections),
  ];
}

const ofInstance = (it) =>
  cells({ ...figures(it), pid: it.pid, generation: it.generation, uptime: it.uptime_ms, restarts: it.restarts });

function ofApp(app) {
  if (app.instances.length === 1) return ofInstance(app.instances[0]);
  const all = app.instances.map(figures);
  const of = (name) => all.map((one) => one[name]);
  return cells({
    generation: app.generation,
    uptime: '',
    restarts: sum(app.instances.map((it) => it.restarts)),
    cpu: sum(of('cpu')),
    memory: sum(of('memory')),
    delay: most(of('delay')),
    busy: most(of('busy')),
    rate: sum(of('rate')),
    flight: sum(of('flight')),
    connections: sum(of('connections')),
  });
}

const TONES = {
  online: 'good',
  unhealthy: 'bad',
  errored: 'bad',
  'waiting-restart': 'warn',
  launching: 'busy',
  stopping: 'busy',
  standby: 'idle',
  stopped: 'idle',
};

// What `of` does, in a word, a colour and a shape.
export function badge() {
  const node = h('span', { class: 'badge' });
  return {
    node,
    update(of) {
      const waits = of.next_start_in_ms ? ` ${write.millis(of.next_start_in_ms)}` : '';
      text(node, of.status.replace('-', ' ') + waits);
      set(node, 'class', `badge ${TONES[of.status] ?? 'idle'}`);
      set(node, 'title', of.before_start ?? of.says ?? of.health?.last_failure ?? of.last_exit?.reason ?? null);
    },
  };
}

export const statusBadge = (of) => {
  const { node, update } = badge();
  update(of);
  return node;
};

function row(name, kind, more) {
  const status = badge();
  const places = COLUMNS.map(([, width]) => h('td', { class: `num ${width}` }));
  const extra = h('td', { class: 'acts wide' }, more);
  const node = h(
    'tr',
    { class: kind },
    h('th', { scope: 'row' }, name),
    h('td', { class: 'state' }, status.node),
    places,
    extra,
  );
  return {
    node,
    update(of, values) {
      status.update(of);
      values.forEach((value, at) => text(places[at], value));
    },
  };
}

export const pathOf = (app, instance) =>
  `#/app/${encodeURIComponent(app)}${instance === undefined ? '' : `/${instance}`}`;

function instanceRow(app, it) {
  const link = h('a', { href: pathOf(app.name, it.instance) }, `${app.name}.${it.instance}`);
  const { node, update } = row(link, 'one', null);
  set(node, 'data-id', it.id);
  return { node, update: (view) => update(view, ofInstance(view)) };
}

function appBody(app, most) {
  const rows = new Map();
  const note = h('span', { class: 'muted' });
  const fold = h('button', { class: 'fold quiet', type: 'button', onclick: () => turn() });
  const { node: head, update } = row(
    [fold, h('a', { href: pathOf(app.name) }, app.name), note],
    'app',
    quick(app.name),
  );
  const node = h('tbody', { 'data-app': app.name }, head);
  // Rows of instances, in a list of their own for `keyed`.
  let isOpen = app.instances.length <= most;
  let last = app;
  const show = (now) => {
    last = now;
    update(now, ofApp(now));
    const serving = now.instances.filter((it) => it.status === 'online').length;
    text(
      note,
      [
        now.instances.length > 1 || serving === 0 ? `${serving}/${now.instances.length}` : '',
        now.reloading ? 'reloading' : '',
        now.version ?? '',
      ]
        .filter(Boolean)
        .join(' · '),
    );
    fold.hidden = now.instances.length < 2;
    set(fold, 'aria-expanded', isOpen);
    set(fold, 'aria-label', `Instances of ${now.name}`);
    const shown = isOpen && now.instances.length > 1 ? now.instances : [];
    const items = [{ key: 'app' }, ...shown.map((it) => ({ key: it.instance, it }))];
    rows.set('app', { node: head, update() {} });
    keyed(
      node,
      rows,
      items,
      ({ key }) => key,
      ({ it }) => {
        const made = instanceRow(now, it);
        return { node: made.node, update: (item) => made.update(item.it) };
      },
    );
  };
  const turn = () => {
    isOpen = !isOpen;
    show(last);
  };
  return { node, update: show };
}

// Of an app with more than `most` instances they are shown when asked for.
export function appsTable({ caption = 'Apps and their instances', most = MANY } = {}) {
  const head = h(
    'thead',
    null,
    h(
      'tr',
      null,
      h('th', { scope: 'col' }, 'App'),
      h('th', { scope: 'col', class: 'state' }, 'Status'),
      COLUMNS.map(([name, width, title]) => h('th', { scope: 'col', class: `num ${width}`, title }, name)),
      h('th', { scope: 'col', class: 'acts wide' }, h('span', { class: 'unseen' }, 'Actions')),
    ),
  );
  const table = h('table', { class: 'grid apps' }, h('caption', { class: 'unseen' }, caption), head);
  // The caption and the head are children of the table as well.
  const still = (node) => ({ node, update() {} });
  const kept = new Map([
    ['caption', still(table.caption)],
    ['head', still(head)],
  ]);
  return {
    node: h('div', { class: 'scroll' }, table),
    update(apps) {
      table.classList.toggle('locked', isReadOnly());
      keyed(
        table,
        kept,
        [{ fixed: 'caption' }, { fixed: 'head' }, ...apps],
        (app) => app.fixed ?? `app ${app.app_id} ${app.name}`,
        (app) => appBody(app, most),
      );
    },
  };
}
