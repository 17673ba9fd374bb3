// The charts of an app, an instance or all apps, with their legend, their range, and the same in a table.

import { COLOURS, Chart, Group, MOST_NAMED } from './charts.js';
import { h, set, text } from './dom.js';
import * as write from './format.js';
import * as history from './history.js';
import { setRange, state } from './store.js';

const KINDS = [
  { title: 'CPU', column: 'cpu_percent', write: write.percent, floor: 10 },
  { title: 'Memory', column: 'memory_bytes', write: write.bytes, floor: 1 << 20, base: 1024 },
  { title: 'Loop delay, p99', column: 'loop_delay_ms', write: write.millis, peaks: true, worst: true, floor: 5 },
  { title: 'Requests per second', column: 'requests_per_second', write: write.number, floor: 5 },
  { title: 'Requests in flight', column: 'in_flight', write: write.count, peaks: true, floor: 5 },
];
const TABLE_ROWS = 12;
const ALWAYS = ['cpu_percent', 'memory_bytes'];

const isKnown = (value) => value !== null && value !== undefined;
const combine = (values, worst) => {
  const found = values.filter(isKnown);
  if (found.length === 0) return null;
  return worst ? Math.max(...found) : found.reduce((sum, value) => sum + value, 0);
};

// One column for several instances together.
function merge(series, column, worst) {
  if (series.length === 1) return series[0].columns[column];
  const length = series[0]?.columns[column].length ?? 0;
  return Array.from({ length }, (_, at) =>
    combine(
      series.map((one) => one.columns[column][at]),
      worst,
    ),
  );
}

// How many steps ago workers were started in the place of others.
function restartsOf(series, shown) {
  const found = new Set();
  for (const {
    columns: { restarts },
  } of series) {
    for (let back = 0; back < Math.min(shown, restarts.length); back += 1)
      if (restarts[restarts.length - 1 - back] > 0) found.add(back);
  }
  return [...found];
}

export class Figures {
  // Without a range it shows what it is given, as it is. Of many apps, restarts would only cover the lines.
  constructor({ hasRange = true, hasRestarts = true } = {}) {
    this.hasRestarts = hasRestarts;
    this.group = new Group();
    this.isLive = hasRange;
    this.charts = KINDS.map((kind) => new Chart(this.group, kind));
    this.legend = h('ul', { class: 'legend', 'aria-label': 'Lines' });
    this.note = h('span', { class: 'muted' });
    this.table = h('div', {
      class: 'scroll',
      hidden: true,
      tabindex: 0,
      role: 'region',
      'aria-label': 'Figures as a table',
    });
    this.grid = h(
      'div',
      { class: 'charts' },
      this.charts.map((chart) => chart.node),
    );
    this.ranges = history.RANGES.map((range) =>
      h('button', { type: 'button', onclick: () => setRange(range) }, range.name),
    );
    this.asTable = h('button', { type: 'button', 'aria-pressed': 'false', onclick: () => this.toggle() }, 'Table');
    this.node = h(
      'section',
      { class: 'figures', 'aria-label': 'Figures' },
      h(
        'div',
        { class: 'row' },
        this.legend,
        this.note,
        h(
          'div',
          { class: 'segments', role: 'group', 'aria-label': 'Range' },
          hasRange ? this.ranges : null,
          this.asTable,
        ),
      ),
      this.grid,
      this.table,
    );
  }

  toggle() {
    this.table.hidden = !this.table.hidden;
    this.grid.hidden = !this.table.hidden;
    set(this.asTable, 'aria-pressed', !this.table.hidden);
    this.tabulate();
  }

  // `groups` are `{ name, series }`, a line for each, out of the history in `source`.
  update(groups, source = history.window_(state.range), span = state.range.span) {
    this.ranges.forEach((button, at) => set(button, 'aria-pressed', history.RANGES[at] === state.range));
    if (source.end === null) return;
    this.last = { groups, source, span };
    const restarts = !this.hasRestarts
      ? []
      : restartsOf(
          groups.flatMap(({ series }) => series),
          Math.round(span / source.step),
        );
    for (const chart of this.charts) {
      const lines = groups.map(({ name, series, colour }, at) => ({
        name,
        colour: colour ?? at,
        values: merge(series, chart.column, chart.worst),
      }));
      chart.node.hidden = !ALWAYS.includes(chart.column) && !lines.some(({ values }) => values.some(isKnown));
      chart.update({ end: source.end, step: source.step, span, lines, restarts, isLive: this.isLive });
    }
    this.explain(groups, restarts.length > 0);
    text(this.note, source.step === 2000 ? 'since this page was opened' : '');
    this.tabulate();
  }

  // The legend; one line needs none.
  explain(groups, hasRestarts) {
    const names = JSON.stringify([groups.map(({ name }) => name), hasRestarts]);
    if (this.names === names) return;
    this.names = names;
    const named = groups.length > 1 ? groups.slice(0, MOST_NAMED) : [];
    const lines = named.map(({ name, colour }, at) => h('li', { class: `key c${(colour ?? at) % COLOURS}` }, name));
    if (groups.length > MOST_NAMED) lines.push(h('li', null, `and ${groups.length - MOST_NAMED} more`));
    this.legend.replaceChildren(...lines, ...(hasRestarts ? [h('li', { class: 'key restart' }, 'restart')] : []));
  }

  tabulate() {
    if (this.table.hidden || !this.last) return;
    const { groups, source, span } = this.last;
    const shown = Math.min(Math.round(span / source.step), source.length);
    const every = Math.max(Math.ceil(shown / TABLE_ROWS), 1);
    const charts = this.charts.filter((chart) => !chart.node.hidden);
    const rows = [];
    for (let back = 0; back < shown; back += every) {
      const values = charts.map((chart) =>
        chart.write(
          combine(
            groups.flatMap(({ series }) => series.map((one) => one.columns[chart.column][source.length - 1 - back])),
            chart.worst,
          ),
        ),
      );
      rows.push(
        h(
          'tr',
          null,
          h('th', { scope: 'row' }, write.clock(source.end - back * source.step)),
          values.map((value) => h('td', null, value)),
        ),
      );
    }
    const head = h(
      'tr',
      null,
      ['Time', ...charts.map(({ title }) => title)].map((title) => h('th', { scope: 'col' }, title)),
    );
    this.table.replaceChildren(h('table', { class: 'grid' }, h('thead', null, head), h('tbody', null, rows)));
  }
}

// All instances of an app, as lines.
export const byInstance = (app, source = history.window_(state.range)) =>
  [...source.series.values()]
    .filter((one) => one.app === app)
    .sort((a, b) => a.instance - b.instance)
    .map((one) => ({ name: `${app}.${one.instance}`, series: [one], colour: one.instance }));

// A line for each app.
export function byApp(source = history.window_(state.range)) {
  return (state.apps ?? [])
    .map(({ name }) => ({ name, series: [...source.series.values()].filter((one) => one.app === name) }))
    .filter(({ series }) => series.length > 0);
}
