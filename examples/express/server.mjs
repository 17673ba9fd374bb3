// An Express app as an ES module. It has no code for clusters and none for signals.

import express from 'express'

const app = express()
const port = Number(process.env.PORT ?? 3000)

app.get('/', (request, response) => {
  response.json({ pid: process.pid, instance: process.env.NODE_APP_INSTANCE })
})

app.get('/slow', (request, response) => {
  const delay = Number(request.query.ms ?? 1000)
  setTimeout(() => response.json({ pid: process.pid, waited: delay }), delay)
})

app.listen(port, () => console.log(`pid ${process.pid} listens on ${port}`))
