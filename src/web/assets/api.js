// Asks the runtime: with the token where there is one, and by fetch for streams too, since EventSource sends no headers.

const KEY = 'pmr-token';

export const token = {
  get: () => sessionStorage.getItem(KEY),
  set: (value) => sessionStorage.setItem(KEY, value),
  forget: () => sessionStorage.removeItem(KEY),
};

// What the runtime says is wrong.
export class Failure extends Error {
  constructor(status, { code = 'failed', message = `status ${status}`, hint = null, details = [] } = {}) {
    super(message);
    Object.assign(this, { status, code, hint, details });
  }
}

async function request(path, options = {}) {
  const headers = { ...options.headers };
  const known = token.get();
  if (known) headers.authorization = `Bearer ${known}`;
  return fetch(path, { ...options, headers, cache: 'no-store' });
}

async function refuse(response) {
  const body = await response.json().catch(() => ({}));
  throw new Failure(response.status, body.error);
}

// The answer to a question; one that takes longer than `limit` counts as none.
export async function get(path, limit = 15000) {
  const response = await request(path, { signal: AbortSignal.timeout(limit) });
  return response.ok ? response.json() : refuse(response);
}

// Server-sent events, each given to `take(name, value)`, until the server ends or `signal` aborts.
export async function read(response, take) {
  let [pending, name, data] = ['', 'message', ''];
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    const lines = (pending + value).split('\n');
    pending = lines.pop();
    for (const line of lines) {
      if (line.startsWith('event: ')) name = line.slice(7);
      else if (line.startsWith('data: ')) data += line.slice(6);
      else if (line === '' && data) {
        take(name, JSON.parse(data));
        [name, data] = ['message', ''];
      }
    }
  }
}

export async function stream(path, signal, take, opened = () => {}) {
  const response = await request(path, { signal, headers: { accept: 'text/event-stream' } });
  if (!response.ok) await refuse(response);
  opened();
  await read(response, take);
}

// A change: `progress` hears what happens meanwhile; gives the verdicts.
export async function change(method, path, body, progress) {
  const headers = { accept: 'text/event-stream', 'content-type': 'application/json' };
  const response = await request(path, { method, headers, body: body && JSON.stringify(body) });
  if (!response.ok && response.headers.get('content-type') !== 'text/event-stream') {
    const answer = await response.json().catch(() => ({}));
    if (answer.verdicts) return answer.verdicts;
    throw new Failure(response.status, answer.error);
  }
  let verdicts = [];
  await read(response, (name, value) => {
    if (name === 'progress') progress(value);
    else if (name === 'verdict') verdicts = value.verdicts;
    else if (name === 'error') throw new Failure(409, value.error);
  });
  if (verdicts.length === 0) throw new Failure(0, { message: 'the runtime went away before it told how this ended' });
  return verdicts;
}

// A file that the runtime makes, and the name that it gives it.
export async function download(path) {
  const response = await request(path, { method: 'POST' });
  if (!response.ok) await refuse(response);
  const name = /filename="?([^";]+)/.exec(response.headers.get('content-disposition') ?? '')?.[1] ?? 'pmr-download';
  return { name, blob: await response.blob() };
}

export const app = (name, rest = '') => `/v1/apps/${encodeURIComponent(name)}${rest}`;
