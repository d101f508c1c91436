// Command tool is a shell for images that have nothing else: /bin/sh -c "print a
// && exit 3". It knows print, cat, write, copy, env, exit and wait.
package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

func main() {
	for _, command := range strings.Split(os.ExpandEnv(os.Args[len(os.Args)-1]), "&&") {
		if err := run(strings.Fields(command)); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
}

func run(words []string) error {
	switch args := words[1:]; words[0] {
	case "print":
		fmt.Println(strings.Join(args, " "))
	case "env":
		fmt.Println(os.Getenv(args[0]))
	case "cat":
		raw, err := os.ReadFile(args[0])
		if err != nil {
			return err
		}
		fmt.Println(string(raw))
	case "write":
		return os.WriteFile(args[0], []byte(strings.Join(args[1:], " ")), 0o644)
	case "copy":
		raw, err := os.ReadFile(args[0])
		if err != nil {
			return err
		}
		return os.WriteFile(args[1], raw, 0o644)
	case "exit":
		code, err := strconv.Atoi(args[0])
		if err != nil {
			return err
		}
		os.Exit(code)
	case "wait":
		time.Sleep(time.Hour)
	default:
		return fmt.Errorf("%s: not found", words[0])
	}
	return nil
}
