export { type CaCertificates, parseCaCertificates } from "./ca-certificates";
export type { OwnFiles } from "./own-files";
export { CertificateError } from "./pem";
export { loadServerTls, type TlsOptions } from "./server-tls";
export type { ServerTls } from "./tls-files";
