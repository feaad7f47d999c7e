// Every public method of the JavaScript client; prints what came of it as JSON.
import crypto from "node:crypto";
import fs from "node:fs";
import http from "node:http";
import { createRequire } from "node:module";
import Replicate, { parseProgressFromLogs, validateWebhook } from "replicate";

const require = createRequire(import.meta.url);
const MODELS = JSON.parse(process.env.MODELS);
const ME = process.env.WHO;
const baseUrl = process.env.REPLICATE_BASE_URL;
const connect = (more = {}) => new Replicate({ baseUrl, ...more });

// Which public methods the program itself calls; what the client calls inside itself does not count.
const known = new Set();
let called = new Set();
function watch(owner, prefix) {
  for (const name of Object.keys(owner)) {
    const found = owner[name];
    const path = `${prefix}${name}`;
    if (found && typeof found === "object" && !(found instanceof URL)) watch(found, `${path}.`);
    else if (typeof found === "function" && name !== "fetch") owner[name] = counted(found, path);
  }
  return owner;
}
function counted(method, path) {
  known.add(path);
  return function (...given) {
    if (!new Error().stack.split("\n")[2].includes("node_modules")) called.add(path);
    return method.apply(this, given);
  };
}
for (const name of Object.getOwnPropertyNames(Replicate.prototype))
  if (name !== "constructor") Replicate.prototype[name] = counted(Replicate.prototype[name], name);
const validate = counted(validateWebhook, "validateWebhook");
const parseProgress = counted(parseProgressFromLogs, "parseProgressFromLogs");
const replicate = watch(connect(), "");

