package cli

import (
	"errors"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/slipway-cd/slipway/internal/fault"
)

// usageError returns the error for a command line that cannot be carried out.
func usageError(cmd *cobra.Command, format string, args ...any) *fault.Error {
	return fault.New(fault.Invalid, format, args...).Hint("see `%s --help`", cmd.CommandPath())
}

// flagError turns cobra's errors about flags into usage errors. An unknown command
// before the flags takes precedence, because it also explains unknown flags.
func flagError(cmd *cobra.Command, err error) error {
	if words := cmd.Flags().Args(); cmd.HasSubCommands() && len(words) > 0 {
		return unknownCommand(cmd, words)
	}
	return explainFlag(cmd, err)
}

// explainFlag puts an error of the library about a flag into our words.
func explainFlag(cmd *cobra.Command, err error) error {
	var (
		unknown  *pflag.NotExistError
		missing  *pflag.ValueRequiredError
		invalid  *pflag.InvalidValueError
		misspelt *pflag.InvalidSyntaxError
	)
	switch {
	case errors.As(err, &unknown) && unknown.GetSpecifiedShortnames() != "":
		return usageError(cmd, "unknown flag -%s", unknown.GetSpecifiedName())
	case errors.As(err, &unknown):
		return unknownFlag(cmd, unknown.GetSpecifiedName())
	case errors.As(err, &missing):
		return usageError(cmd, "--%s needs a value", missing.GetFlag().Name)
	case errors.As(err, &invalid):
		f := invalid.GetFlag()
		return usageError(cmd, "invalid value %q of --%s: use %s", invalid.GetValue(), f.Name, describeType(f.Value.Type()))
	case errors.As(err, &misspelt):
		return usageError(cmd, "invalid flag %q", misspelt.GetSpecifiedFlag())
	}
	return usageError(cmd, "%s", err)
}

// unknownFlag suggests the flag that was meant.
func unknownFlag(cmd *cobra.Command, name string) error {
	var known []string
	for _, flags := range []*pflag.FlagSet{cmd.Flags(), cmd.InheritedFlags()} {
		flags.VisitAll(func(f *pflag.Flag) { known = append(known, f.Name) })
	}
	err := usageError(cmd, "unknown flag --%s", name)
	if near, ok := fault.Nearest(name, known); ok {
		return err.Hint("did you mean --%s? See `%s --help`", near, cmd.CommandPath())
	}
	return err
}

// describeType names the values of a type of flag.
func describeType(name string) string {
	switch name {
	case "bool":
		return "true or false"
	case "int":
		return "a whole number"
	case "duration":
		return "a duration such as 30s, 5m or 24h"
	}
	return "a " + name
}

// group turns cmd into a parent of the children. Without a subcommand it prints its help.
func group(cmd *cobra.Command, children ...*cobra.Command) *cobra.Command {
	cmd.AddCommand(children...)
	cmd.Args = unknownCommand
	cmd.SuggestionsMinimumDistance = 2
	cmd.RunE = func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
	return cmd
}

// unknownCommand accepts no arguments: the first one is a misspelt subcommand.
func unknownCommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	err := usageError(cmd, "unknown command %q for %q", args[0], cmd.CommandPath())
	if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
		return err.Hint("did you mean %q? See `%s --help`", near[0], cmd.CommandPath())
	}
	return err
}

// noArgs accepts no arguments.
func noArgs(cmd *cobra.Command, args []string) error { return argsBetween(0, 0)(cmd, args) }

// argsBetween accepts a number of arguments. Their names come from cmd.Use.
func argsBetween(minimum, maximum int) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		switch names := strings.Fields(cmd.Use)[1:]; {
		case len(args) > maximum:
			return usageError(cmd, "unexpected argument %q", args[maximum])
		case len(args) < minimum:
			return usageError(cmd, "missing argument %s", names[len(args)])
		}
		return nil
	}
}

// checkFlags adds a check of the flags, before the command runs.
func checkFlags(cmd *cobra.Command, check func(given func(name string) bool) error) {
	before := cmd.PreRunE
	cmd.PreRunE = func(cmd *cobra.Command, args []string) error {
		if before != nil {
			if err := before(cmd, args); err != nil {
				return err
			}
		}
		return check(cmd.Flags().Changed)
	}
}

// requireOneOf refuses a command line without any of the flags.
func requireOneOf(cmd *cobra.Command, names ...string) {
	checkFlags(cmd, func(given func(string) bool) error {
		for _, name := range names {
			if given(name) {
				return nil
			}
		}
		return usageError(cmd, "--%s is required", strings.Join(names, " or --"))
	})
}

// excludeEachOther refuses a command line with two of the flags.
func excludeEachOther(cmd *cobra.Command, names ...string) {
	checkFlags(cmd, func(given func(string) bool) error {
		first := ""
		for _, name := range names {
			switch {
			case !given(name):
			case first != "":
				return usageError(cmd, "--%s and --%s cannot be combined", first, name)
			default:
				first = name
			}
		}
		return nil
	})
}
