/** An application server that keeps what is pushed to it. */
export function startCallbackReceiver(answer: () => Response = () => new Response(null, { status: 200 })) {
  const received: { path: string; body: Record<string, unknown>; text: string; headers: Headers }[] = [];
  let wake: (() => void)[] = [];
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    async fetch(request) {
      const text = await request.text();
      const body = JSON.parse(text) as Record<string, unknown>;
      const response = answer();
      if (response.ok) received.push({ path: new URL(request.url).pathname, body, text, headers: request.headers });
      for (const run of wake.splice(0)) run();
      return response;
    },
  });
  return {
    url: (path: string) => `http://127.0.0.1:${server.port}${path}`,
    received,
    /** Resolves with the first push that fits; rejects by the test's own time limit. */
    async until(fits: (body: Record<string, unknown>) => boolean): Promise<Record<string, unknown>> {
      for (;;) {
        const found = received.find(({ body }) => fits(body));
        if (found) return found.body;
        await new Promise<void>((resolve) => {
          wake = [...wake, resolve];
        });
      }
    },
    [Symbol.dispose]: () => void server.stop(true),
  };
}
