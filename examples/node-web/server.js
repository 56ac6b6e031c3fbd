import { createServer } from "node:http";
import { pathToFileURL } from "node:url";

/** Returns a server, not listening yet, that greets by the name in the query. */
export function makeServer() {
  return createServer((request, response) => {
    const { searchParams } = new URL(request.url, "http://localhost");
    response.setHeader("Content-Type", "text/plain; charset=utf-8");
    response.end(`Hello, ${searchParams.get("name") ?? "world"}!\n`);
  });
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  makeServer().listen(Number(process.env.PORT));
}
