#!/usr/bin/env bash
# workshop.sh MANIFEST IMAGE TIMEOUT: how the workshop's pipeline brings a release
# into the namespace of the kubeconfig. The manifest names the image's tag "latest";
# the commit's own tag is set after that, which is a second rollout.
set -euo pipefail
manifest=$1 image=$2 timeout=$3
kubectl apply -f "$manifest"
kubectl set image deployment/tiny "tiny=$image"
if kubectl rollout status deployment/tiny --timeout="$timeout" &&
  curl -fsS -m 5 -d '{"n": 1}' "http://$(kubectl get service tiny -o jsonpath='{.spec.clusterIP}')/predict"; then
  exit 0
fi
kubectl rollout undo deployment/tiny
kubectl rollout status deployment/tiny --timeout="$timeout"
exit 1
