// A plain server for Bun. It knows nothing of clusters: it listens on PORT and, asked to stop, finishes what it is answering.

const server = Bun.serve({
  hostname: '0.0.0.0',
  port: Number(process.env.PORT ?? 3000),
  async fetch(request) {
    const url = new URL(request.url)
    if (url.pathname === '/slow') await Bun.sleep(Number(url.searchParams.get('ms') ?? 1000))
    return Response.json({ pid: process.pid, instance: process.env.PMR_INSTANCE, path: url.pathname })
  },
})

console.log(`pid ${process.pid} listens on ${server.port}`)

process.once('SIGTERM', async () => {
  console.log(`pid ${process.pid} stops`)
  await server.stop()
  process.exit()
})
