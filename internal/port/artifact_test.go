package port_test

import (
	"testing"

	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
)

func TestFileURI_RoundTrip(t *testing.T) {
	for _, path := range []string{"/", "/data/train.csv", "/a b/100%/x?y#z.csv", "/ü/\"quoted\"", "/new\nline", "/bytes\xff"} {
		t.Run(path, func(t *testing.T) {
			got, err := port.FilePath(port.FileURI(path))
			if err != nil || got != path {
				t.Errorf("%q became %q, then %q, %v", path, port.FileURI(path), got, err)
			}
		})
	}
}

func TestFilePath_Refuses(t *testing.T) {
	for _, uri := range []string{"", "data.csv", "/data.csv", "file:data.csv", "file://host/data.csv", "s3://bucket/data.csv", "file://%zz"} {
		t.Run(uri, func(t *testing.T) {
			if path, err := port.FilePath(uri); !fault.Is(err, fault.Invalid) {
				t.Errorf("%q, %v; want a fault of kind %q", path, err, fault.Invalid)
			}
		})
	}
}
