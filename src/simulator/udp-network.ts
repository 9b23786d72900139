import type { Network } from "./network";

/** The only place of the simulator that knows the sockets of Bun. */
export function udpNetwork(server: { readonly host: string; readonly port: number }): Network {
  return {
    async open({ host, port }, receive) {
      const socket = await Bun.udpSocket({
        ...(host !== undefined && { hostname: host }),
        port,
        connect: { hostname: server.host, port: server.port },
        socket: {
          data: (_socket, datagram) => receive(datagram),
          // ICMP says that nobody listens; a device hears nothing of it. Unhandled it would end the process.
          error() {},
        },
      });
      return {
        port: socket.port,
        send(datagram) {
          try {
            if (!socket.closed) socket.send(datagram);
          } catch {
            // the error of an earlier datagram, or a full buffer
          }
        },
        close() {
          if (!socket.closed) socket.close();
        },
      };
    },
  };
}
