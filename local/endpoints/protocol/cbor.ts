/** Concise Binary Object Representation (RFC 8949), as much of it as AWS clients send and read. */

const EPOCH_DATE_TAG = 1;

/** @throws RangeError when the bytes end too early, Error for a kind of item that no AWS client sends */
export function decodeCbor(bytes: Uint8Array): unknown {
  return new Reader(bytes).item();
}

class Reader {
  readonly #view: DataView;
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  item(): unknown {
    const head = this.#byte();
    const [major, info] = [head >> 5, head & 31];
    switch (major) {
      case 0:
        return this.#size(info);
      case 1:
        return -1 - this.#size(info);
      case 2:
        return Buffer.concat(this.#chunks(info));
      case 3:
        return Buffer.concat(this.#chunks(info)).toString("utf8");
      case 4:
        return this.#many(info);
      case 5:
        return this.#map(info);
      case 6:
        return this.#tagged(this.#size(info));
      default:
        return this.#simple(info);
    }
  }

  #byte(): number {
    return this.#view.getUint8(this.#at++);
  }

  #size(info: number): number {
    if (info < 24) return info;
    const at = this.#at;
    const width = 2 ** (info - 24);
    if (info > 27) throw new Error(`CBOR: a length of kind ${info} is not known`);
    this.#at += width;
    if (width === 1) return this.#view.getUint8(at);
    if (width === 2) return this.#view.getUint16(at);
    return width === 4 ? this.#view.getUint32(at) : Number(this.#view.getBigUint64(at));
  }

  #isBreak(): boolean {
    if (this.#view.getUint8(this.#at) !== 0xff) return false;
    this.#at++;
    return true;
  }

  #chunks(info: number): Uint8Array[] {
    if (info !== 31) {
      const size = this.#size(info);
      if (this.#at + size > this.#bytes.length) throw new RangeError("CBOR: a text or byte string ends too early");
      this.#at += size;
      return [this.#bytes.subarray(this.#at - size, this.#at)];
    }
    const chunks: Uint8Array[] = [];
    while (!this.#isBreak()) chunks.push(...this.#chunks(this.#byte() & 31));
    return chunks;
  }

  #many(info: number): unknown[] {
    const items: unknown[] = [];
    const size = info === 31 ? Number.POSITIVE_INFINITY : this.#size(info);
    while (items.length < size && !(info === 31 && this.#isBreak())) items.push(this.item());
    return items;
  }

  #map(info: number): Record<string, unknown> {
    const entries: [string, unknown][] = [];
    const size = info === 31 ? Number.POSITIVE_INFINITY : this.#size(info);
    while (entries.length < size && !(info === 31 && this.#isBreak())) entries.push([String(this.item()), this.item()]);
    return Object.fromEntries(entries);
  }

  #tagged(tag: number): unknown {
    const value = this.item();
    return tag === EPOCH_DATE_TAG ? new Date(Number(value) * 1000) : value;
  }

  #simple(info: number): unknown {
    const at = this.#at;
    if (info === 20) return false;
    if (info === 21) return true;
    if (info === 22 || info === 23) return null;
    if (info === 25) {
      this.#at += 2;
      return halfFloat(this.#view.getUint16(at));
    }
    if (info === 26) {
      this.#at += 4;
      return this.#view.getFloat32(at);
    }
    if (info === 27) {
      this.#at += 8;
      return this.#view.getFloat64(at);
    }
    throw new Error(`CBOR: the simple value ${info} is not known`);
  }
}

function halfFloat(bits: number): number {
  const [sign, exponent, fraction] = [bits & 0x8000 ? -1 : 1, (bits >> 10) & 31, bits & 0x3ff];
  if (exponent === 31) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  return sign * (exponent === 0 ? fraction * 2 ** -24 : (1024 + fraction) * 2 ** (exponent - 25));
}

/** Undefined fields are left out; dates become seconds since 1970 with tag 1; numbers that are no whole ones, doubles. */
export function encodeCbor(value: unknown): Buffer {
  if (value === null || value === undefined) return Buffer.from([0xf6]);
  if (typeof value === "boolean") return Buffer.from([value ? 0xf5 : 0xf4]);
  if (typeof value === "string") {
    const text = Buffer.from(value);
    return Buffer.concat([head(3, text.length), text]);
  }
  if (typeof value === "number") {
    if (Number.isSafeInteger(value)) return value < 0 ? head(1, -1 - value) : head(0, value);
    return double(value);
  }
  if (value instanceof Date) return Buffer.concat([head(6, EPOCH_DATE_TAG), double(value.getTime() / 1000)]);
  if (value instanceof Uint8Array) return Buffer.concat([head(2, value.length), value]);
  if (Array.isArray(value)) return Buffer.concat([head(4, value.length), ...value.map(encodeCbor)]);
  const fields = Object.entries(value).filter(([, inner]) => inner !== undefined);
  return Buffer.concat([
    head(5, fields.length),
    ...fields.flatMap(([key, inner]) => [encodeCbor(key), encodeCbor(inner)]),
  ]);
}

function double(value: number): Buffer {
  const bytes = Buffer.alloc(9);
  bytes.writeUInt8(0xfb);
  bytes.writeDoubleBE(value, 1);
  return bytes;
}

function head(major: number, size: number): Buffer {
  const kind = major << 5;
  if (size < 24) return Buffer.from([kind | size]);
  if (size < 0x100) return Buffer.from([kind | 24, size]);
  const bytes = Buffer.alloc(size < 0x10000 ? 3 : size < 0x100000000 ? 5 : 9);
  bytes.writeUInt8(kind | (bytes.length === 3 ? 25 : bytes.length === 5 ? 26 : 27));
  if (bytes.length === 3) bytes.writeUInt16BE(size, 1);
  else if (bytes.length === 5) bytes.writeUInt32BE(size, 1);
  else bytes.writeBigUInt64BE(BigInt(size), 1);
  return bytes;
}
