//go:build e2e

package e2e

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/slipway-cd/slipway/internal/adapter/anchore/testdb"
)

const predictBody = `{"BASKET_SIZE":"L","BASKET_TYPE":"Full Shop","STORE_REGION":"E02","STORE_FORMAT":"LS","SPEND":12.5,"QUANTITY":3,"PROD_CODE_20":"DEP00001","PROD_CODE_30":"G00001"}`

// Takes the example from a commit to production, breaks it, and then trains it on the
// real week, which its gates refuse.
func TestRetail_Go(t *testing.T) {
	t.Parallel()
	root, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	p := newProject(t)
	p.must(os.CopyFS(p.dir, os.DirFS(filepath.Join(root, "examples", "retail"))))
	p.edit("slipway.yaml", "  memory: 256MiB\n", "  memory: 256MiB\n  env: {E2E_BASE: "+p.base+"}\n")
	p.git("init", "-q", "-b", "main")
	p.runTool("go", "run", "./cmd/generate", "-out", "data/transactions.csv")
	commit := p.commit("Retail")

	first := p.run().wantRun(0, "deployed")
	good := first.report.Release
	st := p.status("prod")
	id, err := p.health(st.URL)
	p.must(err)
	if st.Release != good || st.Commit != commit || id.Release != good || id.ModelVersion != "1" || st.Health != "healthy" {
		t.Fatalf("status = %+v, /health = %+v, want release %s of commit %s, healthy, with model version 1", st, id, good, commit)
	}
	p.wantComputedPrediction(st.URL)
	p.checkBrokenRetail(root, good)
	p.write("internal/server/late_test.go", "package server\n\nimport \"testing\"\n\nfunc TestLate(t *testing.T) {\n\tt.Error(\"too late\")\n}\n")
	p.commit("a test that fails")
	p.run().wantRun(1, "failed").wantText("TestLate (internal/server/late_test.go:6): too late")
	p.wantRetailDeployed(good)
	p.git("revert", "--no-edit", "HEAD")

	data := filepath.Join(root, "..", "shared", "data", "transactions_200607.csv")
	if _, err := os.Stat(data); err == nil {
		p.checkRealWeekRefused(data, good)
	} else {
		t.Logf("not tested on the real week: dunnhumby's data may not be redistributed: %v", err)
	}
	p.checkGates(testdb.Vulnerability{Ecosystem: "go-module", Package: "stdlib"}, good)
}

func (p *project) runTool(name string, args ...string) {
	p.t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Dir, cmd.Env = p.dir, p.env
	if out, err := cmd.CombinedOutput(); err != nil {
		p.t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
}

// wantComputedPrediction checks that the metrics that the service reports are those of
// the registry, and pass the gates.
func (p *project) wantComputedPrediction(url string) {
	p.t.Helper()
	resp, err := client.Get(url + "/model/metrics")
	p.must(err)
	defer resp.Body.Close()
	var served map[string]any
	p.must(json.NewDecoder(resp.Body).Decode(&served))
	models := runJSON[[]modelVersion](p, "models")
	if len(models) != 1 || models[0].Status != "Approved" {
		p.t.Fatalf("models = %+v, want one that is Approved", models)
	}
	for _, name := range []string{"accuracy", "f1_macro"} {
		got, ok := served[name].(float64)
		if !ok || got != models[0].Metrics[name] || got < 0.7 || got >= 1 {
			p.t.Errorf("%s of the service = %v, want %v as in the registry", name, served[name], models[0].Metrics[name])
		}
	}
}

// checkBrokenRetail makes the bad change of the demo, which is rolled back.
func (p *project) checkBrokenRetail(root, good string) {
	p.t.Helper()
	p.runTool(filepath.Join(root, "demo", "break.sh"), ".")
	p.commit("a bad change")
	r := p.run().wantRun(3, "rolled_back")
	if !strings.Contains(r.report.Cause, "500") {
		p.t.Errorf("the cause does not name the answer: %s", r.report.Cause)
	}
	p.wantRetailDeployed(good)
	p.git("revert", "--no-edit", "HEAD")
}

func (p *project) wantRetailDeployed(good string) {
	p.t.Helper()
	st := p.status("prod")
	id, err := p.health(st.URL)
	p.must(err)
	if st.Release != good || id.Release != good || st.Health != "healthy" {
		p.t.Fatalf("status = %+v, /health = %+v, want release %s, healthy", st, id, good)
	}
	resp, err := client.Post(st.URL+"/predict", "application/json", bytes.NewReader([]byte(predictBody)))
	p.must(err)
	defer resp.Body.Close()
	if body, _ := io.ReadAll(resp.Body); resp.StatusCode != http.StatusOK {
		p.t.Fatalf("/predict: %d %s", resp.StatusCode, body)
	}
}

func (p *project) checkRealWeekRefused(data, good string) {
	p.t.Helper()
	before := p.env
	p.env = append(slices.Clone(before), "DATA="+data)
	r := p.run().wantRun(1, "failed").wantText("accuracy >= 0.8")
	p.env = before
	if s := r.step("evaluate"); s.Outcome != "failed" {
		p.t.Errorf("evaluate = %+v, want outcome failed", s)
	}
	p.wantRetailDeployed(good)
	if m := runJSON[[]modelVersion](p, "models"); len(m) != 1 {
		p.t.Errorf("models = %+v, want only the first", m)
	}
}
