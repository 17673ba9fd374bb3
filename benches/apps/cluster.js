'use strict'
// A server run by Node's own cluster module: hello.js twice, or APP with so many WORKERS.
const cluster = require('node:cluster')
if (cluster.isPrimary) for (let n = 0; n < Number(process.env.WORKERS ?? 2); n += 1) cluster.fork()
else require(process.env.APP ?? './hello.js')
