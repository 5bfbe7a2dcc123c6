# Postgres with pg_cron preloaded: what RDS does not allow, as a small image that runs without root.
# Needs a Debian-based Postgres image whose package sources know postgresql-NN-cron, as the public one does.
ARG POSTGRES_IMAGE=postgres:15-bookworm

FROM ${POSTGRES_IMAGE} AS extensions
USER root
RUN export DEBIAN_FRONTEND=noninteractive \
 && apt-get update -qq \
 && apt-get install -y -qq --no-install-recommends "postgresql-${PG_MAJOR}-cron" \
 && mkdir /out \
 && cd / \
 && cp -a --parents \
      usr/lib/postgresql/${PG_MAJOR}/lib/pg_cron.so \
      usr/share/postgresql/${PG_MAJOR}/extension/pg_cron* \
      /out/
COPY customdb-entrypoint.sh /out/usr/local/bin/
RUN chmod 0755 /out/usr/local/bin/customdb-entrypoint.sh

# Only the extension's own files: neither package lists nor caches come along.
FROM ${POSTGRES_IMAGE}
COPY --from=extensions /out/ /
USER postgres
ENTRYPOINT ["customdb-entrypoint.sh"]
CMD ["postgres"]
