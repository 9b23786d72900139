export type ListenAddress = { readonly hostname: string; readonly port: number };

/** `HOST:PORT` (IPv6 in brackets) of a checked configuration; undefined for `off`. */
export function parseListen(text: string): ListenAddress | undefined {
  if (text === "off") return undefined;
  const at = text.lastIndexOf(":");
  return { hostname: text.slice(0, at).replace(/^\[|\]$/g, ""), port: Number(text.slice(at + 1)) };
}

export const renderAddress = ({ hostname, port }: ListenAddress) =>
  hostname.includes(":") ? `[${hostname}]:${port}` : `${hostname}:${port}`;
