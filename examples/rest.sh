#!/usr/bin/env bash
# A back-office service at work, with curl: creates a session, imports a file, locks a record, edits it, reads the trail.
#
#   URL=http://127.0.0.1:8080 TOKEN=$(realtime-server token --user alice --project demo --role preparer) examples/rest.sh
set -euo pipefail

api="${URL:?where the server is}/api/collaboration"
: "${TOKEN:?a token of somebody who prepares}"

# Fails on a refusal, and shows it. A record's id has a colon, which is fine in a path.
call() { curl --silent --show-error --fail-with-body --header "Authorization: Bearer $TOKEN" "$@"; }
json() { call --header "Content-Type: application/json" "$@"; }
member() { python3 -c 'import json, sys; print(json.load(sys.stdin)[sys.argv[1]])' "$1"; }

# The same key again gives the same session: this script can be run twice.
session=$(json --header "Idempotency-Key: october-close" "$api/sessions" \
  --data "{\"project_id\": \"${PROJECT:-demo}\", \"session_name\": \"October close\"}" | member session_id)
echo "session $session"

call "$api/sessions/$session/records?source=ledger" --header "Content-Type: text/csv" --data-binary @- <<'CSV'
external_id,date,amount,currency,description
INV-17,2026-11-01,10.50,GBP,Rent
INV-18,2026-11-02,7.00,GBP,Tea
CSV
echo

record="$api/sessions/$session/records/ledger:INV-17"
token=$(json "$record/lock" --data '{"ttl": 60}' | member token)
echo "locked, fencing token $token"

# Set the description as it was seen: If-Match names the record's version, Idempotency-Key the edit.
version=$(call "$record" | member seq)
json "$record/edit" --header "If-Match: \"$version\"" --header "Idempotency-Key: description-$version" \
  --data "{\"field_name\": \"description\", \"new_value\": \"Rent, seen in version $version\", \"lock_token\": $token}"
echo

json "$record/unlock" --data "{\"token\": $token}"
echo

call "$api/sessions/$session/history?record_id=ledger:INV-17&limit=10"
echo
