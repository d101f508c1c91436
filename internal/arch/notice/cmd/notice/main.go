// Command notice writes NOTICE, the licences of all that is linked into the programs.
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/slipway-cd/slipway/internal/arch/notice"
)

func main() {
	if err := write(); err != nil {
		fmt.Fprintln(os.Stderr, "notice:", err)
		os.Exit(1)
	}
}

func write() error {
	all, err := notice.List(context.Background(), ".")
	if err != nil {
		return err
	}
	for _, c := range all {
		if len(c.Licenses()) == 0 {
			return fmt.Errorf("the licence of %s is not known", c.Name)
		}
	}
	return os.WriteFile(notice.File, notice.Render(all), 0o644)
}
