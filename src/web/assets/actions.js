// What can be done to apps: each action asks first where it takes something away, and tells how it ended.

import { Failure, app as path, change, download, token } from './api.js';
import { h, set, text } from './dom.js';
import { begin, find, hurry, isReadOnly, mayChange, state } from './store.js';

const STAYS = 8000;
const SIGNALS = ['HUP', 'USR1', 'USR2', 'INT', 'TERM', 'QUIT', 'CONT', 'KILL'];

const dialog = document.getElementById('dialog');
const toasts = document.getElementById('toasts');

// Asks in a window of its own; gives the form's values, or null.
export function ask({ title, say = [], fields = [], action, isDanger = false }) {
  return new Promise((done) => {
    const inputs = fields.map((field) => h('label', null, field.label, field.input));
    const close = (value) => {
      dialog.close();
      done(value);
    };
    const form = h(
      'form',
      {
        onsubmit: (event) => {
          event.preventDefault();
          close(Object.fromEntries(fields.map((field) => [field.name, field.input.value])));
        },
      },
      h('h2', { id: 'dialog-title' }, title),
      say.map((line) => h('p', null, line)),
      inputs,
      h(
        'div',
        { class: 'buttons' },
        h('button', { type: 'button', onclick: () => close(null) }, action ? 'Cancel' : 'Close'),
        action ? h('button', { type: 'submit', class: isDanger ? 'danger' : 'primary' }, action) : null,
      ),
    );
    dialog.replaceChildren(form);
    dialog.oncancel = () => done(null);
    dialog.showModal();
  });
}

// A note of something that is under way, and of how it ended.
function toast(title) {
  const head = h('b', null, title);
  const line = h('p');
  const more = h('pre', { hidden: true });
  const node = h(
    'div',
    { class: 'toast busy' },
    head,
    h(
      'button',
      { type: 'button', class: 'quiet', 'aria-label': `Dismiss: ${title}`, onclick: () => node.remove() },
      '×',
    ),
    line,
    more,
  );
  toasts.append(node);
  return {
    say: (message) => text(line, message),
    end(isGood, message, lines = []) {
      set(node, 'class', `toast ${isGood ? 'good' : 'bad'}`);
      text(head, `${title}: ${isGood ? 'done' : 'failed'}`);
      text(line, message);
      text(more, lines.join('\n'));
      more.hidden = lines.length === 0;
      if (isGood) setTimeout(() => node.remove(), STAYS);
    },
  };
}

const inWords = (error) => [error.message, error.hint].filter(Boolean).join(': ');

async function run(title, method, where, body) {
  const note = toast(title);
  try {
    const verdicts = await change(method, where, body, (event) => note.say(event.message));
    const failed = verdicts.filter((verdict) => !verdict.ok);
    const told = (failed.length > 0 ? failed : verdicts).map((verdict) => verdict.message).join('; ');
    note.end(
      failed.length === 0,
      told,
      failed.flatMap((verdict) => verdict.last_lines),
    );
  } catch (error) {
    note.end(false, inWords(error), error.details ?? []);
  }
  hurry();
}

// Asks for the token until the right one is given, or nobody gives one.
export async function unlock(
  why = 'Changes take the token that the runtime was started with (PMR_WEB_TOKEN), or that it told in its first lines.',
) {
  for (let wrong = false; ; wrong = true) {
    const input = h('input', { type: 'password', autocomplete: 'off', required: true, spellcheck: 'false' });
    const given = await ask({
      title: 'Unlock',
      say: [wrong ? 'This is not the token.' : why],
      fields: [{ name: 'token', label: 'Token', input }],
      action: 'Unlock',
    });
    if (!given) return false;
    token.set(given.token.trim());
    await begin();
    if (state.access?.look !== 'wrong_token' && state.access?.change !== 'wrong_token') return mayChange();
    token.forget();
    await begin();
  }
}

const NO_TOKEN =
  'This runtime has no token, so it takes no changes over the web. Start it with PMR_WEB_TOKEN=… (16 characters or more), or use `pmr` on its machine.';

// Whether changes are possible now, if need be after the token was asked for.
async function isFree() {
  if (mayChange()) return true;
  if (state.access?.change === 'tokenless') {
    await ask({ title: 'No changes from here', say: [NO_TOKEN] });
    return false;
  }
  return unlock();
}

const number = (value, min, max) => h('input', { type: 'number', min, max, required: true, value });