const pieces = [];
const shows = (capability, work, note = "") => pieces.push({ capability, work, note });
const version = (name) => MODELS[name].split(":")[1];
const title = (bytes) => /<title>(.*)<\/title>/.exec(Buffer.from(bytes).toString())[1];
const content = async (file) => title(await (await file.blob()).arrayBuffer());
const contents = (files) => Promise.all(files.map(content));
const run = (name, input, more = {}) => replicate.run(MODELS[name], { input, ...more });
const create = (name, input, more = {}) => replicate.predictions.create({ version: version(name), input, ...more });
const sleep = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));
const parcel = () => new Blob(["a parcel"], { type: "text/plain" });
async function collect(stream) {
  const got = [];
  for await (const one of stream) got.push(one);
  return got;
}
async function refusal(work) {
  try {
    await work();
  } catch (error) {
    return error;
  }
  throw new Error("there was no error");
}
async function until(condition) {
  const end = Date.now() + 60000;
  for (;;) {
    const found = await condition();
    if (found) return found;
    if (Date.now() > end) throw new Error("it did not happen");
    await sleep(20);
  }
}
async function receiving(work) {
  const got = [];
  const server = http.createServer(async (request, response) => {
    const body = Buffer.concat(await collect(request)).toString();
    got.push({ headers: request.headers, body });
    response.end();
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  try {
    return await work(`http://127.0.0.1:${server.address().port}/hook`, got);
  } finally {
    server.close();
    server.closeAllConnections();
  }
}
const statuses = (got) => [...new Set(got.map((one) => JSON.parse(one.body).status))];
const detail = (error) => JSON.parse(error.message.slice(error.message.indexOf("{"), -1)).detail;
const ended = (one) => !["starting", "processing"].includes(one.status);

shows("account", async () => {
  const { type, username } = await replicate.accounts.current();
  return { type, username };
});
shows("hardware", async () => (await replicate.hardware.list()).map((one) => one.sku).sort().slice(0, 2));
shows("run a version", async () => (await run("canary", { text: "hi" })).text);
shows("run a model by its name", async () => {
  const created = await replicate.predictions.create({ model: "acme/official", input: { text: "Ada" }, wait: true });
  const output = await replicate.run("acme/official", { input: { text: "Ada" } });
  return { text: output.join(""), version: created.version };
});
shows(
  "run a model that yields",
  async () => ({
    whole: (await run("stream", { text: "Ada" })).join(""),
    polled: (await run("stream", { text: "Ada" }, { wait: { mode: "poll", interval: 20 } })).join(""),
  }),
  "gives a list",
);
shows("files in: file objects", async () => {
  const read = async (file) => (await run("canary", { mode: "read", file })).file[1];
  const buffer = await read(Buffer.from("a parcel"));
  const blob = await read(parcel());
  return buffer === blob ? blob : [buffer, blob];
}, "a Buffer, a Blob or a File");
shows("files in: URLs", async () => {
  const uploaded = await replicate.files.create(parcel());
  return (await run("canary", { mode: "read", file: uploaded.urls.get })).file[1];
});
shows("files in: data URIs", async () => {
  const file = `data:application/octet-stream;base64,${Buffer.from("a parcel").toString("base64")}`;
  const created = await create("canary", { mode: "read", file }, { wait: true });
  return { sent: created.input.file, read: created.output.file[1] };
}, "as a text; with `fileEncodingStrategy: \"data-uri\"` the client sends itself as the input, which is its fault");
shows("files in: lists of files", async () => {
  const files = [new File(["one"], "one.txt"), new File(["two"], "two.txt")];
  return (await run("canary", { mode: "read", files })).files.map(([, text]) => text);
});
shows("files out: one file", async () => {
  const [output, other] = [await run("picture", { title: "a yard" }), await run("picture", { title: "a yard" })];
  const iterated = title(Buffer.concat(await collect(other)));
  return { read: await content(output), iterated, url: output.url().href.slice(0, 8) };
});
shows("files out: a list", async () => contents(await run("pictures", { count: 2 })));
shows("files out: files in an object", async () => {
  const album = await run("album", { title: "my album" });
  return { cover: await contents([album.cover]), pages: await contents(album.pages), title: album.title };
});
shows("files out: plain URLs", async () => {
  const url = await connect({ useFileOutput: false }).run(MODELS.picture, { input: { title: "a yard" } });
  return title(await (await fetch(url)).arrayBuffer());
});
shows("stream text", async () => {
  const told = await collect(replicate.stream(MODELS.stream, { input: { text: "Ada" } }));
  return { text: told.join("").replace(/\{\}$/, ""), end: told.at(-1).event };
});
shows("stream files", async () => {
  const told = await collect(replicate.stream(MODELS["picture-stream"], { input: { count: 2 } }));
  return contents(told.filter((one) => one.event === "output").map((one) => one.data));
});
shows("stream a failure", async () => {
  const input = { text: "Ada", fail: true };
  return (await refusal(() => collect(replicate.stream(MODELS.stream, { input })))).message;
});
shows("predictions: create, get, wait", async () => {
  const created = await create("canary", { text: "hi" });
  const got = await replicate.predictions.get(created.id);
  const done = await replicate.wait(created, { interval: 20 });
  const listed = (await replicate.predictions.list()).results.map((one) => one.id).includes(created.id);
  const { status, output } = done;
  return { same: got.id === created.id, status, text: output.text, listed, model: got.model };
}, "no `reload`: `get` gives a new one");
shows("predictions: cancel", async () => {
  const made = [await create("canary", { mode: "loop" }), await create("canary", { mode: "loop" })];
  for (const one of made) await replicate.predictions.cancel(one.id);
  return Promise.all(made.map(async (one) => (await replicate.wait(one, { interval: 20 })).status));
}, "by id only");
shows("predictions: abort by a signal", async () => {
  const abort = new AbortController();
  let seen;
  const progress = (prediction) => {
    seen = prediction;
    if (prediction.status === "processing") abort.abort();
  };
  const wait = { mode: "poll", interval: 20 };
  await replicate.run(MODELS.canary, { input: { mode: "loop" }, wait, signal: abort.signal }, progress);
  return (await replicate.wait(seen, { interval: 20 })).status;
});
shows("Prefer: wait", async () => {
  const whole = await create("canary", { text: "hi" }, { wait: true });
  const short = await create("canary", { mode: "loop" }, { wait: 1 });
  const atOnce = await create("canary", { text: "hi" });
  await replicate.predictions.cancel(short.id);
  return { wait: whole.status, "wait=1": short.status, none: atOnce.status };
});
shows("pagination", async () => {
  const pages = await collect(replicate.paginate(replicate.predictions.list));
  const rows = pages.flat();
  const seeds = new Set(rows.filter((one) => one.input.text === "seed").map((one) => one.id));
  return { page: pages[0].length, seeds: seeds.size, twice: rows.length - new Set(rows.map((one) => one.id)).size };
}, "forwards only");
shows("models: list, get, search", async () => {
  const names = (page) => page.results.map((one) => `${one.owner}/${one.name}`);
  const got = await replicate.models.get("acme", "canary");
  return {
    listed: names(await replicate.models.list()).includes("acme/canary"),
    found: names(await replicate.models.search("drawings of a picture")).includes("acme/picture"),
    description: got.description,
    example: got.default_example.output.text,
  };
});
shows("models: create", async () => {
  const words = { visibility: "private", hardware: "cpu", description: "A box." };
  const created = await replicate.models.create("cogyard", `box-${ME}`, words);
  return { description: created.description, runs: created.run_count };
});
shows("versions: list, get", async () => {
  const listed = await replicate.models.versions.list("acme", "stream");
  const got = await replicate.models.versions.get("acme", "stream", listed.results[0].id);
  return { listed: got.id === version("stream"), output: got.openapi_schema.components.schemas.Output.type };
});
shows("collections: list, get", async () => {
  const listed = (await replicate.collections.list()).results.map((one) => one.slug);
  const got = await replicate.collections.get("drawings");
  const models = got.models.map((one) => `${one.owner}/${one.name}`);
  return { listed: listed.includes(got.slug), name: got.name, models };
});
shows("files: create, list, get, delete", async () => {
  const file = new File(["a parcel"], "parcel.txt", { type: "text/plain" });
  const created = await replicate.files.create(file, { colour: "yellow" });
  const listed = (await replicate.files.list()).results.map((one) => one.id).includes(created.id);
  const { name, size, content_type: type, metadata } = await replicate.files.get(created.id);
  const deleted = await replicate.files.delete(created.id);
  const gone = await refusal(() => replicate.files.get(created.id));
  return { name, size, type, metadata, listed, deleted, then: gone.response.status };
});
async function deploy(name) {
  const size = { hardware: "cpu", min_instances: 0, max_instances: 1 };
  return replicate.deployments.create({ name, model: "acme/canary", version: version("canary"), ...size });
}
shows("deployments: create, list, get, update, delete", async () => {
  const name = `desk-${ME}`;
  const created = await deploy(name);
  const listed = (await replicate.deployments.list()).results.map((one) => one.name).includes(name);
  const updated = await replicate.deployments.update("cogyard", name, { max_instances: 2 });
  const got = await replicate.deployments.get("cogyard", name);
  const deleted = await replicate.deployments.delete("cogyard", name);
  const gone = await refusal(() => replicate.deployments.get("cogyard", name));
  const releases = [created.current_release.number, updated.current_release.number];
  const most = got.current_release.configuration.max_instances;
  return { releases, max_instances: most, listed, deleted, then: gone.response.status };
});
shows("deployments: predictions", async () => {
  await deploy(`line-${ME}`);
  const asked = { input: { text: "hi" }, wait: true };
  const one = () => replicate.deployments.predictions.create("cogyard", `line-${ME}`, asked);
  return [(await one()).output.text, (await one()).output.text];
});
async function train(name, more) {
  await replicate.models.create("cogyard", name, { visibility: "private", hardware: "cpu" });
  const words = await replicate.files.create(Buffer.from("apple banana"));
  const input = { words: words.urls.get, ...more };
  const asked = { input, destination: `cogyard/${name}` };
  return replicate.trainings.create("acme", "trainable", version("trainable"), asked);
}
async function over(training) {
  const got = await replicate.trainings.get(training.id);
  return ended(got) ? got : null;
}
shows("trainings: create, get, list, and the version that comes of it", async () => {
  const created = await train(`learned-${ME}`, { rounds: 2 });
  const got = await until(() => over(created));
  const listed = (await replicate.trainings.list()).results.map((one) => one.id).includes(got.id);
  const output = await replicate.run(got.output.version, { input: { text: "banana split" } });
  return { status: got.status, listed, output };
}, "files are uploaded first");
shows("trainings: cancel", async () => {
  const made = [await train(`idle-${ME}`, { rounds: 1000 }), await train(`lazy-${ME}`, { rounds: 1000 })];
  for (const one of made) await replicate.trainings.cancel(one.id);
  return Promise.all(made.map(async (one) => (await until(() => over(one))).status));
}, "by id only");
shows("webhooks: the secret, and a delivery that the client's helper accepts", () =>
  receiving(async (webhook, got) => {
    const { key } = await replicate.webhooks.default.secret.get();
    const wanted = { webhook, webhook_events_filter: ["start", "completed"] };
    const created = await create("canary", { text: "hi" }, wanted);
    await until(() => statuses(got).includes("succeeded"));
    for (const { headers, body } of got)
      if (!(await validate({ headers, body }, key, crypto.webcrypto))) throw new Error("the signature is wrong");
    const forged = { headers: got[0].headers, body: `${got[0].body} ` };
    if (await validate(forged, key, crypto.webcrypto)) throw new Error("a forged body was taken for ours");
    return { mine: got[0].body.includes(created.id), end: statuses(got).at(-1) };
  }));
shows("webhooks: events filter", () =>
  receiving(async (webhook, got) => {
    await create("canary", { mode: "logs" }, { webhook, webhook_events_filter: ["completed"] });
    await until(() => got.length);
    return statuses(got);
  }));
shows("progress of a bar in the logs", async () => {
  const created = await create("pictures", { count: 4 }, { wait: true });
  const { percentage, current, total } = parseProgress(created);
  return [percentage, current, total];
});
shows("errors: 401, 404, 422, 429", async () => {
  const missing = await refusal(() => replicate.predictions.get("nothing"));
  const limited = connect({ baseUrl: `${process.env.LIMITED}/v1` });
  const ask = () => limited.predictions.create({ version: "0".repeat(64), input: {} });
  await refusal(ask);
  const throttled = await refusal(ask);
  const path = new URL(missing.request.url).pathname;
  if (!missing.message.includes(`${path} failed with status 404 Not Found: {`)) throw missing;
  return {
    401: detail(await refusal(() => connect({ auth: "invalid" }).accounts.current())),
    404: detail(missing),
    422: detail(await refusal(() => create("canary", { count: "many" }))),
    429: [throttled.response.status, detail(throttled).split(".")[0]],
  };
});
shows("errors: a model that fails", async () => {
  const error = await refusal(() => run("canary", { mode: "raise", text: "the parcel is too heavy" }));
  return { kind: error.name, text: error.message };
}, "an Error with the model's in it, without the prediction");
shows("retries: an answer that was lost", async () => {
  const flaky = connect({ baseUrl: `${process.env.FLAKY}/v1` });
  const text = `lost ${ME}`;
  const created = await flaky.predictions.create({ version: version("canary"), input: { text } });
  const rows = (await replicate.predictions.list()).results.filter((one) => one.input.text === text);
  const again = await flaky.predictions.get(created.id);
  return { raised: false, created: rows.length, get: again.id === created.id };
}, "the client repeats a POST and does not say so: it runs twice, as on Replicate");
shows("base URL: with and without /v1", async () => {
  const root = baseUrl.replace(/\/v1$/, "");
  const found = ["", "/", "/v1", "/v1/"].map((ending) => connect({ baseUrl: root + ending }).accounts.current());
  return (await Promise.all(found)).map((one) => one.username);
});
shows("timeouts: the client gives up, the prediction goes on", async () => {
  const signal = AbortSignal.timeout(800);
  const input = { count: 2, pause: 0.83 };
  const error = await refusal(() => create("picture-stream", input, { wait: true, signal }));
  const rows = (await replicate.predictions.list()).results.filter((one) => one.input.pause === input.pause);
  const done = await replicate.wait(rows[0], { interval: 20 });
  return { "gave up": error.name === "TimeoutError", status: done.status };
}, "by a signal");
shows("raw responses", async () => {
  const response = await replicate.request("/account", { method: "GET" });
  const data = { version: version("canary"), input: { text: "hi" } };
  const headers = { Prefer: "wait=5" };
  const created = await replicate.request("/predictions", { method: "POST", data, headers });
  const { text } = (await created.json()).output;
  return { status: [response.status, created.status], applied: created.headers.get("preference-applied"), text };
});

const capabilities = [];
for (const { capability, work, note } of pieces) {
  called = new Set();
  const begun = Date.now();
  let [evidence, error] = [null, null];
  try {
    evidence = await work();
  } catch (failure) {
    error = failure.stack;
  }
  const seconds = (Date.now() - begun) / 1000;
  capabilities.push({ capability, methods: [...called].sort(), note, evidence, error, seconds });
}
const told = JSON.parse(fs.readFileSync(require.resolve("replicate/package.json")));
console.log(JSON.stringify({ client: "javascript", version: told.version, public: [...known].sort(), capabilities }));
process.exit(0);
