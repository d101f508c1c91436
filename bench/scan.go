package main

import (
	"compress/gzip"
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/slipway-cd/slipway/bench/measure"
	"github.com/slipway-cd/slipway/internal/adapter/anchore"
	"github.com/slipway-cd/slipway/internal/adapter/anchore/testdb"
	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/port"
)

// The scanned image: about as large as a service with scikit-learn.
const (
	wheels         = 60
	filesPerWheel  = 60
	debianPackages = 90
	scanRounds     = 5
)

// measureScans measures the SBOMs and the scan of a Python image.
func (b *bench) measureScans(ctx context.Context) error {
	db := filepath.Join(b.work, "vulnerabilities")
	if err := installTestDatabase(ctx, b.work, db); err != nil {
		return err
	}
	base, err := b.pythonLayers()
	if err != nil {
		return err
	}
	var fresh, again []time.Duration
	for round := range scanRounds + 1 { // the first round only warms the page cache
		dir := filepath.Join(b.work, fmt.Sprint("scanned", round))
		d, err := pythonImage(dir, round, base)
		if err != nil {
			return err
		}
		first, err := scanOnce(ctx, db, dir, d)
		if err != nil {
			return err
		}
		second, err := scanOnce(ctx, db, dir, d)
		if err != nil {
			return err
		}
		if round > 0 {
			fresh, again = append(fresh, first), append(again, second)
		}
	}
	for _, c := range []struct {
		what string
		took []time.Duration
	}{{"a Python image", fresh}, {"the same image again", again}} {
		m := measure.Median(c.took)
		b.Add(fmt.Sprintf("SBOMs and scan of %s, %d wheels and %d deb packages, test database (median of %d)", c.what, wheels, debianPackages, scanRounds), "<= 5 s",
			fmt.Sprintf("%.2f s", m.Seconds()), m <= 5*time.Second)
	}
	return nil
}

// installTestDatabase installs a vulnerability database with one vulnerability of
// each ecosystem.
func installTestDatabase(ctx context.Context, work, dir string) error {
	made, err := os.MkdirTemp(work, "planted-")
	if err != nil {
		return err
	}
	file, err := testdb.Write(made, []testdb.Vulnerability{
		{ID: "CVE-2099-1001", Severity: "high", Ecosystem: "python", Package: "bench-wheel-07", Below: "2.0.0", Fixed: true},
		{ID: "CVE-2099-1002", Severity: "high", Ecosystem: "deb", Distro: "debian", DistroVersion: "12", Codename: "bookworm", Package: "libbench07", Below: "2.0-1", Fixed: true},
	})
	if err != nil {
		return err
	}
	_, err = anchore.New(anchore.Config{Dir: dir}).Import(ctx, file)
	return err
}

// scanOnce does what the scan step does, with a new Scanner as in every run: both
// SBOMs, then the scan, which must find both vulnerabilities.
func scanOnce(ctx context.Context, db, dir string, d delivery.Digest) (time.Duration, error) {
	keep := dir + "-kept"
	if err := os.MkdirAll(keep, 0o755); err != nil {
		return 0, err
	}
	name := delivery.Image{Repository: "retail-python", Digest: d}
	start := time.Now()
	s := anchore.New(anchore.Config{Dir: db})
	if _, err := s.ImageSBOM(ctx, port.ImageSBOMRequest{Layout: dir, Image: name, Dir: keep}); err != nil {
		return 0, err
	}
	report, err := s.Scan(ctx, port.ScanRequest{Layout: dir, Image: name, CacheDir: keep})
	took := time.Since(start)
	if err != nil {
		return 0, err
	}
	if len(report.Findings) != 2 || len(report.Gaps) != 0 || report.Packages["python"] != wheels || report.Packages["deb"] != debianPackages {
		return 0, fmt.Errorf("the scan found %d vulnerabilities in %v, with gaps %v; want 2 and none", len(report.Findings), report.Packages, report.Gaps)
	}
	return took, nil
}

