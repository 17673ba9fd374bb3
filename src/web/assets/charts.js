// Line charts in SVG that share a cursor: the mouse, a finger or the arrow keys move it, and every chart tells its values there.

import { h, s, set, text } from './dom.js';
import { clock, duration } from './format.js';

const WIDTH = 600;
const HEIGHT = 100;
const BUCKETS = 240;
export const COLOURS = 8;
// More names than these help nobody.
export const MOST_NAMED = 12;

// Values of `length` times in as many places as can be seen: the mean of each, or the greatest.
function thin(values, peaks) {
  const size = Math.ceil(values.length / BUCKETS);
  if (size <= 1) return { size: 1, values };
  const found = [];
  // From the end, so that places do not jump as time goes on.
  for (let end = values.length; end > 0; end -= size) {
    const some = values.slice(Math.max(end - size, 0), end).filter((value) => value !== null);
    if (some.length === 0) found.unshift(null);
    else found.unshift(peaks ? Math.max(...some) : some.reduce((sum, value) => sum + value, 0) / some.length);
  }
  return { size, values: found };
}

// A number that is round in powers of `base`, and no less than `value`.
function ceiling(value, base) {
  const unit = base ** Math.floor(Math.log(value) / Math.log(base));
  return [1, 1.5, 2, 3, 4, 5, 6, 8, 10, 16, 32, 64, 128, 256, 512, 1024].find((part) => part * unit >= value) * unit;
}

// Charts that move together.
export class Group {
  constructor() {
    Object.assign(this, { charts: [], at: null, by: null });
  }

  // `at` is a time, or null; `by` is the chart that shows all lines.
  point(at, by) {
    Object.assign(this, { at, by });
    for (const chart of this.charts) chart.showCursor();
  }
}

export class Chart {
  // `peaks`: of several values in one place the greatest is shown; `worst`: of several lines, instead of their sum.
  constructor(group, { title, column, write, peaks = false, worst = false, floor = 1, base = 10 }) {
    Object.assign(this, { group, title, column, write, peaks, worst, floor, base, model: null, paths: [] });
    this.lines = s('g');
    this.restarts = s('path', { class: 'restarts' });
    this.cursor = s('line', { class: 'cursor', y1: 0, y2: HEIGHT, visibility: 'hidden' });
    this.tip = h('div', { class: 'tip', hidden: true, 'aria-hidden': 'true' });
    this.value = h('span', { class: 'value' });
    this.top = h('span', { class: 'top' });
    this.from = h('span');
    this.to = h('span');
    const grid = [0.25, 0.5, 0.75].map((at) =>
      s('line', { class: 'grid', x1: 0, x2: WIDTH, y1: at * HEIGHT, y2: at * HEIGHT }),
    );
    const image = s(
      'svg',
      { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: 'none', 'aria-hidden': 'true' },
      grid,
      this.lines,
      this.restarts,
      this.cursor,
    );
    this.plot = h(
      'div',
      {
        class: 'plot',
        tabindex: 0,
        role: 'slider',
        'aria-label': `${title} over time`,
        'aria-valuemin': 0,
        'aria-valuemax': 0,
        'aria-valuenow': 0,
        'aria-valuetext': 'nothing is known yet',
        onpointermove: (event) => this.follow(event),
        onpointerdown: (event) => this.follow(event),
        onpointerleave: () => group.point(null),
        onblur: () => group.point(null),
        onkeydown: (event) => this.step(event),
      },
      image,
      this.tip,
    );
    this.node = h(
      'figure',
      { class: 'chart' },
      h('figcaption', null, h('span', { class: 'name' }, title), this.value),
      this.plot,
      h('div', { class: 'axis', 'aria-hidden': 'true' }, this.from, this.top, this.to),
    );
    group.charts.push(this);
  }

  // `lines` are `{ name, colour, values }`, their last value that of `end`; `restarts` how many steps before it there were some.
  update({ end, step, span, lines, isLive, restarts }) {
    const shown = Math.max(Math.round(span / step), 1);
    this.model = {
      end,
      step,
      shown,
      isLive,
      lines: lines.map((line) => ({ ...line, values: line.values.slice(-shown) })),
    };
    const thinned = this.model.lines.map((line) => thin(line.values, this.peaks));
    const greatest = thinned
      .flatMap(({ values }) => values)
      .reduce((top, value) => Math.max(top, value ?? 0), this.floor);
    const most = ceiling(greatest, this.base);
    // Of each line the area beneath it, where few lie upon each other, and the line.
    while (this.paths.length < 2 * lines.length) this.paths.push(this.lines.appendChild(s('path')));
    while (this.paths.length > 2 * lines.length) this.paths.pop().remove();
    thinned.forEach(({ size, values }, at) => {
      const colour = this.model.lines[at].colour % COLOURS;
      const pieces = this.draw(values, size, most, shown);
      set(this.paths[2 * at], 'class', `area c${colour}`);
      set(
        this.paths[2 * at],
        'd',
        lines.length > 2
          ? ''
          : pieces.map(({ from, path }) => `M${from} ${HEIGHT}L${path.slice(1)}V${HEIGHT}z`).join(''),
      );
      set(this.paths[2 * at + 1], 'class', `line c${colour}`);
      set(this.paths[2 * at + 1], 'd', pieces.map(({ path }) => path).join(''));
    });
    set(
      this.restarts,
      'd',
      restarts.map((back) => `M${(WIDTH * (1 - back / Math.max(shown - 1, 1))).toFixed(1)} 0V${HEIGHT}`).join(''),
    );
    text(this.top, `max ${this.write(most)}`);
    text(this.from, isLive ? `−${duration(span)}` : clock(end - span));
    text(this.to, isLive ? 'now' : clock(end));
    set(this.plot, 'aria-valuemax', shown - 1);
    this.showCursor();
  }

