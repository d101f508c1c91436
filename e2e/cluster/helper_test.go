//go:build e2e && linux

package cluster

import (
	"context"
	"fmt"
	"os"
	"testing"

	"github.com/slipway-cd/slipway/e2e/imageserver"
)

// helperEnv is the variable that makes the test's own program something else.
const helperEnv = "SLIPWAY_CLUSTER_HELPER"

func TestMain(m *testing.M) {
	var err error
	switch os.Getenv(helperEnv) {
	case "registry":
		err = imageserver.Serve("hello", os.Args[1], nil)
	case "cluster":
		err = runUntilKilled()
	default:
		os.Exit(m.Run())
	}
	fmt.Fprintln(os.Stderr, "helper:", err)
	os.Exit(1)
}

// runUntilKilled starts a cluster and something beside it, and waits to be killed.
func runUntilKilled() error {
	c, err := Start(context.Background(), Config{})
	if err != nil {
		return err
	}
	if err := c.Command("sleep", "600").Start(); err != nil {
		return err
	}
	fmt.Println("ready")
	select {}
}