// pythonLayers returns the layers of a distribution and of Python packages.
func (b *bench) pythonLayers() ([]v1.Layer, error) {
	licence, err := os.ReadFile(filepath.Join(b.root, "LICENSE"))
	if err != nil {
		return nil, err
	}
	var layers []v1.Layer
	for _, files := range []map[string][]byte{debianFiles(licence), wheelFiles(licence)} {
		l, err := layer(gzip.BestSpeed, files, slices.Sorted(maps.Keys(files)))
		if err != nil {
			return nil, err
		}
		layers = append(layers, l)
	}
	return layers, nil
}

// pythonImage writes an image whose last layer is new.
func pythonImage(dir string, round int, base []v1.Layer) (delivery.Digest, error) {
	const file = "app/server/main.py"
	last, err := layer(gzip.BestSpeed, map[string][]byte{file: fmt.Appendf(nil, "round = %d\n", round)}, []string{file})
	if err != nil {
		return "", err
	}
	img, err := image(v1.Config{Entrypoint: []string{"python", "-m", "server"}}, append(slices.Clone(base), last)...)
	if err != nil {
		return "", err
	}
	return writeLayout(dir, img)
}

func debianFiles(licence []byte) map[string][]byte {
	files := map[string][]byte{
		"etc/os-release": []byte("ID=debian\nVERSION_ID=\"12\"\nNAME=\"Debian GNU/Linux\"\nPRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\nVERSION_CODENAME=bookworm\n"),
	}
	var status strings.Builder
	for i := range debianPackages {
		name := fmt.Sprintf("libbench%02d", i)
		fmt.Fprintf(&status, "Package: %s\nStatus: install ok installed\nPriority: optional\nSection: libs\nInstalled-Size: 400\nMaintainer: Bench <bench@example.com>\nArchitecture: amd64\nVersion: 1.%d-1\nDescription: a package for measuring\n\n", name, i)
		var list, sums strings.Builder
		for n := range 20 {
			file := fmt.Sprintf("usr/lib/%s/part%d.so", name, n)
			files[file] = []byte(strings.Repeat(file, 100))
			fmt.Fprintf(&list, "/%s\n", file)
			fmt.Fprintf(&sums, "%032x  %s\n", n, file)
		}
		files["var/lib/dpkg/info/"+name+".list"] = []byte(list.String())
		files["var/lib/dpkg/info/"+name+".md5sums"] = []byte(sums.String())
		files["usr/share/doc/"+name+"/copyright"] = licence
	}
	files["var/lib/dpkg/status"] = []byte(status.String())
	return files
}

func wheelFiles(licence []byte) map[string][]byte {
	files := map[string][]byte{}
	const site = "usr/local/lib/python3.11/site-packages/"
	for i := range wheels {
		name, version := fmt.Sprintf("bench_wheel_%02d", i), fmt.Sprintf("1.%d.0", i)
		var record strings.Builder
		for n := range filesPerWheel {
			file := fmt.Sprintf("%s/part%d.py", name, n)
			files[site+file] = []byte(strings.Repeat(fmt.Sprintf("def f%d(x):\n    return x + %d\n\n\n", n, i), 100))
			fmt.Fprintf(&record, "%s,sha256=%043d,%d\n", file, n, len(files[site+file]))
		}
		info := site + name + "-" + version + ".dist-info/"
		files[info+"METADATA"] = fmt.Appendf(nil, "Metadata-Version: 2.1\nName: %s\nVersion: %s\nSummary: a package for measuring\nLicense: Apache-2.0\nLicense-File: LICENSE\nRequires-Python: >=3.11\nRequires-Dist: bench-wheel-%02d>=1\n\n%s",
			strings.ReplaceAll(name, "_", "-"), version, (i+1)%wheels, strings.Repeat("It has no use but to be counted.\n", 100))
		files[info+"RECORD"] = []byte(record.String())
		files[info+"WHEEL"] = []byte("Wheel-Version: 1.0\nGenerator: bench\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
		files[info+"INSTALLER"] = []byte("pip\n")
		files[info+"top_level.txt"] = []byte(name + "\n")
		files[info+"LICENSE"] = licence
	}
	return files
}
