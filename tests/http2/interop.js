// The echo service as grpc-js sees it. Usage: node interop.js ADDRESS. Requests are protobuf by hand: field 1 key, 2 value, 3 lease.
const assert = require("assert");
const grpc = require("@grpc/grpc-js");

const varint = (n) => (n < 128 ? [n] : [(n & 127) | 128, ...varint(Math.floor(n / 128))]);
const field = (number, bytes) => Buffer.concat([Buffer.from([(number << 3) | 2, ...varint(bytes.length)]), bytes]);
const message = ({ key = "", value = Buffer.alloc(0), lease = 0 }) =>
  Buffer.concat([field(1, Buffer.from(key)), field(2, value), Buffer.from([24, ...varint(lease)])]);
const same = (bytes) => bytes;
const path = (name) => `/test.Echo/${name}`;

const [address] = process.argv.slice(2);
const connect = (options = {}) => new grpc.Client(address, grpc.credentials.createInsecure(), options);
const soon = () => ({ deadline: Date.now() + 20000 });

const unary = (client, name, request, metadata = new grpc.Metadata(), options = soon()) =>
  new Promise((resolve, reject) => {
    client.makeUnaryRequest(path(name), same, same, request, metadata, options, (error, answer) =>
      error ? reject(error) : resolve(answer));
  });

const collect = (call) =>
  new Promise((resolve, reject) => {
    const answers = [];
    call.on("data", (answer) => answers.push(answer));
    call.on("error", reject);
    call.on("end", () => resolve(answers));
  });

const failure = (promise) => promise.then(() => assert.fail("no error"), (error) => error);

async function main() {
  const client = connect();
  const hello = message({ value: Buffer.from("hello") });
  const large = message({ value: Buffer.alloc(1500000, 7) });

  const metadata = new grpc.Metadata();
  metadata.set("x-data-bin", Buffer.from([0, 255]));
  metadata.set("x-text", "text");
  assert((await unary(client, "Unary", hello, metadata)).includes("hello"));
  assert.strictEqual((await unary(client, "Unary", large)).length, (await unary(client, "Later", large)).length);

  const failed = await failure(unary(client, "Unary", message({ key: "fail" })));
  assert.strictEqual(failed.code, grpc.status.NOT_FOUND);
  assert.strictEqual(failed.details, "etcdserver: requested lease not found");
  assert.strictEqual((await failure(unary(client, "Nothing", hello))).code, grpc.status.UNIMPLEMENTED);
  const late = await failure(unary(client, "Unary", message({ key: "wait" }), undefined, { deadline: Date.now() + 50 }));
  assert.strictEqual(late.code, grpc.status.DEADLINE_EXCEEDED);

  const down = client.makeServerStreamRequest(path("Down"), same, same, message({ value: Buffer.alloc(50000), lease: 100 }), soon());
  assert.strictEqual((await collect(down)).length, 100);
  const cancelled = client.makeServerStreamRequest(path("Down"), same, same, message({ value: Buffer.alloc(50000), lease: 100 }), soon());
  cancelled.once("data", () => cancelled.cancel());
  assert.strictEqual((await failure(collect(cancelled))).code, grpc.status.CANCELLED);

  const up = new Promise((resolve, reject) => {
    const call = client.makeClientStreamRequest(path("Up"), same, same, new grpc.Metadata(), soon(), (error, answer) =>
      error ? reject(error) : resolve(answer));
    for (let n = 0; n < 50; n++) call.write(message({ value: Buffer.alloc(20000) }));
    call.end();
  });
  assert((await up).length > 1000000);

  const both = client.makeBidiStreamRequest(path("Both"), same, same, soon());
  const echoed = collect(both);
  for (let n = 0; n < 50; n++) both.write(message({ value: Buffer.alloc(20000) }));
  both.end();
  assert.strictEqual((await echoed).length, 50);

  const packing = connect({ "grpc.default_compression_algorithm": 2 });
  assert((await unary(packing, "Unary", large)).length > 1500000);

  const many = await Promise.all(Array.from({ length: 500 }, () => unary(client, "Later", hello)));
  assert.strictEqual(many.length, 500);
  client.close();
  packing.close();
  console.log("grpc-js: all kinds, errors, deadlines, cancels, gzip and 500 calls at once");
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
