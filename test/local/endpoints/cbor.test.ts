import { describe, expect, test } from "vitest";
import { decodeCbor, encodeCbor } from "../../../local/endpoints/protocol/cbor.ts";

/** Examples of RFC 8949, appendix A. */
const BOTH_WAYS: [string, unknown][] = [
  ["00", 0],
  ["17", 23],
  ["1818", 24],
  ["1903e8", 1000],
  ["1a000f4240", 1_000_000],
  ["1b000000e8d4a51000", 1_000_000_000_000],
  ["20", -1],
  ["3903e7", -1000],
  ["fb3ff199999999999a", 1.1],
  ["f4", false],
  ["f5", true],
  ["f6", null],
  ["62c3bc", "ü"],
  ["6449455446", "IETF"],
  ["80", []],
  ["8301820203820405", [1, [2, 3], [4, 5]]],
  ["a26161016162820203", { a: 1, b: [2, 3] }],
];
const READ_ONLY: [string, unknown][] = [
  ["f93c00", 1],
  ["f97bff", 65_504],
  ["f90001", 2 ** -24],
  ["f9c400", -4],
  ["f97c00", Number.POSITIVE_INFINITY],
  ["fa47c35000", 100_000],
  ["7f657374726561646d696e67ff", "streaming"],
  ["9f018202039f0405ffff", [1, [2, 3], [4, 5]]],
  ["bf61610161629f0203ffff", { a: 1, b: [2, 3] }],
  ["c11a514b67b0", new Date("2013-03-21T20:04:00Z")],
  ["5f42010243030405ff", Buffer.from([1, 2, 3, 4, 5])],
];

describe("CBOR", () => {
  test.each([...BOTH_WAYS, ...READ_ONLY])("reads %s", (hex, value) => {
    expect(decodeCbor(Buffer.from(hex, "hex"))).toEqual(value);
  });

  test.each(BOTH_WAYS)("writes %s", (hex, value) => {
    expect(encodeCbor(value).toString("hex")).toBe(hex);
  });

  test("writes dates as tagged seconds and leaves undefined fields out", () => {
    expect(encodeCbor({ at: new Date(1500), none: undefined }).toString("hex")).toBe("a1626174c1fb3ff8000000000000");
  });

  test.each(["", "62c3", "82", "fb3ff1", "5f42"])("%j ends too early", (hex) => {
    expect(() => decodeCbor(Buffer.from(hex, "hex"))).toThrow(RangeError);
  });

  test("names what no client sends", () => {
    expect(() => decodeCbor(Buffer.from("f0", "hex"))).toThrow("CBOR: the simple value 16 is not known");
    expect(() => decodeCbor(Buffer.from("1c", "hex"))).toThrow("CBOR: a length of kind 28 is not known");
  });
});
