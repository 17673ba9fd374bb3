'use strict'
// An HTTP server, of Express if EXPRESS says where that is, that every second turn asks our script in its own process how it does,
// each second, as the runtime does it for whoever looks. GET /turns tells what each turn cost.
const { createServer } = require('node:http')

const { PORT, EXPRESS, NODE_OPTIONS } = process.env
// In the first second of a turn the script learns how much there is to hear; the next one counts.
const TICK_MS = 1000
const TICKS = 2

const [, agent] = /--require[= ]"?([^\s"]*agent[^\s"]*)/.exec(NODE_OPTIONS)
const meter = require(agent.replace(/agent([^/]*)$/, 'meter$1'))

const pid = String(process.pid)
let answers = 0
let before
let isAsked = false
let tick = 0
const turns = []

function answer(request, response) {
  answers += 1
  if (request.url === '/turns') response.end(JSON.stringify(turns))
  else if (EXPRESS) response.send(pid)
  else response.end(pid)
}

function server() {
  if (!EXPRESS) return createServer(answer)
  const app = require(EXPRESS)()
  app.get('/', answer)
  app.get('/turns', answer)
  return createServer(app)
}

setInterval(() => {
  if (tick === 1) before = { answers, cpu: process.cpuUsage(), at: performance.now() }
  if (tick === TICKS) {
    const { user, system } = process.cpuUsage(before.cpu)
    const count = answers - before.answers
    turns.push({ isAsked, rate: count / (performance.now() - before.at) * 1000, cpu: (user + system) / count })
    meter.end()
    isAsked = !isAsked
    tick = 0
  }
  if (isAsked) process.kill(process.pid, 'SIGURG')
  tick += 1
}, TICK_MS)

server().listen(PORT)
