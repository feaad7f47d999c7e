// The main job with the JavaScript client; prints what it got as JSON.
import fs from "node:fs";
import Replicate from "replicate";

const replicate = new Replicate({ auth: process.env.REPLICATE_API_TOKEN, baseUrl: process.env.REPLICATE_BASE_URL });

async function version(name) {
  const model = await replicate.models.get("cogyard", name);
  return `cogyard/${name}:${model.latest_version.id}`;
}

const input = { prompt: "Say hello.", max_tokens: 20, temperature: 0, seed: 1 };
const text = (await replicate.run(await version("smollm2-135m"), { input })).join("");
let streamed = "";
for await (const event of replicate.stream(await version("smollm2-135m"), { input })) {
  if (event.event === "output") streamed += event.data;
}
const image = fs.readFileSync(process.env.PICTURE);
const enlarged = await replicate.run(await version("realesr-upscaler"), { input: { image, scale: 2 } });
const embeddings = await version("all-minilm-l6-v2");
const vectors = await replicate.run(embeddings, { input: { texts: ["a cat", "a kitten", "a bridge"] } });
const created = await replicate.predictions.create({ version: embeddings.split(":")[1], input: { text: "hi" } });
const polled = await replicate.wait(created);
const message = async (run) => {
  try {
    await run();
    return "";
  } catch (error) {
    return error.message;
  }
};
const refusal = await message(() => replicate.run(embeddings, { input: { texts: "not a list" } }));
const failure = await message(() => replicate.run(embeddings, { input: {} }));
console.log(
  JSON.stringify({
    text,
    streamed,
    url: enlarged.url().href,
    picture: Buffer.from(await (await enlarged.blob()).arrayBuffer()).toString("hex"),
    vectors,
    polled: polled.status,
    refusal,
    failure,
  }),
);
