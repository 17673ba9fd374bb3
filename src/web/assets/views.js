// The views of all apps together, and of the machine.

import { empty, facts, h, panel, part, text } from './dom.js';
import { Figures, byApp } from './figures.js';
import * as write from './format.js';
import { state } from './store.js';
import { appsTable } from './table.js';

export function overview() {
  const figures = new Figures({ hasRestarts: false });
  const table = appsTable();
  const none = empty('No app is running. ', h('code', null, 'pmr start server.js'), ' begins one.');
  const title = h('h1');
  const count = (many, one) => `${many} ${one}${many === 1 ? '' : 's'}`;
  return {
    title: 'Apps',
    node: h('div', null, title, figures.node, table.node, none),
    update() {
      const all = state.apps.flatMap((it) => it.instances);
      text(
        title,
        `${count(state.apps.length, 'app')}, ${all.filter((it) => it.status === 'online').length} of ${count(all.length, 'instance')} online`,
      );
      none.hidden = state.apps.length > 0;
      table.node.hidden = !none.hidden;
      figures.node.hidden = !none.hidden;
      figures.update(byApp());
      table.update(state.apps);
    },
  };
}

export function machine() {
  const below = h('div', { class: 'panels' });
  const show = part(below, ({ machine: of, ...runtime }, apps) => [
    panel(
      'Machine',
      facts([
        ['Host', of.host],
        ['CPUs', `${of.cpus} that may be used`],
        ['CPU model', of.cpu_model],
        ['Architecture', of.architecture],
        ['Kernel', of.kernel],
        ['Load', of.load?.map((it) => it.toFixed(2)).join('  ')],
        ['Memory limit', of.memory_limit_bytes ? write.bytes(of.memory_limit_bytes) : 'none'],
        [
          'Memory',
          of.memory_total_bytes &&
            `${write.bytes(of.memory_available_bytes)} of ${write.bytes(of.memory_total_bytes)} available`,
        ],
      ]),
    ),
    panel(
      'Runtime',
      facts([
        ['Version', runtime.version],
        ['PID', String(runtime.pid)],
        ['Mode', runtime.mode],
        ['Uptime', write.duration(runtime.uptime_ms)],
        ['Updates in place', String(runtime.updates)],
        ['Own memory', write.bytes(runtime.memory_bytes)],
        ['Own CPU time', runtime.cpu_time_ms && write.duration(runtime.cpu_time_ms)],
        ['User', runtime.user],
        ['Command', h('code', null, write.words(runtime.command))],
        ['Directory', h('code', null, runtime.directory)],
        ['Control socket', h('code', null, runtime.socket)],
        ['Web server', runtime.web],
      ]),
    ),
    panel(
      'Versions',
      facts(
        apps.map(([name, program, version, own]) => [
          name,
          [own && `version ${own}`, program && `${program} ${version ?? ''}`].filter(Boolean).join(', ') ||
            write.nothing,
        ]),
      ),
    ),
  ]);
  return {
    title: 'Machine',
    node: h('div', null, h('h1', null, 'Machine'), below),
    update: () =>
      show(
        state.runtime,
        state.apps.map((it) => [
          it.name,
          it.interpreter?.program.split('/').pop(),
          it.interpreter?.version,
          it.version,
        ]),
      ),
  };
}
