// Two people edit one pad: node test.js http://127.0.0.1:8000
"use strict";

const assert = require("assert");
const { client } = require("share");

const base = process.argv[2] || "http://127.0.0.1:8000";
const pad = `test-${Date.now()}`;
const timer = setTimeout(() => fail("the edits did not arrive within 20 s"), 20000);

function fail(reason) {
  console.error(`FAILED: ${reason}`);
  process.exit(1);
}

function open() {
  return new Promise((resolve, reject) =>
    client.open(pad, "text", `${base}/channel`, (error, doc) => (error ? reject(error) : resolve(doc)))
  );
}

function until(doc, text) {
  return new Promise((resolve) => {
    const look = () => doc.getText() === text && resolve();
    doc.on("change", look);
    look();
  });
}

async function main() {
  const [anna, bert] = [await open(), await open()];
  anna.insert(0, "function greet() {}");
  await until(bert, "function greet() {}");
  bert.insert(18, " return 'hi'; ");
  await until(anna, "function greet() { return 'hi'; }");
  anna.del(0, 9);
  bert.insert(bert.getText().length, "\n");
  await Promise.all([anna, bert].map((doc) => until(doc, "greet() { return 'hi'; }\n")));
  assert.strictEqual(anna.getText(), bert.getText());
  console.log(`two clients see each other's edits: ${JSON.stringify(anna.getText())}`);
  clearTimeout(timer);
  process.exit(0);
}

main().catch((error) => fail(error.message || error));
