package awstest

import (
	"fmt"
	"maps"
	"slices"
)

func (c *Cloud) s3Versions() map[string]handler {
	return map[string]handler{"DeleteObject": c.deleteObject, "DeleteObjects": c.deleteObjects, "ListObjectVersions": c.listObjectVersions}
}

// remove deletes a version, or hides the key behind a marker in a bucket that keeps
// versions. What is not there is removed, too.
func (c *Cloud) remove(b *Bucket, key, version string) (marker *Object) {
	switch {
	case version != "":
		b.objects[key] = slices.DeleteFunc(b.objects[key], func(o *Object) bool { return o.VersionID == version || version == "null" && o.VersionID == "" })
	case b.Unversioned:
		delete(b.objects, key)
	default:
		marker = &Object{Key: key, VersionID: fmt.Sprintf("v%030d", c.next()), ModTime: c.clock().UTC(), marker: true}
		b.objects[key] = append(b.objects[key], marker)
	}
	if len(b.objects[key]) == 0 {
		delete(b.objects, key)
	}
	return marker
}

func (c *Cloud) deleteObject(call *Call) (any, error) {
	b, in, err := c.bucketOf(call)
	if err != nil {
		return nil, err
	}
	out := map[string]any{}
	if marker := c.remove(b, in.Key, in.VersionID); marker != nil {
		out["DeleteMarker"], out["VersionId"] = true, marker.VersionID
	}
	return &s3Output{members: out}, nil
}

// maxDeleted bounds one request. Source: DeleteObjects in S3's API reference.
const maxDeleted = 1000

func (c *Cloud) deleteObjects(call *Call) (any, error) {
	var in struct {
		Delete struct {
			Quiet   bool
			Objects []struct {
				Key       string
				VersionID string `json:"VersionId"`
			}
		}
	}
	if err := call.Into(&in); err != nil {
		return nil, err
	}
	b, _, err := c.bucketOf(call)
	if err != nil {
		return nil, err
	}
	if len(in.Delete.Objects) > maxDeleted {
		return nil, refuse("MalformedXML", "The XML you provided was not well-formed or did not validate against our published schema")
	}
	deleted := []any{}
	for _, o := range in.Delete.Objects {
		marker := c.remove(b, o.Key, o.VersionID)
		d := map[string]any{"Key": o.Key}
		if o.VersionID != "" {
			d["VersionId"] = o.VersionID
		}
		if marker != nil {
			d["DeleteMarker"], d["DeleteMarkerVersionId"] = true, marker.VersionID
		}
		if !in.Delete.Quiet {
			deleted = append(deleted, d)
		}
	}
	return &s3Output{members: map[string]any{"Deleted": deleted}}, nil
}

// listObjectVersions lists versions and markers, by key, the newest first.
func (c *Cloud) listObjectVersions(call *Call) (any, error) {
	var in struct {
		Prefix, KeyMarker string
		VersionIDMarker   string `json:"VersionIdMarker"`
		MaxKeys           int
	}
	in.MaxKeys = 1000
	if err := call.Into(&in); err != nil {
		return nil, err
	}
	b, _, err := c.bucketOf(call)
	if err != nil {
		return nil, err
	}
	out := map[string]any{"Name": b.Name, "Prefix": in.Prefix, "MaxKeys": in.MaxKeys, "IsTruncated": false}
	versions, markers, left, passed := []any{}, []any{}, in.MaxKeys, in.KeyMarker == ""
	last := [2]string{}
	for _, key := range slices.Sorted(maps.Keys(b.objects)) {
		if len(key) < len(in.Prefix) || key[:len(in.Prefix)] != in.Prefix {
			continue
		}
		for i, o := range slices.Backward(b.objects[key]) {
			id := o.VersionID
			if id == "" {
				id = "null"
			}
			if !passed {
				passed = key > in.KeyMarker || key == in.KeyMarker && id == in.VersionIDMarker
				if key == in.KeyMarker {
					continue
				}
			}
			if left == 0 {
				out["IsTruncated"], out["NextKeyMarker"], out["NextVersionIdMarker"] = true, last[0], last[1]
				out["Versions"], out["DeleteMarkers"] = versions, markers
				return &s3Output{members: out}, nil
			}
			left--
			last = [2]string{key, id}
			d := map[string]any{"Key": key, "VersionId": id, "IsLatest": i == len(b.objects[key])-1, "LastModified": o.ModTime}
			if o.marker {
				markers = append(markers, d)
				continue
			}
			d["ETag"], d["Size"], d["StorageClass"] = o.ETag, len(o.Body), "STANDARD"
			versions = append(versions, d)
		}
	}
	out["Versions"], out["DeleteMarkers"] = versions, markers
	return &s3Output{members: out}, nil
}
