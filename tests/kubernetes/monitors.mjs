// Checks the ServiceMonitors among the objects on standard input against the schema of the Prometheus operator.
//
//     node monitors.mjs MODULES < OBJECTS
import { readFileSync } from 'node:fs'
import { pathToFileURL } from 'node:url'

const module = `${process.argv[2]}/@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1/ServiceMonitor.js`
const { ServiceMonitor } = await import(pathToFileURL(module))
const monitors = JSON.parse(readFileSync(0, 'utf8')).filter(({ kind }) => kind === 'ServiceMonitor')
for (const monitor of monitors) new ServiceMonitor(monitor).validate()
console.log(`${monitors.length} are right`)
