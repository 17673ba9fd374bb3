'use strict'
// For pm2: who.js with so many WORKERS, which may be restarted as often as need be.
module.exports = {
  apps: [{ script: `${__dirname}/who.js`, instances: Number(process.env.WORKERS), exec_mode: 'cluster', max_restarts: 1e6 }]
}
