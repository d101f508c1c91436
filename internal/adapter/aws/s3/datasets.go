package s3

import (
	"context"
	"fmt"
	"os"
	"path"
	"strings"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/slipway-cd/slipway/internal/adapter/aws/session"
	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/extension"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
)

// Limits of a dataset.
const (
	maxDatasetObjects = 100_000
	maxDatasetBytes   = 64 << 30 // that are fetched
)

// Datasets implements port.Datasets with the buckets of an account in a region. It is safe
// for concurrent use.
type Datasets struct {
	at      extension.AWS
	options session.Options
	objects int // at most, of an entry

	mu     sync.Mutex // never held during a request
	client *Client
}

var _ port.Datasets = (*Datasets)(nil)

// NewDatasets sends nothing yet.
func NewDatasets(at extension.AWS, o session.Options) *Datasets {
	return &Datasets{at: at, options: o, objects: maxDatasetObjects}
}

// connect refuses credentials of another account: they may see other data.
func (d *Datasets) connect(ctx context.Context) (*Client, error) {
	d.mu.Lock()
	known := d.client
	d.mu.Unlock()
	if known != nil {
		return known, nil
	}
	s, err := session.Open(ctx, d.at, d.options)
	if err == nil {
		err = s.Check(ctx)
	}
	if err != nil {
		return nil, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.client == nil {
		d.client = New(s)
	}
	return d.client, nil
}

// Pin asks for the version of an object, and for a list of what is below a prefix.
func (d *Datasets) Pin(ctx context.Context, uri string) (delivery.Dataset, error) {
	at, err := Parse(uri)
	if err != nil {
		return delivery.Dataset{}, err
	}
	c, err := d.connect(ctx)
	if err != nil {
		return delivery.Dataset{}, err
	}
	pinned := delivery.Dataset{URI: uri}
	if !isPrefix(at) {
		info, err := c.Stat(ctx, at)
		if fault.Is(err, fault.NotFound) {
			return pinned, fault.New(fault.NotFound, "%s does not exist", uri).Cause(err).Hint("name all objects below a prefix with a slash at its end: %s/", uri)
		}
		if err != nil {
			return pinned, err
		}
		return pinnedObject(pinned, info), nil
	}
	all, err := c.list(ctx, at, d.objects)
	if err != nil {
		return pinned, err
	}
	return pinnedPrefix(pinned, all), nil
}

func isPrefix(o Object) bool { return o.Key == "" || strings.HasSuffix(o.Key, "/") }

// pinnedObject pins an object by its version, or by its ETag in a bucket without versions.
func pinnedObject(d delivery.Dataset, i Info) delivery.Dataset {
	pin := "etag:" + i.ETag
	if i.HasVersion() {
		d.Version, pin = i.Version, "version:"+i.Version
	}
	d.Objects, d.Size = 1, i.Size
	d.Digest = delivery.DigestOf(fmt.Appendf(nil, "%q %d %s\n", d.URI, i.Size, pin))
	return d
}

// pinnedPrefix pins what is below a prefix by its names, sizes and ETags.
func pinnedPrefix(d delivery.Dataset, all []listedObject) delivery.Dataset {
	text := fmt.Appendf(nil, "%q\n", d.URI)
	for _, o := range all {
		text = fmt.Appendf(text, "%q %d %s\n", o.key, o.size, o.etag)
		d.Objects, d.Size = d.Objects+1, d.Size+o.size
	}
	d.Digest = delivery.DigestOf(text)
	return d
}

type listedObject struct {
	key, etag string
	size      int64
}

// list returns what is below a prefix, sorted by key. Nothing there is fault.NotFound;
// more than most are fault.Exhausted.
func (c *Client) list(ctx context.Context, prefix Object, most int) (all []listedObject, err error) {
	action := "list the objects of " + prefix.String()
	pages := s3.NewListObjectsV2Paginator(sdk(c), &s3.ListObjectsV2Input{Bucket: &prefix.Bucket, Prefix: &prefix.Key})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, c.explain(ctx, action, prefix, err)
		}
		if len(all)+len(page.Contents) > most {
			return nil, fault.New(fault.Exhausted, "%s: they are more than %d", action, most).Hint("put them into archives, or name a smaller prefix")
		}
		for _, o := range page.Contents {
			all = append(all, listedObject{aws.ToString(o.Key), aws.ToString(o.ETag), aws.ToInt64(o.Size)})
		}
	}
	if len(all) == 0 {
		return nil, fault.New(fault.NotFound, "%s: none found", action).Hint("is the prefix right? It is compared with the keys as it is written")
	}
	return all, nil
}

// Fetch reads every object in the version or with the ETag that was pinned.
func (d *Datasets) Fetch(ctx context.Context, pinned delivery.Dataset, dir string) error {
	at, err := Parse(pinned.URI)
	if err != nil {
		return err
	}
	if pinned.Size > maxDatasetBytes {
		return fault.New(fault.Exhausted, "fetch %s: %d GiB are more than %d", pinned.URI, pinned.Size>>30, int64(maxDatasetBytes)>>30).
			Hint("name the part of it that training reads, or train on SageMaker with it as a channel (on.sagemaker.channels)")
	}
	c, err := d.connect(ctx)
	if err != nil {
		return err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return fault.New(fault.FileKind(err), "fetch %s", pinned.URI).Cause(err)
	}
	defer root.Close()
	if isPrefix(at) {
		return c.fetchPrefix(ctx, at, pinned, root)
	}
	at.Version = pinned.Version
	info, err := c.Stat(ctx, at)
	if fault.Is(err, fault.NotFound) || err == nil && pinnedObject(delivery.Dataset{URI: pinned.URI}, info).Digest != pinned.Digest {
		return moved(pinned)
	}
	if err != nil {
		return err
	}
	return c.downloadPinned(ctx, at, root, port.DatasetName(pinned.URI), info.Size, info.ETag, pinned)
}

func (c *Client) fetchPrefix(ctx context.Context, at Object, pinned delivery.Dataset, root *os.Root) error {
	all, err := c.list(ctx, at, maxDatasetObjects)
	if fault.Is(err, fault.NotFound) || err == nil && pinnedPrefix(delivery.Dataset{URI: pinned.URI}, all).Digest != pinned.Digest {
		return moved(pinned)
	}
	if err != nil {
		return err
	}
	folder := port.DatasetName(pinned.URI)
	for _, o := range all {
		name := strings.TrimPrefix(o.key, at.Key)
		if name == "" || strings.HasSuffix(name, "/") {
			continue // a folder, as the console makes them
		}
		if err := c.downloadPinned(ctx, Object{Bucket: at.Bucket, Key: o.key}, root, path.Join(folder, name), o.size, o.etag, pinned); err != nil {
			return err
		}
	}
	return nil
}

// downloadPinned fetches an object that is the one that was pinned to the end.
func (c *Client) downloadPinned(ctx context.Context, o Object, root *os.Root, name string, size int64, etag string, pinned delivery.Dataset) error {
	err := c.downloadTo(ctx, o, root, name, size, etag)
	if fault.Is(err, fault.Conflict) {
		return moved(pinned)
	}
	return err
}

func moved(d delivery.Dataset) error {
	return fault.New(fault.Conflict, "%s changed since the plan was made", d.URI).Hint("run again: a new plan pins the new data; a bucket with versions keeps what was pinned")
}
