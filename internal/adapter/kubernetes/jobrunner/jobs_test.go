package jobrunner

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
)

// sampleJob runs in a checkout, and reads data from elsewhere.
func sampleJob(t *testing.T, run string) port.Job {
	t.Helper()
	root := t.TempDir()
	write := func(name, text string) {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("checkout/ml/train.sh", "echo trained")
	write("data/b 1.csv", "b\n")
	write("data/a.csv", "a\n")
	return port.Job{
		Name:    "20261124-101502-k3f9-train-1",
		Command: port.Command{Run: run, Dir: filepath.Join(root, "checkout", "ml"), Env: []string{"TOKEN=it's s3cret", "CI=true"}},
		Inputs: map[string]port.Artifact{
			"checkout": port.FileArtifact("", filepath.Join(root, "checkout")),
			"data":     port.FileArtifact("", filepath.Join(root, "data", "b 1.csv"), filepath.Join(root, "data", "a.csv")),
		},
		Outputs: map[string]string{"model": port.FileURI(filepath.Join(root, "out", "model"))},
	}
}

func TestNewJob_HasNoRightsAndNoSecrets(t *testing.T) {
	section := Section{Image: "train:1", CPU: "2", Memory: "4Gi", GPU: 1, NodeSelector: map[string]string{"gpu": "a100"}, PullSecret: "pull"}
	object, err := newJob(section, sampleJob(t, "train"))
	if err != nil {
		t.Fatal(err)
	}
	raw, err := json.Marshal(object)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(raw), "s3cret") || strings.Contains(string(raw), "TOKEN") {
		t.Errorf("the Job names the command's variables: %s", raw)
	}
	for _, want := range []string{
		`"automountServiceAccountToken":false`, `"allowPrivilegeEscalation":false`, `"drop":["ALL"]`, `"restartPolicy":"Never"`, `"backoffLimit":0`,
		`"ttlSecondsAfterFinished":86400`, `"nvidia.com/gpu":"1"`, `"memory":"4Gi"`, `"nodeSelector":{"gpu":"a100"}`, `"imagePullSecrets":[{"name":"pull"}]`,
		`"medium":"Memory"`, `/slipway/in/checkout/0/checkout/ml`,
	} {
		if !strings.Contains(string(raw), want) {
			t.Errorf("%s not found in %s", want, raw)
		}
	}
	if len(object.Name) > 63 || !strings.HasPrefix(object.Name, "slipway-20261124-101502-k3f9-train-1-") {
		t.Errorf("name = %q", object.Name)
	}
}

func TestJobs_RefusesBadJobs(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*port.Job)
		want   fault.Kind
	}{
		"a folder of no input":          {func(j *port.Job) { j.Command.Dir = t.TempDir() }, fault.Invalid},
		"an input that does not exist":  {func(j *port.Job) { j.Inputs["data"] = port.FileArtifact("", "/none") }, fault.NotFound},
		"an input of an unknown scheme": {func(j *port.Job) { j.Inputs["data"] = port.Artifact{URIs: []string{"teapot://x"}} }, fault.Invalid},
		"a relative output":             {func(j *port.Job) { j.Outputs["model"] = "out" }, fault.Invalid},
		"a hostile name":                {func(j *port.Job) { j.Name = "../x" }, fault.Invalid},
	} {
		t.Run(name, func(t *testing.T) {
			job := sampleJob(t, "true")
			c.change(&job)
			if _, err := New(Config{Section: Section{Image: "train"}}).Submit(t.Context(), job); !fault.Is(err, c.want) {
				t.Errorf("error = %v, want %s", err, c.want)
			}
		})
	}
}

// TestScripts runs what the pod runs with this machine's programs, in another folder.
func TestScripts(t *testing.T) {
	root := t.TempDir()
	here := func(script string) string { return strings.ReplaceAll(script, volumeDir, root) }
	job := sampleJob(t, `. ./train.sh; cat "`+root+`/in/data/0/b 1.csv" "`+root+`/in/data/1/a.csv" > `+root+`/out/model/m; echo "$TOKEN"; exit 4`)
	for range 2 { // the second one comes too late
		var archive bytes.Buffer
		if err := writeInputs(t.Context(), &archive, job); err != nil {
			t.Fatal(err)
		}
		send := exec.Command("sh", "-c", here(sendScript))
		send.Stdin = &archive
		if out, err := send.CombinedOutput(); err != nil {
			t.Fatalf("send: %v: %s", err, out)
		}
	}
	if left, _ := filepath.Glob(root + "/.in.*"); len(left) > 0 {
		t.Errorf("left over: %q", left)
	}
	if out, err := exec.Command("sh", "-c", here(receiveScript)).CombinedOutput(); err != nil {
		t.Errorf("receive: %v: %s", err, out)
	}
	dir, err := workDir(job)
	if err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("sh", "-c", here(commandScript(dir, []string{"model"}))).CombinedOutput()
	if err == nil || err.Error() != "exit status 4" || string(out) != "trained\nit's s3cret\n" {
		t.Errorf("command: %v, output %q", err, out)
	}
	if _, err := os.Stat(root + "/.done"); err != nil {
		t.Errorf("the end of the command is not marked: %v", err)
	}
	fetched, err := exec.Command("sh", "-c", here(fetchScript)).Output()
	if err != nil {
		t.Fatal(err)
	}
	to := t.TempDir()
	if err := readOutputs(bytes.NewReader(fetched), map[string]string{"model": to}); err != nil {
		t.Fatal(err)
	}
	if text, err := os.ReadFile(to + "/m"); err != nil || string(text) != "b\na\n" {
		t.Errorf("output = %q, error = %v", text, err)
	}
}

func TestReadOutputs_WritesNothingElsewhere(t *testing.T) {
	for name, h := range map[string]*tar.Header{
		"a link":              {Name: "model/link", Typeflag: tar.TypeSymlink, Linkname: "/etc/passwd"},
		"a hard link":         {Name: "model/link", Typeflag: tar.TypeLink, Linkname: "model/a"},
		"a device":            {Name: "model/null", Typeflag: tar.TypeChar},
		"beyond the folder":   {Name: "model/../../x", Typeflag: tar.TypeReg},
		"of no output":        {Name: "other/x", Typeflag: tar.TypeReg},
		"an absolute path":    {Name: "/model/x", Typeflag: tar.TypeReg},
		"the same file again": {Name: "model/a", Typeflag: tar.TypeReg},
	} {
		t.Run(name, func(t *testing.T) {
			var archive bytes.Buffer
			w := tar.NewWriter(&archive)
			for _, one := range []*tar.Header{{Name: "./model/a", Typeflag: tar.TypeReg, Mode: 0o644}, h} {
				if err := w.WriteHeader(one); err != nil {
					t.Fatal(err)
				}
			}
			if err := w.Close(); err != nil {
				t.Fatal(err)
			}
			root := t.TempDir()
			to := filepath.Join(root, "model")
			if err := os.Mkdir(to, 0o755); err != nil {
				t.Fatal(err)
			}
			err := readOutputs(&archive, map[string]string{"model": to})
			found, _ := filepath.Glob(root + "/*")
			inside, _ := filepath.Glob(to + "/*")
			if len(found) != 1 || len(inside) != 1 {
				t.Errorf("found %q and %q, want model/a only (error %v)", found, inside, err)
			}
		})
	}
}
