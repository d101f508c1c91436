package cli

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// setHelp replaces the help of the library, its texts included.
func (c *Command) setHelp(root *cobra.Command) {
	root.PersistentFlags().BoolP("help", "h", false, "show this help")
	root.SetHelpFunc(func(cmd *cobra.Command, _ []string) { printHelp(c.Stdout, cmd) })
	root.SetUsageFunc(func(cmd *cobra.Command) error { printUsage(c.Stderr, cmd); return nil })
	help := &cobra.Command{
		Use: "help [COMMAND...]", Short: "Show the help of a command", Example: "  slipway help run\n  slipway help releases show",
		RunE: func(_ *cobra.Command, args []string) error {
			cmd, rest, err := root.Find(args)
			if err != nil || len(rest) > 0 {
				return unknownCommand(cmd, append(rest, args...)[:1])
			}
			printHelp(c.Stdout, cmd)
			return nil
		},
	}
	root.SetHelpCommand(help)
	root.AddCommand(help)
}

func printHelp(w io.Writer, cmd *cobra.Command) {
	text := cmd.Long
	if text == "" {
		text = cmd.Short
	}
	fmt.Fprintf(w, "%s\n\n", strings.TrimSpace(text))
	printUsage(w, cmd)
}

func printUsage(w io.Writer, cmd *cobra.Command) {
	fmt.Fprintf(w, "Usage:\n  %s\n", useLine(cmd))
	if cmd.HasExample() {
		fmt.Fprintf(w, "\nExamples:\n%s\n", cmd.Example)
	}
	if cmd.HasAvailableSubCommands() {
		fmt.Fprint(w, "\nCommands:\n")
		width := 0
		for _, child := range cmd.Commands() {
			width = max(width, len(child.Name()))
		}
		for _, child := range cmd.Commands() {
			if child.IsAvailableCommand() {
				fmt.Fprintf(w, "  %-*s  %s\n", width, child.Name(), child.Short)
			}
		}
	}
	printFlags(w, "Flags", cmd.LocalNonPersistentFlags())
	printFlags(w, "Flags of all commands", allCommandsFlags(cmd))
	if cmd.HasAvailableSubCommands() {
		fmt.Fprintf(w, "\nMore about a command: %s COMMAND --help\n", cmd.CommandPath())
	}
}

// useLine is how the command is given.
func useLine(cmd *cobra.Command) string {
	line := cmd.CommandPath()
	if _, arguments, ok := strings.Cut(cmd.Use, " "); ok {
		line += " " + arguments
	}
	if cmd.HasAvailableSubCommands() {
		line += " [COMMAND]"
	}
	return line + " [FLAGS]"
}

func allCommandsFlags(cmd *cobra.Command) *pflag.FlagSet { return cmd.Root().PersistentFlags() }

func printFlags(w io.Writer, title string, flags *pflag.FlagSet) {
	if flags.HasAvailableFlags() {
		fmt.Fprintf(w, "\n%s:\n%s\n", title, strings.TrimRight(flags.FlagUsages(), " \n"))
	}
}

// describeCompletion replaces the library's texts of the commands that print scripts
// for the completion of a shell.
func describeCompletion(cmd *cobra.Command) {
	cmd.Short = "Print a script that completes commands in a shell"
	cmd.Long = cmd.Short + ".\n\nLoad it in the shell's start file, or save it where the shell looks for completions."
	cmd.Example = "  source <(slipway completion bash)\n  slipway completion fish > ~/.config/fish/completions/slipway.fish"
	for _, shell := range cmd.Commands() {
		shell.Short = "Print the script for " + shell.Name()
		shell.Long = shell.Short + "."
		shell.Example = "  slipway completion " + shell.Name()
		shell.Args = noArgs
		if f := shell.Flags().Lookup("no-descriptions"); f != nil {
			f.Usage = "complete without descriptions"
		}
	}
}
