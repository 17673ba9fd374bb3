'use strict'
// The smallest HTTP server: its start is all that is measured.
require('node:http').createServer((request, response) => response.end('hello\n')).listen(process.env.PORT)
