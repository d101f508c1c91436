//go:build e2e && linux

package e2e

import (
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/slipway-cd/slipway/e2e/base"
	"github.com/slipway-cd/slipway/e2e/imageserver"
)

// The model is trained and evaluated in the cluster when a person asks for it, once, although Slipway is
// killed meanwhile, and delivered; a change of its inputs alone trains nothing.
func TestTargets_TrainElsewhere(t *testing.T) {
	t.Parallel()
	h := newTinyClusterProject(t, tinyManifests)
	h.kubectlIn("apply", "-f", "../docs/kubernetes-train-role.yaml")
	h.kubectlIn("create", "rolebinding", "train", "--role=slipway-train", "--serviceaccount="+h.namespace+":slipway")
	on := fmt.Sprintf("    on: {kubernetes: {namespace: %s, image: %q}}\n", h.namespace, h.trainingImage())
	for _, run := range []string{"    run: sh train.sh", "    run: sh evaluate.sh"} {
		h.edit("slipway.yaml", run, on+run)
	}
	h.edit("slipway.yaml", `SIDE: "${E2E_SIDE}"`, "SIDE: /slipway/side")
	h.edit("evaluate.sh", "set -eu\n", "set -eu\necho evaluates in the cluster\n")
	h.edit("weights.txt", "seconds=0", "seconds=8")
	h.commit("train in the cluster")

	h.run().wantExit(2).wantText("model tiny-models has no approved version")
	h.requireJobs(0)

	s := h.start("run", "--env", "prod", "--json", "--retrain")
	s.waitForStep("train")
	h.eventually(time.Minute, func() bool {
		return strings.Contains(h.kubectlIn("get", "pods", "-l", "slipway.dev/job", "-o", "jsonpath={.items[*].status.phase}"), "Running")
	})
	s.kill()
	r := h.slipway("run", "--resume", "--json").wantRun(0, "deployed")
	if log := h.read(filepath.Join(h.home, "runs", r.report.Run, "logs", "train.log")); !strings.HasPrefix(log, "training says the token is ***\n") {
		t.Errorf("log of the step = %q, want that of the Job, with the secret masked", log)
	}
	h.requireJobs(1)
	if log := h.read(filepath.Join(h.home, "runs", r.report.Run, "logs", "evaluate.log")); !strings.Contains(log, "evaluates in the cluster\n") {
		t.Errorf("log of the evaluation = %q, want that of the Job", log)
	}
	h.requireServing("tiny", r.report.Release)
	h.slipway("models", "show", "tiny-models:1", "--json").wantExit(0).wantText(`"image": "`)

	h.write("data.csv", h.read(filepath.Join(h.dir, "data.csv"))+"9,9\n")
	h.commit("more data")
	h.slipway("plan", "--env", "prod").wantText("training inputs changed; not retrained (when: manual)")
	h.run().wantExit(0)
	h.requireJobs(1)
}

// trainingImage is an image with a shell, which the nodes can pull.
func (h *clusterProject) trainingImage() string {
	h.t.Helper()
	img, err := imageserver.ProgramImage([]string{"sh", "tar", "mktemp", "mv", "rm", "mkdir", "cat", "sleep", "sed", "cksum", "wc"})
	h.must(err)
	if _, err := base.Push(h.t.Context(), img, h.startMirror(), registryToken); err != nil {
		h.t.Fatal(err)
	}
	address := fmt.Sprintf("127.0.0.1:%d", 20000+rand.IntN(20000))
	h.serve(address, "SLIPWAY_HOME="+filepath.Join(h.base, "mirror"))
	return address + "/" + base.Repository + ":" + base.Tag
}

// requireJobs checks how many Jobs trained, and how many evaluated.
func (h *clusterProject) requireJobs(want int) {
	h.t.Helper()
	jobs := strings.Fields(h.kubectlIn("get", "jobs", "-l", "slipway.dev/job", "-o", "jsonpath={.items[*].metadata.name}"))
	for _, kind := range []string{"-train-", "-evaluate-"} {
		n := 0
		for _, name := range jobs {
			if strings.Contains(name, kind) {
				n++
			}
		}
		if n != want || len(jobs) != 2*want {
			h.t.Errorf("Jobs = %q, want %d with %q in their names", jobs, want, kind)
		}
	}
}
