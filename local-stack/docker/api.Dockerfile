# The REST server, built from source in a container, so that any host can. Dependencies have a layer of their own: a
# change of the server's sources compiles the server only.
ARG RUST_IMAGE=rust:1.95-bookworm

# Manifests with empty sources. Later stages copy the result, so they are rebuilt when a manifest changes, not when a
# source does.
FROM ${RUST_IMAGE} AS manifests
WORKDIR /src
COPY . .
RUN mkdir /skeleton && cp --parents ./Cargo.toml ./Cargo.lock ./*/Cargo.toml /skeleton/
WORKDIR /skeleton
RUN for manifest in ./*/Cargo.toml; do \
      crate=$(dirname "$manifest"); \
      for file in src/main.rs $(sed -n 's/^path = "\(.*\.rs\)"$/\1/p' "$manifest"); do \
        mkdir -p "$crate/$(dirname "$file")" && echo 'fn main() {}' > "$crate/$file" || exit 1; \
      done; \
      mkdir -p "$crate/src" && : > "$crate/src/lib.rs" || exit 1; \
    done

FROM ${RUST_IMAGE} AS build
ARG CARGO_PROFILE=dev
WORKDIR /src
COPY --from=manifests /skeleton/ ./
RUN cargo build --locked --profile "$CARGO_PROFILE" --package api --bin pgapp-api
COPY api/ api/
COPY pg-wire-client/ pg-wire-client/
# The copies may be older than the empty sources' build; cargo goes by time.
RUN find api pg-wire-client -name '*.rs' -exec touch {} + \
 && cargo build --locked --profile "$CARGO_PROFILE" --package api --bin pgapp-api \
 && dir="$CARGO_PROFILE" \
 && if [ "$dir" = dev ]; then dir=debug; fi \
 && mkdir -p /out/usr/local/bin /out/etc/ssl/certs \
 && strip -o /out/usr/local/bin/pgapp-api "target/$dir/pgapp-api"

# A whole image of a system is many times larger than the server, and every program in it is one to keep patched: what
# the server needs is the loader with its few libraries, the certificates of public authorities for TLS, and a name for
# its user. Since 2.34 the C library itself looks names up in files and DNS, so there is no plugin to copy for that.
WORKDIR /out
# The loader stands in the list by its path, like every library.
# hadolint ignore=DL4006
RUN ldd usr/local/bin/pgapp-api | tr -s ' \t' '\n' | grep '^/' | sort -u | xargs cp -L --parents -t . \
 && cp /etc/ssl/certs/ca-certificates.crt etc/ssl/certs/ \
 && echo 'pgapp:x:65532:65532:REST server:/:/sbin/nologin' > etc/passwd \
 && echo 'pgapp:x:65532:' > etc/group \
 && echo 'hosts: files dns' > etc/nsswitch.conf

FROM scratch
COPY --from=build /out/ /
ENV PATH=/usr/local/bin \
    PGRST_SERVER_HOST=0.0.0.0 \
    PGRST_SERVER_PORT=3000 \
    PGRST_ADMIN_SERVER_PORT=3001
EXPOSE 3000 3001
USER 65532:65532
HEALTHCHECK --interval=5s --timeout=5s --start-period=10s --retries=6 CMD ["pgapp-api", "--ready"]
ENTRYPOINT ["pgapp-api"]
