// A server that takes 1.5 s to boot and says who it is.
setTimeout(() => {
  require('http').createServer((_, response) => response.end(`${process.pid}`)).listen(process.env.PORT);
}, 1500);
