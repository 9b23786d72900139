/** Body of a push. */
export type Push = Readonly<Record<string, unknown>>;

/** An application's address for pushes, on a free port. */
export function startReceiver(onPush: (push: Push) => void) {
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    async fetch(request) {
      onPush((await request.json()) as Push);
      return new Response(null, { status: 200 });
    },
  });
  return { url: `http://127.0.0.1:${server.port}/pushes`, stop: () => server.stop(true) };
}

/** One line for people. */
export function describePush(push: Push, labelOf: (deviceId: string) => string): string {
  const { notifyType, service, deviceInfo, result, body } = push as Record<string, Record<string, unknown>>;
  const header = push.header as { deviceId?: string; from: string; status?: string } | undefined;
  const deviceId = push.deviceId ?? header?.deviceId ?? header?.from.split("/")[2] ?? "";
  const about = service?.data ?? (header ? (header.status ?? body) : (result ?? deviceInfo?.status));
  return `${notifyType ?? "command"} of ${labelOf(String(deviceId))}: ${JSON.stringify(about)}`;
}
