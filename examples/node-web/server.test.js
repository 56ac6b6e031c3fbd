import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";
import { makeServer } from "./server.js";

test("greets by the name in the query", async () => {
  const server = makeServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  try {
    const response = await fetch(`http://127.0.0.1:${server.address().port}/?name=Ada`);
    assert.equal(await response.text(), "Hello, Ada!\n");
  } finally {
    server.close();
    server.closeAllConnections();
  }
});
