# syntax=docker/dockerfile:1
# Build dist/ first (npm run build): JavaScript, the same for every architecture. docs/image.md says more.
ARG NODE_IMAGE=docker.io/library/node:24-slim

FROM ${NODE_IMAGE} AS pack
# A base that has tini keeps its own.
RUN command -v tini > /dev/null \
  || (apt-get update && apt-get install -y --no-install-recommends tini && rm -rf /var/lib/apt/lists/*)
COPY dist/bin /opt/etcd-mirror/bin
COPY dist/THIRD-PARTY-LICENSES.txt dist/sbom.cdx.json LICENSE /opt/etcd-mirror/
RUN cd /opt/etcd-mirror && mkdir -m 0777 compile-cache && ln -s etcd-mirror.js bin/etcd-mirror \
  && cp "$(command -v tini)" /opt/etcd-mirror/bin/tini
# V8 compiles here what a start needs, and keeps the result by path and by user.
USER 65532:65532
ENV NODE_COMPILE_CACHE=/opt/etcd-mirror/compile-cache
RUN set -e; mkdir /tmp/warm; cd /tmp/warm; \
  echo '{ "endpoints": ["127.0.0.1:1"] }' > etcd.conf; \
  echo '{ "mirrors": [{ "name": "a", "prefix": "/a/", "target": { "files": { "root": "/tmp/warm/a" } } }] }' > mirror.yaml; \
  node /opt/etcd-mirror/bin/etcd-mirror.js --version; \
  node /opt/etcd-mirror/bin/etcd-mirror.js run --config-dir . & pid=$!; \
  until node /opt/etcd-mirror/bin/etcd-mirror.js status --config-dir . > /dev/null 2>&1; do kill -0 $pid; sleep 1; done; \
  kill $pid; wait $pid
USER 0:0
RUN chown -R 0:0 /opt/etcd-mirror && chmod -R u=rwX,go=rX /opt/etcd-mirror

FROM ${NODE_IMAGE}
ARG VERSION=0.1.0
ARG SOURCE=unknown
ARG REVISION=unknown
ARG CREATED=1970-01-01T00:00:00Z
LABEL org.opencontainers.image.title="etcd-mirror" \
  org.opencontainers.image.description="Mirrors etcd key prefixes into files, revision by revision: a Kubernetes sidecar" \
  org.opencontainers.image.licenses="Apache-2.0" \
  org.opencontainers.image.version="${VERSION}" \
  org.opencontainers.image.source="${SOURCE}" \
  org.opencontainers.image.revision="${REVISION}" \
  org.opencontainers.image.created="${CREATED}"
COPY --from=pack /opt/etcd-mirror /opt/etcd-mirror
ENV NODE_ENV=production NODE_COMPILE_CACHE=/opt/etcd-mirror/compile-cache PATH=/opt/etcd-mirror/bin:$PATH
# A number, so that Kubernetes can see that it is not root. Any other does as well.
USER 65532:65532
WORKDIR /tmp
EXPOSE 9379
# tini passes signals on and reaps what hooks leave behind.
ENTRYPOINT ["/opt/etcd-mirror/bin/tini", "--", "node", "/opt/etcd-mirror/bin/etcd-mirror.js"]
CMD ["run"]
