#!/usr/bin/env bash
# plain.sh REPO STATE: what one would write by hand to deliver Retail on this
# machine: the same commands with the same tools, training and evaluation only when
# their inputs have changed, the same checks and the same bake. It is the other side
# of bench's comparison.
#
# What it leaves out: a pinned image with its layers' digests and a registry, gates
# against the champion, a model registry, containers with limits, one address that
# stays while releases change without losing a request, records, rollback, resuming.
set -euo pipefail
repo=$1 state=$2
body='{"BASKET_SIZE":"L","BASKET_TYPE":"Full Shop","STORE_REGION":"E02","STORE_FORMAT":"LS","SPEND":12.5,"QUANTITY":3,"PROD_CODE_20":"DEP00001","PROD_CODE_30":"G00001"}'
mkdir -p "$state/src" "$state/model"
cd "$repo"
data=$repo/data/transactions.csv
commit=$(git rev-parse HEAD)
[ -z "$(git status --porcelain)" ]
# A checkout of the commit in which unchanged files keep their times.
GIT_INDEX_FILE=$state/index git --work-tree="$state/src" checkout -q -f "$commit" -- .
cd "$state/src"

go vet ./... & vet=$!
go test -json ./... >"$state/test.json" & test=$!
CGO_ENABLED=0 go build -trimpath -ldflags '-s -w' -o "$state/new" ./cmd/api & build=$!
wait $vet && wait $test && wait $build

# The layer of an image: a tar with fixed times and its digest.
tar --mtime=@0 --owner=0 --group=0 --numeric-owner -C "$state" -cf "$state/layer.tar" new
digest=$(sha256sum <"$state/layer.tar" | cut -c1-12)
mkdir -p "$state/releases"
mv "$state/new" "$state/releases/$digest"

inputs=$(cat cmd/train/*.go cmd/evaluate/*.go internal/*/*.go go.mod go.sum "$data" | sha256sum)
if [ "$inputs" != "$(cat "$state/model/inputs" 2>/dev/null)" ]; then
  go run ./cmd/train -data "$data" -out "$state/model"
  go run ./cmd/evaluate -data "$data" -model "$state/model" -out "$state/model/metrics.json"
  echo "$inputs" >"$state/model/inputs"
fi
sed -n 's/^ *"accuracy": \([0-9.]*\),*$/\1/p' "$state/model/metrics.json" | head -1 | awk '{exit !($1 >= 0.8)}'
sed -n 's/^ *"f1_macro": \([0-9.]*\),*$/\1/p' "$state/model/metrics.json" | head -1 | awk '{exit !($1 >= 0.7)}'

old=$(cat "$state/pids" 2>/dev/null || :)
taken() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }
base=$((20000 + RANDOM % 10000))
while taken $((base + 1)) || taken $((base + 2)); do base=$((20000 + RANDOM % 10000)); done
: >"$state/pids.new"
for i in 1 2; do
  env -i PORT=$((base + i)) MODEL_PATH="$state/model" MODEL_VERSION=1 SLIPWAY_RELEASE="$digest" DRAIN_DELAY=0s \
    "$state/releases/$digest" >"$state/log.$i" 2>&1 & echo $! >>"$state/pids.new"
done
mv "$state/pids.new" "$state/pids"
for i in 1 2; do
  good=0
  for _ in $(seq 200); do
    if curl -sf "http://127.0.0.1:$((base + i))/health" 2>/dev/null | grep -q "\"$digest\""; then good=$((good + 1)); else good=0; sleep 0.05; fi
    [ $good = 3 ] && break
  done
  [ $good = 3 ]
  curl -sf -H 'Content-Type: application/json' -d "$body" "http://127.0.0.1:$((base + i))/predict" | grep -q '"class":"\(LA\|MM\|UM\)"'
done
for pid in $old; do kill "$pid" 2>/dev/null || :; done
sleep 2 # the bake
echo "$digest on port $((base + 1))"
