package scaffold_test

import (
	"fmt"
	"io/fs"
	"os"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/slipway-cd/slipway/internal/adapter/kubernetes"
	"github.com/slipway-cd/slipway/internal/catalog"
	"github.com/slipway-cd/slipway/internal/config"
	"github.com/slipway-cd/slipway/internal/scaffold"
)

func repository(files ...string) fstest.MapFS {
	fsys := fstest.MapFS{}
	for i := 0; i < len(files); i += 2 {
		fsys[files[i]] = &fstest.MapFile{Data: []byte(files[i+1])}
	}
	return fsys
}

// TestWrite_KubernetesProposalIsValid: what is proposed in comments is right as it stands.
func TestWrite_KubernetesProposalIsValid(t *testing.T) {
	const deployment = "apiVersion: apps/v1\nkind: Deployment\n"
	for name, c := range map[string]struct {
		fsys fstest.MapFS
		path string
	}{
		"folder":           {repository("k8s/api.yaml", deployment), "k8s/"},
		"chart":            {repository("charts/api/Chart.yaml", "name: api\n", "charts/api/templates/api.yaml", deployment), "charts/api/"},
		"deeper":           {repository("deploy/base/kustomization.yaml", "resources: [api.yaml]\n", "deploy/base/api.yaml", deployment), "deploy/base/"},
		"beside the file":  {repository("api.yaml", deployment), "api.yaml"},
		"chart at the top": {repository("Chart.yaml", "name: api\n", "templates/api.yaml", deployment), "./"},
	} {
		t.Run(name, func(t *testing.T) {
			r, err := scaffold.Write(c.fsys, scaffold.Options{Name: "api", Kinds: catalog.Default()})
			file, seen := r.File, r.Summary
			if err != nil {
				t.Fatal(err)
			}
			if want := "Kubernetes manifests in " + c.path; !strings.Contains(seen, want) {
				t.Errorf("seen: %s; want %s", seen, want)
			}
			var lines []string
			inside := false
			for line := range strings.Lines(string(file)) {
				inside = inside || strings.Contains(line, "# prod:")
				switch {
				case strings.HasPrefix(line, "  prod:"):
					continue
				case strings.HasPrefix(line, "  # manifests:"), inside && strings.HasPrefix(line, "  # "):
					line = strings.Replace(line, "# ", "", 1)
				}
				lines = append(lines, line)
			}
			p, err := config.Parse("slipway.yaml", []byte(strings.Join(lines, "")), nil, catalog.Default())
			if err != nil {
				t.Fatalf("%v\n%s", err, strings.Join(lines, ""))
			}
			if len(p.Deploy.Manifests) != 1 || p.Deploy.Manifests[0] != c.path {
				t.Errorf("manifests %q, want %q", p.Deploy.Manifests, c.path)
			}
			target := p.Environments["prod"].Target
			if k, ok := target.Section.(*kubernetes.Section); !ok || k.Namespace != "api" || k.Registry == "" {
				t.Errorf("prod is at %s", target.Location)
			}
		})
	}
}

// TestWrite_ScanAndSignProposalsAreValid: so are the scan and the signature.
func TestWrite_ScanAndSignProposalsAreValid(t *testing.T) {
	r, err := scaffold.Write(repository("Dockerfile", "FROM scratch\n"), scaffold.Options{Name: "api", Kinds: catalog.Default()})
	file := r.File
	if err != nil {
		t.Fatal(err)
	}
	p, err := config.Parse("slipway.yaml", []byte(strings.NewReplacer("# scan:", "scan:", "# sign:", "sign:").Replace(string(file))), nil, catalog.Default())
	if err != nil {
		t.Fatal(err)
	}
	if p.Scan == nil || len(p.Scan.FailOn) != 2 || p.Sign == nil || p.Sign.Key == "" {
		t.Errorf("scan %+v, sign %+v", p.Scan, p.Sign)
	}
}

