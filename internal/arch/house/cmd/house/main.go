// Command house prints what package house measures, beside the numbers recorded
// before, and exits with 1 if one of the house's rules is broken.
package main

import (
	"flag"
	"fmt"
	"os"

	"github.com/slipway-cd/slipway/internal/arch/house"
)

func main() {
	root := flag.String("root", ".", "folder of the repository")
	verbose := flag.Bool("v", false, "list every upward edge and every refused wording")
	flag.Parse()
	r, err := house.Measure(*root)
	if err != nil {
		fmt.Fprintln(os.Stderr, "house:", err)
		os.Exit(1)
	}
	house.Print(os.Stdout, r, *verbose)
	if broken := r.Broken(house.Recorded()); len(broken) > 0 {
		for _, b := range broken {
			fmt.Fprintln(os.Stderr, "house:", b)
		}
		os.Exit(1)
	}
}
