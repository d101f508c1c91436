package awstest

import (
	"crypto/md5" //nolint:gosec // ETags are
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// Bucket is a bucket of S3.
type Bucket struct {
	Name        string
	Region      string // empty: the account's
	Unversioned bool   // a key has one version only

	objects map[string][]*Object // versions by key, oldest first
	uploads map[string]*upload   // by ID

	settings   map[string]map[string]any // by their names in the model
	suspended  bool                      // it kept versions once
	policy     *Policy
	policyText string
}

// Object is one version of an object.
type Object struct {
	Key, VersionID, ETag string
	Body                 []byte
	Checksums            map[string]string // by header, such as x-amz-checksum-crc32
	Metadata             map[string]string
	ContentType          string
	KMSKey               string // empty: S3's own
	ModTime              time.Time

	marker bool // the object was deleted
}

// AddBucket makes an empty bucket.
func (c *Cloud) AddBucket(b Bucket) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.addBucket(b)
}

func (c *Cloud) addBucket(b Bucket) {
	if b.Region == "" {
		b.Region = c.Region
	}
	b.objects, b.uploads, b.settings = map[string][]*Object{}, map[string]*upload{}, newSettings()
	c.buckets[b.Name] = &b
}

// PutObject stores an object as its owner would, and returns its version.
func (c *Cloud) PutObject(bucket, key string, body []byte) (version string, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	b := c.buckets[bucket]
	if b == nil {
		return "", fmt.Errorf("awstest: no bucket %s", bucket)
	}
	return c.store(b, &Object{Key: key, Body: body}).VersionID, nil
}

// Object returns the newest version of an object.
func (c *Cloud) Object(bucket, key string) (Object, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if b := c.buckets[bucket]; b != nil && b.newest(key) != nil {
		return *b.newest(key), true
	}
	return Object{}, false
}

// Keys lists the objects of a bucket whose keys have the prefix, sorted.
func (c *Cloud) Keys(bucket, prefix string) []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if b := c.buckets[bucket]; b != nil {
		return b.keys(prefix)
	}
	return nil
}

func (b *Bucket) keys(prefix string) []string {
	var keys []string
	for _, key := range slices.Sorted(maps.Keys(b.objects)) {
		if strings.HasPrefix(key, prefix) && b.newest(key) != nil {
			keys = append(keys, key)
		}
	}
	return keys
}

// newest returns the newest version of a key, or nil if there is none or it was deleted.
func (b *Bucket) newest(key string) *Object {
	versions := b.objects[key]
	if len(versions) == 0 || versions[len(versions)-1].marker {
		return nil
	}
	return versions[len(versions)-1]
}

// store adds a version of o.Key.
func (c *Cloud) store(b *Bucket, o *Object) *Object {
	if o.ETag == "" {
		sum := md5.Sum(o.Body) //nolint:gosec // ETags are
		o.ETag = `"` + hex.EncodeToString(sum[:]) + `"`
	}
	o.ModTime = c.clock().UTC().Truncate(time.Second)
	if b.Unversioned {
		b.objects[o.Key] = []*Object{o}
		return o
	}
	o.VersionID = fmt.Sprintf("v%030d", c.next())
	b.objects[o.Key] = append(b.objects[o.Key], o)
	return o
}

// find returns a version of an object; the empty one is the newest.
func (b *Bucket) find(key, version string) (*Object, error) {
	newest := b.newest(key)
	switch {
	case newest == nil && version == "":
		return nil, &Error{Code: "NoSuchKey", Message: "The specified key does not exist.", Status: 404}
	case version == "":
		return newest, nil
	}
	i := slices.IndexFunc(b.objects[key], func(o *Object) bool { return o.VersionID == version })
	if i < 0 {
		return nil, &Error{Code: "NoSuchVersion", Message: "The specified version does not exist.", Status: 404}
	}
	if b.objects[key][i].marker {
		return nil, &Error{Code: "MethodNotAllowed", Message: "The specified method is not allowed against this resource.", Status: 405}
	}
	return b.objects[key][i], nil
}
