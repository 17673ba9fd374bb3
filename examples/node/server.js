'use strict'
// A plain HTTP server. It knows nothing of clusters: it listens on PORT and, asked to stop, finishes what it is answering.

const http = require('node:http')

const port = Number(process.env.PORT ?? 3000)

const server = http.createServer((request, response) => {
  const url = new URL(request.url, 'http://localhost')
  const delay = url.pathname === '/slow' ? Number(url.searchParams.get('ms') ?? 1000) : 0
  setTimeout(() => {
    response.setHeader('content-type', 'application/json')
    response.end(JSON.stringify({ pid: process.pid, instance: process.env.NODE_APP_INSTANCE, path: url.pathname }) + '\n')
  }, delay)
})

// Longer than the 90 s for which Heroku's router keeps a connection, so that it is never we who close first.
server.keepAliveTimeout = 95_000

server.listen(port, () => console.log(`pid ${process.pid} listens on ${port}`))

process.once('SIGTERM', () => {
  console.log(`pid ${process.pid} stops`)
  server.close()
  server.closeIdleConnections()
})
