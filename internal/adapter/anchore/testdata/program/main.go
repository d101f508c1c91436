// Command program is put into images whose modules are looked for.
package main

import "github.com/spf13/cobra"

func main() { _ = (&cobra.Command{}).Execute() }
