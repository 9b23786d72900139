/** A bare UDP echo on this runtime: what nobody can be faster than. Says its port. */
const socket = await Bun.udpSocket({
  hostname: "127.0.0.1",
  port: 0,
  socket: {
    data(own, datagram, port, address) {
      own.send(datagram, port, address);
    },
    error() {},
  },
});
console.log(socket.port);

export {}; // a module, so that it may wait at its top
