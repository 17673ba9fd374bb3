// Makes and updates elements. What is unchanged is left alone, so that focus, selection and scroll positions stay.

function apply(node, props) {
  for (const [name, value] of Object.entries(props ?? {})) {
    if (name.startsWith('on')) node.addEventListener(name.slice(2), value);
    else if (name === 'value' || name === 'checked') node[name] = value;
    else if (value === true) node.setAttribute(name, '');
    else if (value !== false && value !== null && value !== undefined) node.setAttribute(name, value);
  }
}

function make(node, props, children) {
  apply(node, props);
  node.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return node;
}

export const h = (tag, props, ...children) => make(document.createElement(tag), props, children);
export const s = (tag, props, ...children) =>
  make(document.createElementNS('http://www.w3.org/2000/svg', tag), props, children);

export function text(node, value) {
  const string = String(value);
  if (node.textContent !== string) node.textContent = string;
}

export function set(node, name, value) {
  const string = value === null || value === false ? null : String(value);
  if (node.getAttribute(name) === string) return;
  if (string === null) node.removeAttribute(name);
  else node.setAttribute(name, string);
}

// Brings the children of `parent` in line with `items`; `create(item)` gives `{ node, update(item) }`, kept by `key(item)`.
export function keyed(parent, kept, items, key, create) {
  const seen = new Set();
  let place = parent.firstChild;
  for (const item of items) {
    const name = key(item);
    seen.add(name);
    if (!kept.has(name)) kept.set(name, create(item));
    const { node, update } = kept.get(name);
    update(item);
    if (node === place) place = place.nextSibling;
    else parent.insertBefore(node, place);
  }
  for (const [name, { node }] of kept) {
    if (seen.has(name)) continue;
    node.remove();
    kept.delete(name);
  }
}

// A part of the page that is made anew when what it is made of differs.
export function part(parent, create) {
  let last;
  return (...made) => {
    const now = JSON.stringify(made);
    if (now === last) return;
    last = now;
    parent.replaceChildren(...[create(...made)].flat(Infinity).filter(Boolean));
  };
}

// Names and values, those that are known.
export function facts(list) {
  return h(
    'dl',
    { class: 'facts' },
    list
      .filter(([, value]) => value !== null && value !== undefined && value !== '')
      .map(([name, value]) => h('div', null, h('dt', null, name), h('dd', null, value))),
  );
}

// What may be wider than the page; with a tab stop of its own where nothing in it has one.
export const scroll = (label, ...children) =>
  h('div', { class: 'scroll', tabindex: 0, role: 'region', 'aria-label': label }, children);

export const panel = (title, ...children) => h('section', { class: 'panel' }, h('h2', null, title), children);
export const empty = (...children) => h('p', { class: 'empty' }, children);
