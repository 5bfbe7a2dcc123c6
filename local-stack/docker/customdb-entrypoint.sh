#!/bin/sh
# Preloads what the application asks for, then pg_cron with its database, whatever further settings the caller gives, then
# hands over to the image's own entrypoint. At run time, not at build time: the database's name is the container's business.
set -eu

if [ "$#" -eq 0 ] || [ "${1#-}" != "$1" ]; then
  set -- postgres "$@"
fi
if [ "$1" = postgres ]; then
  shift
  preload=
  if [ -s /usr/local/share/pgapp/preload ]; then
    read -r preload < /usr/local/share/pgapp/preload || true
  fi
  set -- postgres \
    -c "shared_preload_libraries=${preload:+$preload,}pg_cron" \
    -c "cron.database_name=${CRON_DATABASE:-${POSTGRES_DB:-${POSTGRES_USER:-postgres}}}" \
    -c cron.use_background_workers=on \
    -c max_worker_processes=16 \
    "$@"
fi
exec docker-entrypoint.sh "$@"
