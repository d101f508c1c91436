package ko_test

import (
	"context"
	"os"
	"testing"

	"github.com/slipway-cd/slipway/internal/adapter/ko"
)

// TestMain makes the test binary the build process, too.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == ko.BuildCommand {
		os.Exit(ko.RunBuild(context.Background(), os.Stdin, os.Stdout, os.Stderr))
	}
	os.Exit(m.Run())
}
