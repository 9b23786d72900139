/**
 * Which session a datagram belongs to, for all sessions that there are: so nothing that comes from nowhere leads to a
 * look-up on disk. Keys are numbers wherever 48 bits are enough, since a sleeping device costs one entry.
 */

/** Of the connection ids that we give out; it is written in no record, and stored sessions have it. */
export const CONNECTION_ID_LENGTH = 6;

/** Of a connection id of ours. */
export const connectionKey = (id: Uint8Array): number =>
  (((id[0] as number) << 8) | (id[1] as number)) * 2 ** 32 +
  (((id[2] as number) << 8) | (id[3] as number)) * 2 ** 16 +
  (((id[4] as number) << 8) | (id[5] as number));

export type AddressKey = number | string;

export function addressKey(address: string, port: number): AddressKey {
  let value = 0;
  let part = 0;
  let dots = 0;
  for (let at = 0; at < address.length; at++) {
    const code = address.charCodeAt(at);
    if (code === 46) {
      value = value * 256 + part;
      part = 0;
      dots++;
    } else if (code >= 48 && code <= 57) {
      part = part * 10 + code - 48;
    } else {
      return `${address} ${port}`; // IPv6
    }
  }
  return dots === 3 ? (value * 256 + part) * 65_536 + port : `${address} ${port}`;
}

/** Where a session is reached: by the id in the device's records if it has one, else by its address alone. */
export type Route = {
  readonly connectionId: Uint8Array | undefined;
  readonly address: string;
  readonly port: number;
};

export function sessionRoutes() {
  const byConnection = new Map<number, number>();
  const byAddress = new Map<AddressKey, number>();
  const place = ({ connectionId, address, port }: Route) =>
    connectionId
      ? { map: byConnection as Map<AddressKey, number>, key: connectionKey(connectionId) }
      : { map: byAddress, key: addressKey(address, port) };
  return {
    ofConnection: (key: number): number | undefined => byConnection.get(key),
    ofAddress: (key: AddressKey): number | undefined => byAddress.get(key),
    /** The number of the session that had this place before. */
    add(route: Route, no: number): number | undefined {
      const { map, key } = place(route);
      const earlier = map.get(key);
      map.set(key, no);
      return earlier === no ? undefined : earlier;
    },
    holder(route: Route): number | undefined {
      const { map, key } = place(route);
      return map.get(key);
    },
    remove(route: Route, no: number): void {
      const { map, key } = place(route);
      if (map.get(key) === no) map.delete(key);
    },
    get size() {
      return byConnection.size + byAddress.size;
    },
  };
}
export type SessionRoutes = ReturnType<typeof sessionRoutes>;
