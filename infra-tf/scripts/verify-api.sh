#!/usr/bin/env bash
# Tries the deployed API from the outside: saves an animal, finds it, deletes it, and has bad input refused.
# Takes the address as argument, else from the Terraform output; does nothing with verify_after_deployment false.
set -euo pipefail
cd "$(dirname "$0")/.."

if [ $# -gt 0 ]; then
  url=$1
else
  if [ "$(terraform output -raw verify_after_deployment)" != true ]; then
    echo "verify_after_deployment is off"
    exit 0
  fi
  url=$(terraform output -raw api_gateway_invoke_url)
fi
url=${url%/}
name="verify-$(date +%s)-$$"
answer=$(mktemp)
trap 'rm -f "$answer"' EXIT

# expect STATUS WHAT CURL-ARGUMENTS...: a database that is resuming answers 503 for a while, so that is tried again.
expect() {
  local status=$1 what=$2 got=000
  shift 2
  for _ in 1 2 3 4 5 6; do
    got=$(curl --silent --show-error --max-time 35 --output "$answer" --write-out '%{http_code}' "$@") || got=000
    case $got in 503 | 000) sleep 5 ;; *) break ;; esac
  done
  if [ "$got" != "$status" ]; then
    echo "$what: expected $status, got $got: $(head -c 500 "$answer")" >&2
    exit 1
  fi
  echo "$what: $status"
}

json='Content-Type: application/json'
expect 201 "save an animal" -X POST -H "$json" -d "{\"name\":\"$name\",\"weight\":12.5,\"height\":3.25}" "$url/animals"
# With api_cache_enabled the list may be as old as the cache allows.
deadline=$((SECONDS + ${VERIFY_SECONDS:-90}))
until expect 200 "list the animals" "$url/animals" && grep -qF "\"$name\"" "$answer"; do
  if [ "$SECONDS" -ge "$deadline" ]; then
    echo "the saved animal is not in the list" >&2
    exit 1
  fi
  sleep 5
done
expect 400 "refuse a body that is no JSON" -X POST -H "$json" -d '{' "$url/animals"
expect 400 "refuse a weight that is no number" -X POST -H "$json" -d "{\"name\":\"$name\",\"weight\":\"x\",\"height\":1}" "$url/animals"
expect 204 "delete the animal" -X DELETE "$url/animals/$name"
expect 404 "find it gone" -X DELETE "$url/animals/$name"
echo "the API works"
