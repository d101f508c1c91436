//go:build !unix

package oci

import (
	"context"

	"github.com/slipway-cd/slipway/internal/fault"
)

func freeSpace(string) (int64, bool) { return 0, false }

func lock(context.Context, string) (func(), error) {
	return nil, fault.New(fault.Unavailable, "unpack images and models on this operating system").Hint("use Linux or macOS")
}