func TestWrite_Golden(t *testing.T) {
	const main = "package main\n\nfunc main() {}\n"
	cases := map[string]fstest.MapFS{
		"empty": repository(),
		"go-model": repository(
			"go.mod", "module example.com/shop\n\ngo 1.26\n", "internal/x/x_test.go", "package x\n",
			"cmd/api/main.go", "package main\n\nimport \"net/http\"\n\nvar _ = http.ListenAndServe\nconst h = \"/healthz\"\n",
			"cmd/train/main.go", "package main\n\nfunc f() { flags.StringVar(&o.data, \"input\", \"\", \"\"); flags.StringVar(&o.out, \"output\", \"\", \"\") }\n",
			"cmd/evaluate/main.go", "package main\n\nfunc f() { flag.String(\"input\", \"\", \"\"); flag.String(\"model\", \"\", \"\"); flag.String(\"out\", \"\", \"\") }\nvar s struct { A float64 `json:\"accuracy\"`; R float64 `json:\"rmse\"` }\n",
			"cmd/generate/main.go", main, "data/baskets.csv", "a,b\n", ".git/HEAD", "ref: refs/heads/feature\n", ".git/refs/heads/master", "x",
			"vendor/x/main.go", main,
		),
		"go-root": repository("go.mod", "module echo\n", "main.go", main),
		"python": repository(
			"requirements.txt", "fastapi\n", "requirements-dev.txt", "pytest\n", "server/Dockerfile", "FROM python\n", "server/main.py", "@app.get('/health')\n",
			"train.py", "p.add_argument('--out')\n", "evaluate.py", "p.add_argument('--model'); p.add_argument('--metrics')\nprint({'f1_macro': 1})\n",
			"tests/test_api.py", "", "k8s/deployment.yaml", "apiVersion: apps/v1\nkind: Deployment\n", ".git/HEAD", "ref: refs/heads/trunk\n",
		),
		"odd branch": repository("go.mod", "module x\n", ".git/HEAD", "ref: refs/heads/1.0\n"),
		"odd names":  repository("go.mod", "module x\n", "cmd/a b: {c}/main.go", main, "cmd/\"x\"/main.go", main, "data/-rf .csv", ""),
	}
	for name, fsys := range cases {
		t.Run(name, func(t *testing.T) {
			r, err := scaffold.Write(fsys, scaffold.Options{Name: "My Shop_API", Kinds: catalog.Default()})
			file, seen := r.File, r.Summary
			if err != nil {
				t.Fatal(err)
			}
			golden(t, "testdata/"+strings.ReplaceAll(name, " ", "-")+".yaml", append(file, "# "+seen+"\n"...))
			p, err := config.Parse("slipway.yaml", file, nil, catalog.Default())
			if err != nil || p.Service != "my-shop-api" {
				t.Errorf("service %q, %v", p.Service, err)
			}
			validateSchema(t, file)
		})
	}
}

func TestWrite_ServiceNames(t *testing.T) {
	for name, want := range map[string]string{
		"": "service", "5": "service-5", "NULL": "service-null", "My_API v2": "my-api-v2", "---": "service",
		strings.Repeat("long-", 30): strings.Repeat("long-", 9) + "long",
	} {
		r, err := scaffold.Write(repository(), scaffold.Options{Name: name, Kinds: catalog.Default()})
		file := r.File
		if err != nil {
			t.Errorf("%q: %v", name, err)
			continue
		}
		if p, err := config.Parse("slipway.yaml", file, nil, catalog.Default()); err != nil || p.Service != want {
			t.Errorf("%q becomes %q, want %q (%v)", name, p.Service, want, err)
		}
	}
}

// TestWrite_ExampleNeedsNoEdits proves that the running example needs no hand: what is
// found there is what it has.
func TestWrite_ExampleNeedsNoEdits(t *testing.T) {
	r, err := scaffold.Write(os.DirFS("../../examples/retail"), scaffold.Options{Name: "retail", Kinds: catalog.Default()})
	file, seen := r.File, r.Summary
	if err != nil {
		t.Fatal(err)
	}
	p, err := config.Parse("slipway.yaml", file, nil, catalog.Default())
	if err != nil {
		t.Fatal(err)
	}
	if p.Model == nil || !strings.Contains(p.Model.Train.Run, "go run ./cmd/train -data") && !strings.Contains(p.Model.Train.Run, "-out {{.Output}}") {
		t.Errorf("found %s, but the training command is wrong: %+v", seen, p.Model)
	}
}

func FuzzWrite(f *testing.F) {
	f.Add("shop", "cmd/api/main.go", "package main", "train.py", "add_argument('--x')")
	f.Add("", "a: b/main.go", "package main\n\"/healthz\"", "data/x.csv", "\x00")
	f.Fuzz(func(t *testing.T, name, path1, text1, path2, text2 string) {
		if !fs.ValidPath(path1) || !fs.ValidPath(path2) || path1 == "." || path2 == "." {
			return
		}
		fsys := repository("go.mod", "module x\n", path1, text1, path2, text2, "evaluate.py", text2, "train.py", text1)
		r, err := scaffold.Write(fsys, scaffold.Options{Name: name, Kinds: catalog.Default()})
		file, seen := r.File, r.Summary
		if err != nil {
			if strings.Contains(fmt.Sprint(err), "inspect the repository") {
				return // the fuzzer's paths are no file system
			}
			t.Fatal(err)
		}
		if len(file) == 0 || seen == "" {
			t.Error("nothing was written, or nothing said")
		}
	})
}
