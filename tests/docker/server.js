'use strict'
// Answers at once on `/`, after three seconds on `/slow`; says when a slow request has begun. Has no signal handler.

const http = require('node:http')

http
  .createServer((request, response) => {
    if (request.url !== '/slow') return response.end(JSON.stringify({ pid: process.pid }))
    console.log('slow request begun')
    setTimeout(() => response.end('slow request answered\n'), 3000)
  })
  .listen(Number(process.env.PORT))