const ACTIONS = {
  Reload: { act: (app, target) => run(`Reload ${target.name}`, 'POST', path(target.word, '/reload')) },
  Restart: {
    question: ({ name }) => ({
      title: `Restart ${name}?`,
      say: ['Its workers are stopped, then started again. Nobody is answered meanwhile; a reload has no such gap.'],
      action: 'Restart',
      isDanger: true,
    }),
    act: (app, target) => run(`Restart ${target.name}`, 'POST', path(target.word, '/restart')),
  },
  Scale: {
    whole: true,
    question: ({ name }, app) => ({
      title: `Scale ${name}`,
      say: ['Workers that are one too many finish their answers first.'],
      fields: [{ name: 'to', label: 'Instances', input: number(app.instances.length, 1, 1024) }],
      action: 'Scale',
    }),
    act: (app, target, { to }) => run(`Scale ${target.name} to ${to}`, 'POST', path(target.word, '/scale'), { to }),
  },
  Stop: {
    question: ({ name }) => ({
      title: `Stop ${name}?`,
      say: ['Nothing of it is started again until you say so.'],
      action: 'Stop',
      isDanger: true,
    }),
    act: (app, target) => run(`Stop ${target.name}`, 'POST', path(target.word, '/stop')),
  },
  Start: { act: (app, target) => run(`Start ${target.name}`, 'POST', path(target.word, '/start')) },
  Signal: {
    question: ({ name }) => ({
      title: `Send a signal to ${name}`,
      say: ['What it does is up to the app; without a handler, most of them end it.'],
      fields: [
        {
          name: 'signal',
          label: 'Signal',
          input: h(
            'select',
            null,
            SIGNALS.map((name_) => h('option', { value: name_ }, `SIG${name_}`)),
          ),
        },
      ],
      action: 'Send',
      isDanger: true,
    }),
    act: (app, target, { signal }) =>
      run(`SIG${signal} to ${target.name}`, 'POST', path(target.word, '/signal'), { signal }),
  },
  'CPU profile': {
    node: true,
    question: ({ name }) => ({
      title: `CPU profile of ${name}`,
      say: ['One worker is measured; the file opens in Chrome DevTools.'],
      fields: [{ name: 'seconds', label: 'Seconds', input: number(10, 1, 60) }],
      action: 'Profile',
    }),
    act: (app, target, { seconds }) =>
      fetchFile(`CPU profile of ${target.name}`, path(target.word, `/profile?seconds=${seconds}`)),
  },
  'Heap snapshot': {
    node: true,
    question: ({ name }) => ({
      title: `Heap snapshot of ${name}`,
      say: [
        'The worker answers nobody while it is written, and needs up to as much memory again. The file holds all that the worker has in memory, secrets included.',
      ],
      action: 'Take it',
      isDanger: true,
    }),
    act: (app, target) => fetchFile(`Heap snapshot of ${target.name}`, path(target.word, '/snapshot')),
  },
  Report: {
    node: true,
    act: (app, target) => fetchFile(`Diagnostic report of ${target.name}`, path(target.word, '/report')),
  },
};

async function fetchFile(title, where) {
  const note = toast(title);
  try {
    const { name, blob } = await download(where);
    const link = h('a', { href: URL.createObjectURL(blob), download: name });
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), STAYS);
    note.end(true, name);
  } catch (error) {
    note.end(false, error instanceof Failure ? inWords(error) : error.message);
  }
}

async function act(name, target) {
  if (!(await isFree())) return;
  const app = find(target.app);
  if (!app) return;
  const { question, act: go } = ACTIONS[name];
  const given = question ? await ask(question(target, app)) : {};
  if (given) await go(app, target, given);
}

const button = (name, target, label = name) =>
  h('button', { type: 'button', 'aria-label': `${name} ${target.name}`, onclick: () => act(name, target) }, label);
const whole = (name) => ({ app: name, name, word: name });

// What is done most, for a row of the table.
export const quick = (name) => [button('Reload', whole(name)), button('Scale', whole(name))];

// All actions of an app, or of one of its instances.
export function toolbar(name, instance) {
  const target =
    instance === undefined
      ? whole(name)
      : { app: name, name: `${name}.${instance.instance}`, word: String(instance.id) };
  const made = Object.entries(ACTIONS)
    .filter(([, it]) => !it.whole || instance === undefined)
    .map(([key, it]) => [it, key, button(key, target)]);
  const note = h('p', { class: 'muted' });
  const node = h(
    'div',
    { class: 'actions', role: 'group', 'aria-label': `Actions on ${target.name}` },
    made.map(([, , it]) => it),
  );
  return {
    nodes: [node, note],
    update(of, isNode) {
      const isDown = of.status === 'stopped' || of.status === 'errored';
      node.hidden = isReadOnly();
      note.hidden = mayChange();
      text(
        note,
        isReadOnly()
          ? 'This server is read-only (--web-read-only): nothing can be changed from here.'
          : state.access?.change === 'tokenless'
            ? 'Changes take a token, and this runtime has none.'
            : 'Changes take the token: you are asked for it.',
      );
      for (const [it, key, element] of made)
        element.hidden =
          (it.node && !isNode) ||
          (key === 'Start' && !isDown) ||
          (['Reload', 'Restart', 'Stop'].includes(key) && of.status === 'stopped') ||
          (key === 'Reload' && isDown);
    },
  };
}
