# syntax=docker/dockerfile:1
FROM node:20-bookworm-slim AS build
WORKDIR /src
# The lockfile first: the layer with the dependencies is rebuilt only when they change.
COPY package.json package-lock.json ./
COPY scripts/run.mjs scripts/
RUN node scripts/run.mjs setup
COPY . .
RUN npm run build

FROM debian:bookworm-slim
RUN apt-get update \
 && apt-get install -y --no-install-recommends ca-certificates \
 && rm -rf /var/lib/apt/lists/* \
 && groupadd --system --gid 10001 islet \
 && useradd --system --uid 10001 --gid islet --home-dir /data --shell /usr/sbin/nologin islet \
 && install -d -o islet -g islet -m 0700 /data
COPY --from=build /src/dist/islet /usr/local/bin/islet
USER islet
ENV ISLET_DATA=/data
VOLUME /data
# REST and console, the same over TLS, MQTT, MQTT over TLS, CoAP, CoAP in DTLS
EXPOSE 8080 8743 1883 8883 5683/udp 5684/udp
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=5s --retries=3 CMD ["islet", "health"]
ENTRYPOINT ["islet"]
CMD ["serve"]
