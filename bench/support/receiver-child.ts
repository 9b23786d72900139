/** An application server that counts pushes and checks their order per device. Prints its port; `GET /` tells the counts. */
export type ReceiverCounts = {
  readonly received: number;
  readonly duplicates: number;
  /** Reports that came after a later one of the same device. */
  readonly overtaken: number;
  /** From the first push to the last new one. */
  readonly elapsedMs: number;
};
type Push = { deviceId: string; service: { data: { sequence: number } } };

const last = new Map<string, number>();
const counts = { received: 0, duplicates: 0, overtaken: 0, elapsedMs: 0 };
let firstAt = 0;

const server = Bun.serve({
  hostname: "127.0.0.1",
  port: 0,
  async fetch(request) {
    if (request.method === "GET") return Response.json(counts);
    const { deviceId, service } = (await request.json()) as Push;
    const { sequence } = service.data;
    const before = last.get(deviceId) ?? -1;
    if (sequence === before) counts.duplicates++;
    else {
      if (sequence < before) counts.overtaken++;
      last.set(deviceId, sequence);
      firstAt ||= performance.now();
      counts.received++;
      counts.elapsedMs = performance.now() - firstAt;
    }
    return new Response();
  },
});
process.stdout.write(`${server.port}\n`);
