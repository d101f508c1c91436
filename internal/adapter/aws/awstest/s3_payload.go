package awstest

import (
	"bytes"
	"crypto/md5"  //nolint:gosec // a checksum
	"crypto/sha1" //nolint:gosec // a checksum
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	checksum "hash"
	"hash/crc32"
	"hash/crc64"
	"net/http"
	"strconv"
	"strings"
)

// payload returns the content of a request and the headers that follow it. Content of
// the form aws-chunked is decoded: chunks with their sizes, and trailing headers. Source:
// S3's API reference, "Signature calculations: transferring payload in multiple chunks".
func payload(r *http.Request, raw []byte) (body []byte, trailer http.Header, err error) {
	form := r.Header.Get("X-Amz-Content-Sha256")
	if form != "STREAMING-UNSIGNED-PAYLOAD-TRAILER" {
		if strings.HasPrefix(form, "STREAMING-") {
			return nil, nil, &Error{Code: "NotImplemented", Message: "awstest does not check signatures of chunks", Status: http.StatusNotImplemented}
		}
		return raw, nil, nil
	}
	if !strings.Contains(r.Header.Get("Content-Encoding"), "aws-chunked") {
		return nil, nil, refuse("InvalidRequest", "a payload with a trailer has the content encoding aws-chunked")
	}
	body, rest, err := unchunk(raw)
	if err != nil {
		return nil, nil, refuse("IncompleteBody", "%v", err)
	}
	if want := r.Header.Get("X-Amz-Decoded-Content-Length"); want != strconv.Itoa(len(body)) {
		return nil, nil, refuse("IncompleteBody", "the decoded content has %d bytes, not %s", len(body), want)
	}
	trailer = http.Header{}
	for line := range strings.SplitSeq(strings.TrimSuffix(rest, "\r\n\r\n"), "\r\n") {
		if name, value, ok := strings.Cut(line, ":"); ok {
			trailer.Set(name, strings.TrimSpace(value))
		}
	}
	for name := range strings.SplitSeq(r.Header.Get("X-Amz-Trailer"), ",") {
		if trailer.Get(strings.TrimSpace(name)) == "" {
			return nil, nil, refuse("MalformedTrailerError", "the trailer %s is missing", name)
		}
	}
	return body, trailer, nil
}

func unchunk(raw []byte) (body []byte, trailer string, err error) {
	for {
		head, rest, ok := bytes.Cut(raw, []byte("\r\n"))
		size, sizeErr := strconv.ParseInt(string(head), 16, 64)
		if !ok || sizeErr != nil || size < 0 {
			return nil, "", fmt.Errorf("no size of a chunk: %.20q", head)
		}
		if size == 0 {
			return body, string(rest), nil
		}
		if int64(len(rest)) < size+2 || string(rest[size:size+2]) != "\r\n" {
			return nil, "", fmt.Errorf("a chunk of %d bytes ends early", size)
		}
		body, raw = append(body, rest[:size]...), rest[size+2:]
	}
}

// nvme is the polynomial of CRC-64/NVME, reversed.
const nvme = 0x9a6c9329ac4bc9b5

func newSums() map[string]checksum.Hash {
	return map[string]checksum.Hash{
		"x-amz-checksum-crc32": crc32.NewIEEE(), "x-amz-checksum-crc32c": crc32.New(crc32.MakeTable(crc32.Castagnoli)),
		"x-amz-checksum-crc64nvme": crc64.New(crc64.MakeTable(nvme)),
		"x-amz-checksum-sha1":      sha1.New(), //nolint:gosec // a checksum
		"x-amz-checksum-sha256":    sha256.New(),
		"Content-MD5":              md5.New(), //nolint:gosec // a checksum
	}
}

// checkSums compares the checksums that a request has in its header or trailer, and
// returns them. Without any, it is the one that S3 computes itself.
func checkSums(header, trailer http.Header, body []byte) (map[string]string, error) {
	sums, found := newSums(), map[string]string{}
	for name, h := range sums {
		want := header.Get(name)
		if want == "" {
			want = trailer.Get(name)
		}
		if want == "" && name != "x-amz-checksum-crc64nvme" {
			continue
		}
		_, _ = h.Write(body)
		got := base64.StdEncoding.EncodeToString(h.Sum(nil))
		if want != "" && got != want {
			return nil, refuse("BadDigest", "The %s you specified did not match what we calculated: %s, not %s", name, got, want)
		}
		if name != "Content-MD5" {
			found[name] = got
		}
	}
	if len(found) > 1 && header.Get("x-amz-checksum-crc64nvme")+trailer.Get("x-amz-checksum-crc64nvme") == "" {
		delete(found, "x-amz-checksum-crc64nvme")
	}
	return found, nil
}
