// Package kubernetes is the target in a cluster: a release is its objects, and the
// objects of one release are applied, judged, given the traffic and removed together.
//
// One Deployment runs all releases of a service. Three fields of it and of its Service
// control a rollout:
//
//   - minReadySeconds holds the Deployment. While it is huge, no new pod counts as
//     available, so the Deployment controller starts new pods next to the old ones and
//     removes none of the old ones.
//   - maxSurge limits how many new ones there are.
//   - the Service's selector names the release that receives the traffic.
//
// So a release is probed before users reach it, a canary is a few more pods, a rollback
// needs no new pod, and there is one ReplicaSet for each release.
//
// The target's methods are here, a file for each; what they share is in the folders
// below: client (requests), labels, manifest (objects to apply), rollout (what there
// is), lease, history, portforward and metrics.
package kubernetes
