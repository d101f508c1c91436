#!/usr/bin/env bash
# Makes a state folder with the program of a release, for TestStoredState: what
# that release stored has to be read by every later one.
#   SLIPWAY=/path/to/slipway e2e/testdata/stored/make.sh OUT.tar.zst
# It holds a good release and a bad one that went back, a run that waits for the
# approval of a model, and a run that was killed while it trained. Images of the
# bad release and unpacked file systems are left out: they are large, and made anew.
set -eu
out=$(realpath "$1")
tiny=$(cd "$(dirname "$0")/../tiny" && pwd)
base=/tmp/slipway-stored # commands that name files by absolute path are cached under it
export SLIPWAY_ACTOR=tester GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_NOSYSTEM=1 GIT_AUTHOR_NAME=Tester GIT_AUTHOR_EMAIL=t@example.com
export GIT_COMMITTER_NAME=Tester GIT_COMMITTER_EMAIL=t@example.com E2E_SIDE=$base/trainings E2E_TOKEN=none
rm -rf "$base"
mkdir -p "$base"
cp -r "$tiny" "$base/repo"
cd "$base/repo"
git init -q -b main
git add -A
git commit -qm "the tiny service"
"$SLIPWAY" run --env prod
sed -i 's/"good"/"predict fails"/' behaviour.go
git commit -qam "a bad change"
"$SLIPWAY" run --env prod || [ $? = 3 ]
bad=$(ls -t .slipway/artifacts/images | head -1)
sed -i 's/"predict fails"/"good"/' behaviour.go
git commit -qam "take it back"
sed -i 's/approve: auto/approve: manual/' slipway.yaml
sed -i 's/^accuracy=.*/accuracy=0.93/' weights.txt
git commit -qam "a better model, which a person approves"
"$SLIPWAY" run --env prod || [ $? = 4 ]
sed -i 's/approve: manual/approve: auto/' slipway.yaml
sed -i 's/^seconds=.*/seconds=4/; s/^accuracy=.*/accuracy=0.95/' weights.txt
git commit -qam "a model that takes its time"
"$SLIPWAY" run --env dev &
sleep 2
kill -9 $!
sleep 5 # the training job ends without who submitted it
for pid in $(pgrep -f "supervise --dir $base/"); do kill -9 "$pid"; done
for layer in $(find ".slipway/artifacts/images/$bad" -size +500k -printf '%f\n'); do
  rm -rf ".slipway/registry/docker/registry/v2/blobs/sha256/${layer:0:2}/$layer"
done
rm -rf ".slipway/artifacts/images/$bad" .slipway/local/rootfs .slipway/local/models .slipway/local/run/supervisor.sock
tar -C "$base" --sort=name --owner=0 --group=0 --numeric-owner -cf - repo | zstd -q -19 --long=27 -f -o "$out"
