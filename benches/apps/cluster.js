'use strict'
// The same server as hello.js, run by Node's own cluster module.
const cluster = require('node:cluster')
if (cluster.isPrimary) for (let n = 0; n < 2; n += 1) cluster.fork()
else require('./hello.js')
