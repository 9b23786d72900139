import { describe, expect, test } from "bun:test";
import { DomainError } from "../../platform/domain-error";
import { parseCallbackUrl } from "./callback-url";

describe("a legal callback address", () => {
  const LEGAL: [text: string, secure: boolean, host: string, port: number, hostPort: string][] = [
    ["http://127.0.0.1:8080/", false, "127.0.0.1", 8080, "127.0.0.1:8080"],
    ["https://api.example.com:443/callback", true, "api.example.com", 443, "api.example.com:443"],
    ["HTTPS://API.Example.com:9001/a?b=c", true, "api.example.com", 9001, "api.example.com:9001"],
    ["http://host:80/with:colon@sign", false, "host", 80, "host:80"],
    ["http://[::1]:9000/x", false, "::1", 9000, "[::1]:9000"],
  ];
  test.each(LEGAL)("%s", (text, secure, host, port, hostPort) => {
    expect(parseCallbackUrl(text)).toEqual({ text, secure, host, port, hostPort });
  });
});

describe("an illegal callback address", () => {
  const ILLEGAL: [why: string, text: string][] = [
    ["has no path", "http://127.0.0.1:8080"],
    ["has no port", "http://127.0.0.1/filePath"],
    ["has port 0", "http://127.0.0.1:0/x"],
    ["has a port that is too big", "http://127.0.0.1:65536/x"],
    ["is not http", "ftp://127.0.0.1:21/x"],
    ["has credentials", "http://user:secret@host:80/x"],
    ["has a user", "http://user@host:80/x"],
    ["has a fragment", "http://host:80/x#y"],
    ["has a space", "http://host:80/a b"],
    ["has a line break", "http://host:80/a\r\nX: y"],
    ["has a backslash", "http://host:80\\@evil:80/"],
    ["is not ASCII", "http://host:80/ä"],
    ["has no host", "http://:80/x"],
    ["is broken IPv6", "http://[::1:80/x"],
    ["has a host that is no address", "http://256.1.1.1:80/x"],
    ["is empty", ""],
    ["is too long", `http://host:80/${"x".repeat(1010)}`],
  ];
  test.each(ILLEGAL)("%s", (_why, text) => {
    let thrown: unknown;
    try {
      parseCallbackUrl(text);
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toBeInstanceOf(DomainError);
    expect((thrown as DomainError).code).toBe("CALLBACK_URL_ILLEGAL");
  });
});
