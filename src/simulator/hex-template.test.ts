import { describe, expect, test } from "bun:test";
import { compileAnswer, compileReport, TemplateError } from "./hex-template";

describe("reports", () => {
  test.each([
    ["000102", 7, "000102"],
    ["00{n:2}", 258, "000102"],
    ["00{n:1}ff", 256, "0000ff"],
    ["{n:4}", 0xffff_ffff, "ffffffff"],
    ["{n:3}", 0x1_0203_04, "020304"],
    ["0A{r:2}", 1, "0a8000"],
  ])("%s, number %d: %s", (text, count, hex) => {
    expect(compileReport(text)(count, () => 0.5).toHex()).toBe(hex);
  });
  test.each(["", "0", "xx", "00{n:5}", "00{n:0}", "00{m:1}", "00{n}", "00 01"])("%p is no template", (text) => {
    expect(() => compileReport(text)).toThrow(TemplateError);
  });
});

describe("answers", () => {
  test.each([
    ["03=04{1:2}00{3}", "03000105", "0400010005"],
    ["03=04{1:2}00{3}", "04000105", undefined],
    ["03=04{1:2}00{3}", "030001", undefined],
    ["=aa", "00", "aa"],
    ["0304={0:2}", "030405", "0304"],
    ["0304=ff", "03", undefined],
  ])("%s to %s: %p", (rule, command, answer) => {
    expect(compileAnswer(rule)(Uint8Array.fromHex(command))?.toHex()).toBe(answer as string);
  });
  test.each(["", "03", "03=", "3=04", "03=0", "03={x}", "03={1:0}", "03=04=05"])("%p is no rule", (text) => {
    expect(() => compileAnswer(text)).toThrow(TemplateError);
  });
});
