package oci

import (
	"context"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
)

// What a packed model says of itself, as labels and annotations.
const (
	modelKey   = "dev.slipway.model"         // group:version
	digestKey  = "dev.slipway.model.digest"  // of the artifact
	programKey = "dev.slipway.model.program" // of the programs in the image
)

// packer is one model on its way into an image.
type packer struct {
	act      string
	model    delivery.ModelRef
	source   repoRef // where Store put it
	programs map[string][]byte
	labels   map[string]string
	record   string // path of its imageRecord; empty: none is kept
}

func (r *Registry) newPacker(ctx context.Context, m delivery.ModelRef) (packer, error) {
	repository, err := modelRepository(m.Group)
	if err != nil {
		return packer{}, err
	}
	if !m.Digest.Valid() || m.Version < 0 {
		return packer{}, fault.New(fault.Invalid, "model %s: invalid version or digest %q", m, m.Digest)
	}
	source, err := r.repoRef(ctx, repository)
	if err != nil {
		return packer{}, err
	}
	programs, err := r.c.Programs()
	if err != nil {
		return packer{}, err
	}
	p := packer{act: "pack model " + m.String(), model: m, source: source, programs: programs, labels: map[string]string{
		modelKey: m.String(), digestKey: string(m.Digest), programKey: string(programsDigest(programs)),
	}}
	p.record, err = r.recordPath(p.tag("packed"))
	return p, err
}

// recordPath is where the note on a packed model is: in the folder of the embedded
// registry, but not in what that serves.
func (r *Registry) recordPath(name string) (string, error) {
	if r.c.Embedded == nil {
		return "", nil
	}
	e, err := r.c.Embedded()
	if err != nil {
		return "", err
	}
	return filepath.Join(e.Dir(), "packed", name+".json"), nil
}

// programsDigest names all programs together.
func programsDigest(programs map[string][]byte) delivery.Digest {
	var all strings.Builder
	for _, arch := range slices.Sorted(maps.Keys(programs)) {
		fmt.Fprintf(&all, "%s %s\n", arch, delivery.DigestOf(programs[arch]))
	}
	return delivery.DigestOf([]byte(all.String()))
}

// tag names model, version, artifact and programs; the group is cut to what a
// tag has room for.
func (p packer) tag(prefix string) string {
	rest := fmt.Sprintf("-v%d-%s-%s", p.model.Version, p.model.Digest.Short(), p.labels[programKey][7:15])
	group := prefix + "-" + strings.ReplaceAll(p.model.Group, "/", "-")
	return group[:min(len(group), 128-len(rest))] + rest
}
