// Figures and times for people.

const DASH = '–';

const known = (write) => (value) =>
  value === null || value === undefined || Number.isNaN(value) ? DASH : write(value);

// Three digits are enough to compare by.
function short(value) {
  if (value === 0) return '0';
  if (value < 10) return value.toFixed(1);
  return value < 10000 ? Math.round(value).toString() : `${(value / 1000).toFixed(value < 1e5 ? 1 : 0)}k`;
}

export const number = known(short);
export const count = known((value) => Math.round(value).toString());
export const percent = known((value) => `${short(value)} %`);
export const share = known((value) => `${Math.round(value * 100)} %`);
export const millis = known((value) => (value < 1000 ? `${short(value)} ms` : `${(value / 1000).toFixed(1)} s`));
export const bytes = known((value) => {
  if (value < 1024) return `${value} B`;
  const units = ['KB', 'MB', 'GB', 'TB'];
  let at = -1;
  for (; value >= 1024 && at < units.length - 1; at += 1) value /= 1024;
  return `${value < 10 ? value.toFixed(1) : Math.round(value)} ${units[at]}`;
});

// Two units at most: `3d 4h`.
export const duration = known((ms) => {
  const seconds = Math.floor(ms / 1000);
  const parts = [
    [Math.floor(seconds / 86400), 'd'],
    [Math.floor(seconds / 3600) % 24, 'h'],
    [Math.floor(seconds / 60) % 60, 'm'],
    [seconds % 60, 's'],
  ];
  const first = parts.findIndex(([value]) => value > 0);
  if (first < 0) return '0s';
  return parts
    .slice(first, first + 2)
    .filter(([value], at) => at === 0 || value > 0)
    .map((part) => part.join(''))
    .join(' ');
});

const two = (value) => String(value).padStart(2, '0');

export const clock = known((ms) => {
  const at = new Date(ms);
  return `${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}`;
});

// The day as well, where that is not today.
export const moment = known((ms) => {
  const at = new Date(ms);
  const day =
    at.toDateString() === new Date().toDateString()
      ? ''
      : `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())} `;
  return day + clock(ms);
});

// A command as a shell takes it.
export function words(list) {
  return list.map((word) => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`)).join(' ');
}

export const nothing = DASH;
