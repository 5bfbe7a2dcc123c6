# Postgres with pg_cron preloaded: what RDS does not allow, as a small image that runs without root. What an application
# needs beyond that is in the folder `application`, which holds nothing for the plain image; its packages and build steps
# come from `custom/packages.txt` (local-stack/src/image.rs).
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
COPY application/packages application/preload /out/usr/local/share/pgapp/
RUN chmod 0755 /out/usr/local/bin/customdb-entrypoint.sh
COPY application/ /application/
# Build steps install below DESTDIR, as `make install` does; compilers stay behind in this stage.
# Each step runs in its folder, which is only known as the loop finds it.
# hadolint ignore=DL3003
RUN for step in /application/build/*/build.sh; do \
      if [ -e "$step" ]; then \
        echo "build step $step" && chmod 0755 "$step" && cd "${step%/*}" \
         && DESTDIR=/out DEBIAN_FRONTEND=noninteractive ./build.sh || exit 1; \
      fi; \
    done

# Only the extension's own files: neither package lists nor caches come along.
FROM ${POSTGRES_IMAGE}
COPY --from=extensions /out/ /
# The application's packages by Debian's own means: what they depend on and what they do when installed comes with them.
# The number in a name is that of this image's server.
# hadolint ignore=DL3002,DL3008,DL3066
USER root
# hadolint ignore=DL3008,DL4006
RUN if [ -s /usr/local/share/pgapp/packages ]; then \
      export DEBIAN_FRONTEND=noninteractive \
       && apt-get update -qq \
       && sed "s/PG_MAJOR/${PG_MAJOR}/" /usr/local/share/pgapp/packages \
          | xargs apt-get install -y -qq --no-install-recommends \
       && rm -rf /var/lib/apt/lists/* /var/cache/apt/archives/*.deb; \
    fi
# By name: the number differs between the images that may stand below.
# hadolint ignore=DL3066
USER postgres
# Over TCP: while the image initialises its data, a server answers on the socket only.
HEALTHCHECK --interval=10s --timeout=5s --start-period=120s --retries=3 \
  CMD ["sh", "-c", "pg_isready -q -h 127.0.0.1 -U \"${POSTGRES_USER:-postgres}\" -d \"${POSTGRES_DB:-${POSTGRES_USER:-postgres}}\""]
ENTRYPOINT ["customdb-entrypoint.sh"]
CMD ["postgres"]