  // A path for each stretch without gaps, with where it begins.
  draw(values, size, most, shown) {
    const pieces = [];
    let isOpen = false;
    const last = values.length - 1;
    values.forEach((value, at) => {
      if (value !== null) {
        const x = (WIDTH - ((last - at) * size * WIDTH) / Math.max(shown - 1, 1)).toFixed(1);
        const y = (HEIGHT - (value / most) * (HEIGHT - 2) - 1).toFixed(1);
        // A single point is a dot: a line of no length with round ends.
        if (isOpen) pieces.at(-1).path += `L${x} ${y}`;
        else pieces.push({ from: x, path: `M${x} ${y}h0` });
      }
      isOpen = value !== null;
    });
    return pieces;
  }

  follow(event) {
    if (!this.model) return;
    const box = this.plot.getBoundingClientRect();
    const part = Math.min(Math.max((event.clientX - box.left) / box.width, 0), 1);
    this.group.point(this.model.end - Math.round((1 - part) * (this.model.shown - 1)) * this.model.step, this);
  }

  step(event) {
    if (!this.model) return;
    const { end, step, shown } = this.model;
    const far = Math.max(Math.round(shown / 20), 1);
    const moves = {
      ArrowLeft: -1,
      ArrowDown: -1,
      ArrowRight: 1,
      ArrowUp: 1,
      PageDown: -far,
      PageUp: far,
      Home: -shown,
      End: shown,
    };
    if (event.key === 'Escape') this.group.point(null);
    if (!(event.key in moves)) return;
    event.preventDefault();
    const first = end - (shown - 1) * step;
    const at = (this.group.at ?? end + (moves[event.key] < 0 ? step : 0)) + moves[event.key] * step;
    this.group.point(Math.min(Math.max(at, first), end), this);
  }

  // The value of a line at `at`, or the last known one before it within a few steps.
  at(line, at) {
    const back = Math.round((this.model.end - at) / this.model.step);
    return line.values[line.values.length - 1 - back] ?? null;
  }

  showCursor() {
    if (!this.model) return;
    const { end, step, shown, isLive, lines } = this.model;
    const { at, by } = this.group;
    const isOn = at !== null && at <= end && at >= end - (shown - 1) * step;
    const x = isOn ? (1 - (end - at) / step / Math.max(shown - 1, 1)) * WIDTH : 0;
    set(this.cursor, 'visibility', isOn ? 'visible' : 'hidden');
    set(this.cursor, 'x1', x);
    set(this.cursor, 'x2', x);
    const values = lines.map((line) => [line, isOn ? this.at(line, at) : (line.values.at(-1) ?? null)]);
    const sum = values.filter(([, value]) => value !== null).map(([, value]) => value);
    const whole = sum.length === 0 ? null : this.worst ? Math.max(...sum) : sum.reduce((all, value) => all + value, 0);
    text(this.value, this.write(whole));
    set(this.plot, 'aria-valuenow', isOn ? Math.round((x / WIDTH) * (shown - 1)) : shown - 1);
    const told = values.map(([line, value]) => `${line.name} ${this.write(value)}`).join(', ');
    set(this.plot, 'aria-valuetext', `${isOn ? clock(at) : isLive ? 'now' : clock(end)}: ${told}`);
    this.tip.hidden = !(isOn && by === this);
    if (this.tip.hidden) return;
    this.tip.replaceChildren(
      h('b', null, clock(at)),
      // Of many the greatest, in the order of the others.
      ...values
        .filter(([, value]) => value >= (sum.toSorted((a, b) => b - a)[MOST_NAMED - 1] ?? -1))
        .slice(0, MOST_NAMED)
        .map(([line, value]) =>
          h('span', { class: `key c${line.colour % COLOURS}` }, line.name, h('i', null, this.write(value))),
        ),
    );
    this.tip.classList.toggle('left', x > WIDTH / 2);
    this.tip.style.left = `${(x / WIDTH) * 100}%`;
  }
}
