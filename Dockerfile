# The runtime as a small image to copy from, and an example app's image that does so.
#
#   docker build --target runtime -t pmr-runtime .      one static file, /pmr-runtime, and a link to it, /pmr, on nothing
#   docker build --target example -t pmr-example .      examples/node on it
#
# In your own Dockerfile:  COPY --from=pmr-runtime / /usr/local/bin/
# For several architectures, and what the arguments VERSION and REVISION are for: docs/docker.md

ARG RUST_IMAGE=rust:1-slim-bookworm
ARG NODE_IMAGE=node:22-slim
# BuildKit tells what the builder is. The classic builder does not, and builds for itself alone.
ARG BUILDER=${BUILDPLATFORM:-linux}

# Whatever is compiled for, the builder runs programs of its own architecture: it has to emulate nothing.
FROM --platform=${BUILDER} ${RUST_IMAGE} AS build
ARG TARGETARCH
WORKDIR /src
COPY scripts/build scripts/
RUN scripts/build --tools ${TARGETARCH}
COPY Cargo.toml Cargo.lock ./
COPY .cargo .cargo
COPY src src
RUN mkdir /out && cp "$(scripts/build ${TARGETARCH})" /out/ && ln -s pmr-runtime /out/pmr

FROM scratch AS runtime
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="pmr-runtime" \
      org.opencontainers.image.description="One small static binary that runs your server on every core, as PID 1" \
      org.opencontainers.image.url="https://github.com/pmr-runtime/pmr-runtime" \
      org.opencontainers.image.source="https://github.com/pmr-runtime/pmr-runtime" \
      org.opencontainers.image.documentation="https://github.com/pmr-runtime/pmr-runtime/blob/main/docs/docker.md" \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
# The file, and its other name, by which it talks to a running runtime.
COPY --from=build /out/ /
ENTRYPOINT ["/pmr-runtime"]

FROM ${NODE_IMAGE} AS example
COPY --from=runtime / /usr/local/bin/
WORKDIR /app
COPY examples/node/package.json examples/node/server.js ./
ENV NODE_ENV=production PORT=3000
# By number, so that Kubernetes' runAsNonRoot can check it. It is the image's own user `node`.
USER 1000
EXPOSE 3000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s CMD ["pmr", "ping"]
ENTRYPOINT ["pmr-runtime"]
CMD ["node", "server.js"]
