package history

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"sort"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/client"
	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/labels"
	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/port"
)

const releaseKey = "release.json.gz"

const (
	maxPart     = 900 << 10 // bytes of a ConfigMap's data; the API accepts a megabyte in all
	maxReleases = 200       // a history names 10 deployments, and those that people accepted
	maxDecoded  = 64 << 20  // bytes of a release
	maxUnpacked = 256 << 20 // of all releases of a history
)

// saveRelease writes a release, in parts if it is large.
func saveRelease(ctx context.Context, c *client.Client, h port.History, r delivery.ReleaseRecord) error {
	r.Quarantined = nil // that is in the history: it changes
	compressed, err := encodeRelease(r)
	if err != nil {
		return err
	}
	for n := 0; compressed.Len() > 0; n++ {
		o := newConfigMap(fmt.Sprintf("%s-%s-%d", labels.ObjectName(h.Service, h.Environment), r.ID, n), releaseRecord, h)
		o.SetAnnotations(map[string]string{labels.Release: string(r.ID), labels.Part: fmt.Sprint(n)})
		o.Object["binaryData"] = map[string]any{releaseKey: base64.StdEncoding.EncodeToString(compressed.Next(maxPart))}
		o.Object["immutable"] = true
		if _, err := c.Apply(ctx, o, client.ApplyOptions{Force: true}); err != nil {
			return err
		}
	}
	return nil
}

func encodeRelease(r delivery.ReleaseRecord) (*bytes.Buffer, error) {
	raw, err := json.Marshal(delivery.ReleaseDocument(r))
	if err != nil {
		return nil, fmt.Errorf("encode %s: %w", r.ID, err)
	}
	compressed := new(bytes.Buffer)
	z := gzip.NewWriter(compressed)
	if _, err := z.Write(raw); err != nil {
		return nil, fmt.Errorf("compress %s: %w", r.ID, err)
	}
	if err := z.Close(); err != nil {
		return nil, fmt.Errorf("compress %s: %w", r.ID, err)
	}
	return compressed, nil
}

func deleteRelease(ctx context.Context, c *client.Client, service string, env delivery.Environment, id delivery.ReleaseID) error {
	parts, err := partsOf(ctx, c, service, env, id)
	if err != nil {
		return err
	}
	return deleteAll(ctx, c, parts)
}

func partsOf(ctx context.Context, c *client.Client, service string, env delivery.Environment, id delivery.ReleaseID) ([]unstructured.Unstructured, error) {
	found, err := c.List(ctx, client.ConfigMaps(), labels.Selector(service, env)+","+labels.Record+"="+releaseRecord)
	return slices.DeleteFunc(found, func(o unstructured.Unstructured) bool { return releaseOf(o) != id }), err
}

// decodeRelease unpacks a release. left is how many bytes all releases together may still
// have: whoever may write ConfigMaps can make them.
func decodeRelease(id delivery.ReleaseID, parts []unstructured.Unstructured, left *int64) (r delivery.ReleaseRecord, err error) {
	sort.Slice(parts, func(i, j int) bool {
		a, b := parts[i].GetAnnotations()[labels.Part], parts[j].GetAnnotations()[labels.Part]
		return len(a) < len(b) || len(a) == len(b) && a < b
	})
	var compressed bytes.Buffer
	for _, p := range parts {
		text, _, _ := unstructured.NestedString(p.Object, "binaryData", releaseKey)
		raw, err := base64.StdEncoding.DecodeString(text)
		if err != nil {
			return r, corrupt(p.GetName(), err)
		}
		compressed.Write(raw)
	}
	z, err := gzip.NewReader(&compressed)
	if err != nil {
		return r, corrupt(parts[0].GetName(), err)
	}
	limit := min(maxDecoded, *left)
	raw, err := io.ReadAll(io.LimitReader(z, limit+1))
	if int64(len(raw)) > limit {
		err = fmt.Errorf("it unpacks to more than %d bytes", limit)
	}
	*left -= int64(len(raw))
	if err == nil {
		err = json.Unmarshal(raw, (*delivery.ReleaseDocument)(&r))
	}
	if err == nil && r.ID != id {
		err = fmt.Errorf("it belongs to %q", r.ID)
	}
	if err != nil {
		return r, corrupt(parts[0].GetName(), err)
	}
	return r, nil
}
