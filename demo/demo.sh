#!/usr/bin/env bash
# Retail, from a commit to verified production on this machine; then a bad
# release, which goes back by itself. Needs Go and git, nothing else.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
work=$root/.demo/retail
slipway=$root/bin/slipway
body='{"BASKET_SIZE":"L","BASKET_TYPE":"Full Shop","STORE_REGION":"E02","STORE_FORMAT":"LS","SPEND":12.5,"QUANTITY":3,"PROD_CODE_20":"DEP00001","PROD_CODE_30":"G00001"}'
load_pid=
# The same flags as for bin/slipway and for images: the standard library and the
# modules are compiled once for all.
export CGO_ENABLED=0 GOFLAGS=-trimpath

if [ -t 1 ]; then bold=$'\033[1m' plain=$'\033[0m'; else bold='' plain=''; fi
say() { printf '\n%s== %s%s\n' "$bold" "$*" "$plain"; }
cleanup() { [ -z "$load_pid" ] || kill "$load_pid" 2>/dev/null || :; }
trap cleanup EXIT
field() { "$slipway" status --env prod --json | sed -n "s/^  \"$1\": \"\(.*\)\",*$/\1/p" | head -1; }
commit() { git add -A && git -c user.name=Demo -c user.email=demo@example.com commit -qm "$1"; }

say "1. A fresh repository with the Retail service (its data is generated, see examples/retail/README.md)"
if [ -d "$work" ]; then (cd "$work" && "$slipway" down --all >/dev/null 2>&1) || :; fi
rm -rf "$work"
mkdir -p "$work"
(cd "$root/examples/retail" && git ls-files -z --cached --others --exclude-standard | tar --null -cf - -T -) | tar -xf - -C "$work"
cd "$work"
git init -q -b main
go run ./cmd/generate -out data/transactions.csv
commit "Retail"
git log --oneline

say "2. slipway run --env prod"
"$slipway" run --env prod
url=$(field url)

say "3. What serves"
"$slipway" status --env prod
echo "the registered model and its computed metrics:"
"$slipway" models
echo "the service itself says:"
"$root/bin/load" -once -url "$url/health"
echo "try:  curl -s $url/predict -d '$body'"
"$root/bin/load" -once -url "$url/predict" -body "$body"
good=$(field release)

say "4. A bad change: /predict answers 500. Users keep asking, 50 times a second"
"$root/bin/load" -url "$url/predict" -body "$body" -rate 50 >"$root/.demo/load.json" &
load_pid=$!
"$root/demo/break.sh" .
commit "A bad change"
code=0
"$slipway" run --env prod 2>"$root/.demo/bad.log" || code=$?
cat "$root/.demo/bad.log"
kill "$load_pid"; wait "$load_pid"; load_pid=

say "5. Rolled back"
echo "exit code: $code (3: deployed, failed, and rolled back)"
seconds() { sed -n "s/^[^ ]* $1  *\([0-9.]*\)s .*/\1/p" "$root/.demo/bad.log"; }
echo "it took: $(seconds deploy) s from the start of the bad deploy to the verdict, $(seconds rollback.deploy) s to go back"
echo "requests lost: $(sed 's/.*"failed":\([0-9]*\).*/\1/' "$root/.demo/load.json")  $(cat "$root/.demo/load.json")"
"$slipway" status --env prod
[ "$code" = 3 ] || { echo "expected exit code 3" >&2; exit 1; }
[ "$(field release)" = "$good" ] || { echo "the good release does not serve" >&2; exit 1; }
grep -q '"failed":0,' "$root/.demo/load.json" || { echo "requests were lost" >&2; exit 1; }

say "Done: release $good serves at $url"
"$slipway" models
echo "try:   curl -s $url/predict -d '$body'"
echo "look:  cd .demo/retail && ../../bin/slipway status"
echo "stop:  cd .demo/retail && ../../bin/slipway down --all"
