package objectfolder

import (
	"context"
	"net/url"
	"path/filepath"

	"github.com/slipway-cd/slipway/internal/extension"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
)

// Extension describes the folder.
func Extension() extension.StateStore {
	return extension.StateStore{
		Kind: "folder", Schemes: []string{"", "file"}, Example: "/mnt/slipway/retail",
		Description: "A folder that the machines share, on a file system with hard links.",
		Check: func(u *url.URL) error {
			if u.Path == "" || u.Host != "" {
				return fault.New(fault.Invalid, "the URL of the shared state names no folder").Hint("write it as /mnt/slipway/retail, or file:///mnt/slipway/retail")
			}
			return nil
		},
		Open: func(_ context.Context, u *url.URL) (port.ObjectStore, error) {
			return Store{Dir: filepath.FromSlash(u.Path)}, nil
		},
	}
}
