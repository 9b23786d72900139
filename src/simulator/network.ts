/** The way of datagrams to one server. */
export type UdpSocket = {
  /** Never throws; what cannot be sent is lost, like any datagram. */
  send(datagram: Uint8Array): void;
  readonly port: number;
  close(): void;
};

export type LocalAddress = {
  /** Undefined: the system chooses. */
  readonly host: string | undefined;
  /** 0: any free one. */
  readonly port: number;
};

export type Network = {
  /** Rejects when there is no such address here, or the port is taken. What `receive` gets is its own to keep. */
  open(local: LocalAddress, receive: (datagram: Uint8Array) => void): Promise<UdpSocket>;
};
