type Answer = (datagram: Uint8Array) => void;

/** A UDP server on a free port of loopback. What cannot be sent is lost: devices that sleep have closed their sockets. */
export function serveDatagrams(receive: (address: string, datagram: Uint8Array, answer: Answer) => void) {
  return Bun.udpSocket({
    hostname: "127.0.0.1",
    port: 0,
    socket: {
      data(socket, datagram, port, address) {
        receive(`${address}:${port}`, datagram, (bytes) => {
          try {
            if (!socket.closed) socket.send(bytes, port, address);
          } catch {
            // an ICMP error of an earlier datagram
          }
        });
      },
      error() {},
    },
  });
}
