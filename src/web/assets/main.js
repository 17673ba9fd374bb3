// The page: which view is shown, whether the runtime answers, who may do what, and how bright it is.

import { unlock } from './actions.js';
import { token } from './api.js';
import { crash, crashes } from './crashes.js';
import { app, instance } from './details.js';
import { h, set, text } from './dom.js';
import { events, logs } from './lines.js';
import { begin, isReadOnly, listen, mayChange, state } from './store.js';
import { machine, overview } from './views.js';

const at = (id) => document.getElementById(id);
const main = at('main');

const VIEWS = [
  ['', 'Apps', overview],
  ['logs', 'Logs', logs],
  ['events', 'Events', events],
  ['crashes', 'Crashes', crashes],
  ['machine', 'Machine', machine],
];

const links = VIEWS.map(([path, name]) => h('a', { href: `#/${path}` }, name));
at('nav').append(...links);

let view = null;
let shown = null;

function words(hash) {
  try {
    return hash.replace(/^#\/?/, '').split('/').map(decodeURIComponent);
  } catch {
    return [];
  }
}

function route() {
  const [first = '', ...rest] = words(location.hash);
  if (first === 'app' && rest.length > 0) return [0, () => (rest[1] === undefined ? app(rest[0]) : instance(...rest))];
  if (first === 'crashes' && rest.length > 0) return [3, () => crash(rest[0])];
  const found = Math.max(
    VIEWS.findIndex(([path]) => path === first),
    0,
  );
  return [found, VIEWS[found][2]];
}

// Before anything may be seen: the token.
function locked() {
  const wrong = state.access.look === 'wrong_token';
  const input = h('input', { type: 'password', autocomplete: 'off', required: true });
  const submit = (event) => {
    event.preventDefault();
    token.set(input.value.trim());
    begin();
  };
  // Perhaps nobody asks for one.
  const without = () => {
    token.forget();
    begin();
  };
  const why =
    state.access.look === 'foreign_name'
      ? 'Under this name, the token is needed.'
      : 'The token was given as PMR_WEB_TOKEN, or stands in the line that says where the web server is.';
  const node = h(
    'form',
    { class: 'gate', onsubmit: submit },
    h('h1', null, 'This runtime takes a token'),
    h('p', { role: wrong ? 'alert' : null, class: wrong ? 'bad' : 'muted' }, wrong ? 'This is not the token.' : why),
    h('label', null, 'Token', input),
    h('button', { type: 'submit', class: 'primary' }, 'Unlock'),
    wrong ? h('button', { type: 'button', class: 'quiet', onclick: without }, 'Go on without it') : null,
  );
  return { title: 'Token', node, update() {} };
}

function show(key, create, isMove) {
  if (shown === key) return;
  view?.close?.();
  shown = key;
  view = create();
  main.replaceChildren(view.node);
  document.body.classList.toggle('tall-page', Boolean(view.isTall));
  document.title = `${view.title} · pmr`;
  if (isMove) main.focus();
}

function update(isMove = false) {
  const { access, runtime, away, version } = state;
  text(at('link'), away ? 'Reconnecting' : access ? 'Live' : 'Connecting');
  set(at('link'), 'class', `link ${away ? 'bad' : access ? 'good' : ''}`);
  const isOther = version !== null && runtime?.version !== version;
  const notice = away
    ? `${away}. What you see is from before; it goes on by itself.`
    : isOther
      ? `The runtime is now version ${runtime.version}: reload this page.`
      : '';
  text(at('away'), notice);
  at('away').hidden = notice === '';
  if (!access) return;
  const [place, create] = route();
  links.forEach((link, number) => set(link, 'aria-current', number === place ? 'page' : null));
  if (access.look !== 'ok') return show(`locked ${access.look}`, locked, false);
  text(at('host'), runtime?.machine.host ?? '');
  text(at('access'), isReadOnly() ? 'Read-only' : mayChange() ? 'Lock' : 'Unlock');
  set(
    at('access'),
    'title',
    isReadOnly()
      ? 'Nothing can be changed from here (--web-read-only)'
      : mayChange()
        ? 'Forget the token'
        : 'Give the token, to change something',
  );
  at('access').disabled = isReadOnly();
  at('access').hidden = access.change === 'tokenless';
  if (!state.apps) return undefined;
  show(location.hash, create, isMove);
  return view.update();
}

at('access').addEventListener('click', async () => {
  if (!mayChange()) return unlock();
  token.forget();
  return begin();
});

// Light, dark, or as the system has it.
const THEMES = ['auto', 'light', 'dark'];
let theme = localStorage.getItem('pmr-theme') ?? 'auto';
function paint() {
  document.documentElement.dataset.theme = theme;
  text(at('theme'), { auto: '◐', light: '☀', dark: '☾' }[theme]);
  set(at('theme'), 'aria-label', `Theme: ${theme}`);
  set(at('theme'), 'title', `Theme: ${theme}`);
}
at('theme').addEventListener('click', () => {
  theme = THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length];
  localStorage.setItem('pmr-theme', theme);
  paint();
});
paint();

listen('change', () => update());
addEventListener('hashchange', () => update(true));
update();
begin();
