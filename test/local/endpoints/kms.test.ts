import { createHash, createPublicKey, verify } from "node:crypto";
import { DescribeKeyCommand, GetPublicKeyCommand, KMSClient, SignCommand } from "@aws-sdk/client-kms";
import { afterAll, beforeAll, expect, test } from "vitest";
import { openFleetLock } from "../../../contract/fleet-lock.ts";
import { clientOptions } from "./clients.ts";
import { HOST, type Running, runEndpoint, SIGNING_KEY } from "./running.ts";

let running: Running;
let kms: KMSClient;
beforeAll(async () => {
  running = await runEndpoint();
  kms = new KMSClient(clientOptions(running));
});
afterAll(async () => {
  await running.stop();
});

const KEY_ID = SIGNING_KEY.slice(SIGNING_KEY.lastIndexOf("/") + 1);
const sign = (over: Partial<ConstructorParameters<typeof SignCommand>[0]> = {}) =>
  kms.send(
    new SignCommand({
      KeyId: SIGNING_KEY,
      Message: Buffer.alloc(32, 7),
      MessageType: "DIGEST",
      SigningAlgorithm: "ECDSA_SHA_256",
      ...over,
    }),
  );
const publicKey = async () => {
  const { PublicKey = new Uint8Array() } = await kms.send(new GetPublicKeyCommand({ KeyId: KEY_ID }));
  return createPublicKey({ key: Buffer.from(PublicKey), format: "der", type: "spki" });
};

test("a hundred signatures hold, whatever their numbers begin with, and no two are the same", async () => {
  const document = Buffer.from("a lock");
  const Message = createHash("sha256").update(document).digest();
  const key = await publicKey();

  const signatures = await Promise.all(
    Array.from({ length: 100 }, async () => Buffer.from((await sign({ Message })).Signature ?? [])),
  );

  const wrong = signatures.filter((one) => !verify("sha256", document, { key, dsaEncoding: "der" }, one));
  expect(wrong).toEqual([]);
  expect(new Set(signatures.map((one) => one.toString("hex"))).size).toBe(100);
});

test("a message that is no digest is hashed first; the key goes by its id too", async () => {
  const document = Buffer.from("a short message");

  const { Signature = new Uint8Array(), KeyId } = await sign({ KeyId: KEY_ID, Message: document, MessageType: "RAW" });

  expect(KeyId).toBe(SIGNING_KEY);
  expect(verify("sha256", document, { key: await publicKey(), dsaEncoding: "der" }, Signature)).toBe(true);
});

test("what hosts are given as the key is what they take for one", async () => {
  const pem = (await publicKey()).export({ format: "pem", type: "spki" }).toString();
  const document = Buffer.from("no fleet lock\n");
  const { Signature = new Uint8Array() } = await sign({ Message: createHash("sha256").update(document).digest() });

  const opened = openFleetLock(document, Buffer.from(Signature).toString("base64"), pem);

  expect(opened).toMatch(/^it is signed, but cannot be read/);
});

test("KMS's refusals are named as KMS names them", async () => {
  await expect(sign({ KeyId: `${SIGNING_KEY}0` })).rejects.toMatchObject({ name: "NotFoundException" });
  await expect(sign({ SigningAlgorithm: "RSASSA_PSS_SHA_256" })).rejects.toMatchObject({
    name: "InvalidKeyUsageException",
  });
  await expect(sign({ SigningAlgorithm: "ROT_13" as never })).rejects.toMatchObject({ name: "ValidationException" });
  await expect(sign({ Message: Buffer.alloc(33) })).rejects.toMatchObject({
    name: "ValidationException",
    message: "Digest is invalid length for algorithm ECDSA_SHA_256.",
  });
  await expect(sign({ Message: Buffer.alloc(4_097), MessageType: "RAW" })).rejects.toMatchObject({
    name: "ValidationException",
  });
  await expect(kms.send(new DescribeKeyCommand({ KeyId: SIGNING_KEY }))).rejects.toMatchObject({
    name: "NotModelledLocally",
  });
  const host = new KMSClient(clientOptions(running, HOST));
  await expect(host.send(new GetPublicKeyCommand({ KeyId: KEY_ID }))).rejects.toMatchObject({
    name: "AccessDeniedException",
    message: expect.stringContaining(`kms:GetPublicKey on resource: ${SIGNING_KEY}`),
  });
});
