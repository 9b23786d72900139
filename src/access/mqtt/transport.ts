/** The only module here that knows Bun: TCP and TLS sockets as the listener uses them. */

/** What a connection does with its socket. Bun's own socket has this shape, so nothing is wrapped. */
export interface ClientSocket {
  /** Bytes taken, which can be fewer than given; below zero when the socket is closed. */
  write(bytes: Uint8Array, offset?: number, length?: number): number;
  /** Sends what was written, then closes. */
  end(): void;
  /** Closes at once and drops what was not sent. */
  terminate(): void;
  pause(): void;
  resume(): void;
  setKeepAlive(enable: boolean, initialDelayMs: number): boolean;
  readonly remoteAddress: string;
  readonly localAddress: string;
}

export type SocketEvents<C> = {
  /** Undefined turns the client away at once. With TLS this comes before the handshake. */
  accepted(socket: ClientSocket): C | undefined;
  data(connection: C, chunk: Buffer): void;
  /** There may be room for output again. Can come without need. */
  drained(connection: C): void;
  closed(connection: C): void;
};

export type TlsFiles = { readonly key: string; readonly cert: string };
export type TransportListener = {
  readonly hostname: string;
  readonly port: number;
  /** Accepts no more; open connections stay. */
  stop(): void;
};

type Options<C> = { hostname: string; port: number; tls?: TlsFiles | undefined; events: SocketEvents<C> };

/** Throws when the address is taken or the certificate is no good. Errors of a socket end in `closed`. */
export function listenTcp<C>({ hostname, port, tls, events }: Options<C>): TransportListener {
  const listener = Bun.listen<C | undefined>({
    hostname,
    port,
    exclusive: true,
    // Released buffers cost an idle TLS connection less than the second copy costs a busy one.
    ...(tls && { tls: { ...tls, lowMemoryMode: true } }),
    socket: {
      binaryType: "buffer",
      open(socket) {
        socket.data = events.accepted(socket);
        if (socket.data === undefined) socket.terminate();
      },
      data(socket, chunk) {
        if (socket.data !== undefined) events.data(socket.data, chunk);
      },
      drain(socket) {
        if (socket.data !== undefined) events.drained(socket.data);
      },
      close(socket) {
        const connection = socket.data;
        socket.data = undefined;
        if (connection !== undefined) events.closed(connection);
      },
      error(socket) {
        socket.terminate();
      },
      // With this handler `open` comes when TCP is connected, so that silent clients are counted and timed out.
      handshake(socket, isComplete) {
        if (!isComplete) socket.terminate(); // that no client certificate was asked for is no failure
      },
    },
  });
  return { hostname: listener.hostname, port: listener.port, stop: () => listener.stop(false) };
}
