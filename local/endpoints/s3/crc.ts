/** Cyclic redundancy checks that Node does not have: both reflected, begun and ended with all bits set. */

const CRC32C_POLYNOMIAL = 0x82f63b78;
const CRC64NVME_POLYNOMIAL = { high: 0x9a6c9329, low: 0xac4bc9b5 };

const CRC32C = Uint32Array.from({ length: 256 }, (_, byte) => {
  let value = byte;
  for (let bit = 0; bit < 8; bit++) value = (value >>> 1) ^ (value & 1 ? CRC32C_POLYNOMIAL : 0);
  return value;
});

/** CRC-64 in two halves of 32 bits: BigInt would take a minute for a package of 100 MB. */
const { HIGH, LOW } = crc64Tables();

function crc64Tables(): { HIGH: Uint32Array; LOW: Uint32Array } {
  const tables = { HIGH: new Uint32Array(256), LOW: new Uint32Array(256) };
  for (let byte = 0; byte < 256; byte++) {
    let [high, low] = [0, byte];
    for (let bit = 0; bit < 8; bit++) {
      const isOdd = low & 1;
      low = (low >>> 1) | (high << 31);
      high >>>= 1;
      if (isOdd) [high, low] = [high ^ CRC64NVME_POLYNOMIAL.high, low ^ CRC64NVME_POLYNOMIAL.low];
    }
    tables.HIGH[byte] = high;
    tables.LOW[byte] = low;
  }
  return tables;
}

/** CRC-32C (Castagnoli), 4 bytes big-endian. */
export function crc32c(data: Uint8Array): Buffer {
  let crc = 0xffffffff;
  for (const byte of data) crc = (crc >>> 8) ^ (CRC32C[(crc ^ byte) & 0xff] ?? 0);
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(~crc >>> 0);
  return bytes;
}

/** CRC-64/NVME, 8 bytes big-endian. */
export function crc64nvme(data: Uint8Array): Buffer {
  let high = 0xffffffff;
  let low = 0xffffffff;
  for (const byte of data) {
    const index = (low ^ byte) & 0xff;
    low = ((low >>> 8) | (high << 24)) ^ (LOW[index] ?? 0);
    high = (high >>> 8) ^ (HIGH[index] ?? 0);
  }
  const bytes = Buffer.alloc(8);
  bytes.writeUInt32BE(~high >>> 0, 0);
  bytes.writeUInt32BE(~low >>> 0, 4);
  return bytes;
}
