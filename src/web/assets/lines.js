// The views of what flows in: lines of the logs, and events. Both hold no more than they say.

import { stream } from './api.js';
import { empty, h, keyed, set, text } from './dom.js';
import { clock, moment } from './format.js';
import { keep, listen, nameOf, state } from './store.js';

const MOST_LINES = 5000;
const MOST_SHOWN = 2000;
const PAST = 500;
// Colours and the like of terminals.
const ESCAPES = /\u001b\[[0-9;?]*[A-Za-z]/g;

const select = (label, options, onchange) =>
  h(
    'select',
    { 'aria-label': label, onchange },
    options.map(([value, name]) => h('option', { value }, name)),
  );
const search = (label, oninput) => h('input', { type: 'search', placeholder: 'Search', 'aria-label': label, oninput });
const button = (label, onclick) => h('button', { type: 'button', onclick }, label);

// Words as they stand, or a pattern between slashes.
function matcher(wanted) {
  const pattern = /^\/(.+)\/$/.exec(wanted)?.[1];
  try {
    const found = new RegExp(pattern ?? wanted.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'), 'gi');
    return wanted ? found : null;
  } catch {
    return null;
  }
}

// `string` with what is looked for marked.
function marked(string, wanted) {
  if (!wanted) return [string];
  const parts = [];
  let end = 0;
  for (const found of string.matchAll(wanted)) {
    if (found[0] === '') continue;
    parts.push(string.slice(end, found.index), h('mark', null, found[0]));
    end = found.index + found[0].length;
  }
  return [...parts, string.slice(end)];
}

// The apps that can be chosen, brought up to date.
function appChoice(onchange) {
  const node = select('App', [['', 'All apps']], onchange);
  let last = '';
  return {
    node,
    update() {
      const names = (state.apps ?? []).map(({ name }) => name);
      if (names.join('\n') === last) return;
      last = names.join('\n');
      const { value } = node;
      node.replaceChildren(
        h('option', { value: '' }, 'All apps'),
        ...names.map((name) => h('option', { value: name }, name)),
      );
      if (names.includes(value)) node.value = value;
    },
  };
}

export function lineNode(line, wanted = null) {
  const from = line.app === null ? 'pmr' : line.instance === null ? line.app : `${line.app}.${line.instance}`;
  return h(
    'div',
    { class: `line ${line.stream}` },
    h('time', { title: moment(line.at_ms) }, clock(line.at_ms)),
    h('span', { class: 'from' }, from),
    line.stream === 'err' ? h('span', { class: 'tag' }, 'err') : null,
    h('span', { class: 'said' }, marked(line.text.replace(ESCAPES, ''), wanted)),
  );
}

export function logs() {
  const box = h('div', { class: 'log', role: 'log', 'aria-live': 'off', 'aria-label': 'Log lines', tabindex: 0 });
  const status = h('span', { class: 'muted', role: 'status' });
  const stop = new AbortController();
  let lines = [];
  let fresh = [];
  let wanted = null;
  let isPaused = false;
  let source = null;
  let isDue = false;
  let lost = 0;

  const fits = (line) => !wanted || line.text.replace(ESCAPES, '').search(wanted) >= 0;
  const atEnd = () => box.scrollHeight - box.scrollTop - box.clientHeight < 40;
  const tellStatus = () => {
    const parts = [
      `${wanted ? `${box.childElementCount} of ` : ''}${lines.length} lines`,
      isPaused && fresh.length > 0 && `${fresh.length} new`,
      lost > 0 && `${lost} left out`,
    ];
    text(status, parts.filter(Boolean).join(', '));
  };
  const draw = () => {
    isDue = false;
    if (isPaused) return tellStatus();
    const follows = atEnd();
    box.append(
      ...fresh
        .filter(fits)
        .slice(-MOST_SHOWN)
        .map((line) => lineNode(line, wanted)),
    );
    fresh = [];
    while (box.childElementCount > MOST_SHOWN) box.firstChild.remove();
    if (follows) box.scrollTop = box.scrollHeight;
    return tellStatus();
  };
  const redraw = () => {
    box.replaceChildren(
      ...lines
        .filter(fits)
        .slice(-MOST_SHOWN)
        .map((line) => lineNode(line, wanted)),
    );
    fresh = [];
    box.scrollTop = box.scrollHeight;
    tellStatus();
  };
  const take = (name, line) => {
    if (name === 'lost') lost += line.lost;
    if (name !== 'line') return;
    lines.push(line);
    fresh.push(line);
    if (lines.length > MOST_LINES) lines.splice(0, lines.length - MOST_LINES);
    if (fresh.length > MOST_LINES) fresh.shift();
    if (isDue) return;
    isDue = true;
    requestAnimationFrame(draw);
  };
  const clear = () => {
    [lines, fresh, lost] = [[], [], 0];
    redraw();
  };
  // What is filtered by the runtime needs a stream of its own.
  const open = () => {
    source?.abort();
    source = new AbortController();
    clear();
    const query = new URLSearchParams({ follow: 'true', lines: PAST });
    if (apps.node.value) query.set('target', apps.node.value);
    if (streams.value) query.set('stream', streams.value);
    const { signal } = source;
    keep(() => stream(`/v1/logs?${query}`, signal, take, clear), signal);
  };
  const apps = appChoice(open);
  const streams = select(
    'Stream',
    [
      ['', 'Both streams'],
      ['out', 'stdout'],
      ['err', 'stderr'],
    ],
    open,
  );
  const pause = button('Pause', () => {
    isPaused = !isPaused;
    text(pause, isPaused ? 'Resume' : 'Pause');
    set(pause, 'aria-pressed', isPaused);
    draw();
  });
  const find = search('Search the lines', () => {
    wanted = matcher(find.value);
    redraw();
  });
  const save = button('Save', () => {
    const content = lines
      .filter(fits)
      .map((line) => `${new Date(line.at_ms).toISOString()} ${line.app ?? 'pmr'} ${line.text}\n`);
    const link = h('a', { href: URL.createObjectURL(new Blob(content)), download: 'pmr.log' });
    link.click();
    URL.revokeObjectURL(link.href);
  });
  stop.signal.addEventListener('abort', () => source?.abort());
  return {
    title: 'Logs',
    isTall: true,
    node: h(
      'div',
      { class: 'tall' },
      h('h1', { class: 'unseen' }, 'Logs'),
      h('div', { class: 'row', role: 'search' }, apps.node, streams, find, pause, button('Clear', clear), save, status),
      box,
    ),
    update() {
      apps.update();
      if (!source) open();
    },
    close: () => stop.abort(),
  };
}

export function events() {
  const kept = new Map();
  const stop = new AbortController();
  const apps = appChoice(() => show());
  const find = search('Search the events', () => show());
  const list = h('ol', { class: 'events', 'aria-label': 'Events, the newest first' });
  const none = empty('Nothing has happened yet.');
  const show = () => {
    const wanted = matcher(find.value);
    const shown = state.events
      .filter(
        (it) =>
          (!apps.node.value || it.app === apps.node.value) &&
          (!wanted || `${it.kind} ${it.message}`.search(wanted) >= 0),
      )
      .reverse();
    none.hidden = shown.length > 0;
    keyed(
      list,
      kept,
      shown,
      (it) => `${it.seq} ${it.at_ms}`,
      (it) => ({
        node: h(
          'li',
          { class: `event ${it.level}` },
          h('time', { title: moment(it.at_ms) }, clock(it.at_ms)),
          h(
            'span',
            { class: 'kind' },
            ['error', 'warn'].includes(it.level) ? h('b', null, `${it.level} `) : null,
            it.kind.replaceAll('_', ' '),
          ),
          h('span', { class: 'from' }, nameOf(it.id) ?? it.app ?? 'pmr'),
          h('span', { class: 'said' }, it.message),
        ),
        update() {},
      }),
    );
  };
  listen('event', show, stop.signal);
  return {
    title: 'Events',
    node: h(
      'div',
      null,
      h('h1', { class: 'unseen' }, 'Events'),
      h('div', { class: 'row', role: 'search' }, apps.node, find),
      list,
      none,
    ),
    update() {
      apps.update();
      show();
    },
    close: () => stop.abort(),
  };
}
