'use strict'
// Says who answers, by its pid.
//
//   /block/MS   is busy for so long before it answers, so that nothing else is answered by this worker
//   /wait/MS    answers after so long, without being busy
//   /flood/ID/N writes the lines `flood ID 1` to `flood ID N` to stdout first
//
// With REUSE_PORT=1 it listens with SO_REUSEPORT set, on its own (Node 23.1 and later).
const flood = (id, count) => {
  let lines = ''
  for (let n = 1; n <= count; n += 1) lines += `flood ${id} ${n}\n`
  process.stdout.write(lines)
}

const server = require('node:http').createServer((request, response) => {
  const [, what, first, second] = request.url.split('/')
  const answer = () => response.end(String(process.pid))
  if (what === 'wait') return setTimeout(answer, Number(first))
  if (what === 'block') for (const end = performance.now() + Number(first); performance.now() < end;);
  if (what === 'flood') flood(first, Number(second))
  answer()
})
const options = { port: process.env.PORT }
if (process.env.REUSE_PORT === '1') options.reusePort = true
server.listen(options)
