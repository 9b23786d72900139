import { describe, expect, test } from "bun:test";
import { parseCaCertificates } from "./ca-certificates";
import { issueAuthority, issueServer } from "./issue";
import { CertificateError } from "./pem";

const DAY = 86_400_000;
const NOW = Date.UTC(2026, 0, 1);
const during = (days: number) => ({ notBefore: NOW - DAY, notAfter: NOW + days * DAY });
const first = await issueAuthority(during(10));
const second = await issueAuthority(during(5));
const leaf = await issueServer(first, ["a.example.com"], during(10));

describe("CA certificates for push", () => {
  test("are taken alone", () => {
    const { pem, subjects, expiresAt } = parseCaCertificates(first.certificate, NOW);
    expect(pem).toBe(first.certificate);
    expect(subjects[0]).toContain("CN=Islet CA");
    expect(expiresAt).toBe(NOW + 10 * DAY);
  });

  test("are taken together, without the text around them", () => {
    const { pem, expiresAt } = parseCaCertificates(`Root:\r\n${first.certificate}\n# two\n${second.certificate}`, NOW);
    expect(pem).toBe(first.certificate + second.certificate);
    expect(expiresAt).toBe(NOW + 5 * DAY);
  });

  test.each([
    ["empty", "", "no certificate"],
    ["not PEM", "hello", "no certificate"],
    ["broken base64", first.certificate.replace(/\n.{20}/, "\n"), "cannot be parsed"],
    [
      "partly broken",
      first.certificate + second.certificate.replace(/\n.{20}/, "\n"),
      "certificate 2 cannot be parsed",
    ],
    ["a private key", first.certificate + first.key, "holds a private key"],
    ["a server's certificate of another CA", leaf.certificate, "neither a CA certificate nor"],
    ["too long", "x".repeat(300_000), "longer than"],
    ["too many", first.certificate.repeat(33), "at most 32"],
  ])("are refused when %s", (_name, pem, reason) => {
    expect(() => parseCaCertificates(pem, NOW)).toThrow(CertificateError);
    expect(() => parseCaCertificates(pem, NOW)).toThrow(reason);
  });

  test("are refused when one of them is expired", () => {
    expect(() => parseCaCertificates(first.certificate + second.certificate, NOW + 6 * DAY)).toThrow(
      "expired on 2026-01-06",
    );
  });
});
