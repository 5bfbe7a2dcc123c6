# Postgres with pg_cron preloaded: what RDS does not allow, as a small image that runs without root.
# Needs a Debian-based Postgres image whose package sources know postgresql-NN-cron, as the public one does.
ARG POSTGRES_IMAGE=postgres:15-bookworm

FROM ${POSTGRES_IMAGE} AS extensions
# Installing needs root; this stage is thrown away, the image's own stage is not root.
# hadolint ignore=DL3002,DL3066
USER root
WORKDIR /
# The base image pins the package sources, and the package must fit the server it comes with: no version of its own.
# hadolint ignore=DL3008
RUN export DEBIAN_FRONTEND=noninteractive \
 && apt-get update -qq \
 && apt-get install -y -qq --no-install-recommends "postgresql-${PG_MAJOR}-cron" \
 && mkdir /out \
 && cp -a --parents \
      "usr/lib/postgresql/${PG_MAJOR}/lib/pg_cron.so" \
      "usr/share/postgresql/${PG_MAJOR}/extension/"pg_cron* \
      /out/
COPY customdb-entrypoint.sh /out/usr/local/bin/
RUN chmod 0755 /out/usr/local/bin/customdb-entrypoint.sh

# Only the extension's own files: neither package lists nor caches come along.
FROM ${POSTGRES_IMAGE}
COPY --from=extensions /out/ /
# By name: the number differs between the images that may stand below.
# hadolint ignore=DL3066
USER postgres
# Over TCP: while the image initialises its data, a server answers on the socket only.
HEALTHCHECK --interval=10s --timeout=5s --start-period=120s --retries=3 \
  CMD ["sh", "-c", "pg_isready -q -h 127.0.0.1 -U \"${POSTGRES_USER:-postgres}\" -d \"${POSTGRES_DB:-${POSTGRES_USER:-postgres}}\""]
ENTRYPOINT ["customdb-entrypoint.sh"]
CMD ["postgres"]
