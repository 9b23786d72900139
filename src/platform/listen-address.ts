export type ListenAddress = { readonly hostname: string; readonly port: number };

/** `HOST:PORT`, an IPv6 address in brackets. Throws an Error that names the text when it is no such thing. */
export function parseListenAddress(text: string): ListenAddress {
  const colon = text.lastIndexOf(":");
  const port = Number(text.slice(colon + 1));
  const hostname = text.slice(0, colon).replace(/^\[(.*)\]$/, "$1");
  if (colon < 1 || !Number.isInteger(port) || port < 0 || port > 65_535) throw new Error(`${text} is not HOST:PORT`);
  return { hostname, port };
}

export const renderListenAddress = ({ hostname, port }: ListenAddress): string =>
  hostname.includes(":") ? `[${hostname}]:${port}` : `${hostname}:${port}`;
