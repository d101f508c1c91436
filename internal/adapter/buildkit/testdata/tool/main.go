// Command tool is a shell for images that have nothing else: /bin/sh -c "print a
// && exit 3". It knows print, cat, write, copy, fill, env, agent, exit and wait.
package main

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
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
	case "fill":
		return fill(args[0], args[1], args[2])
	case "agent":
		return agent()
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

// agent asks the SSH agent which keys it has, and prints the kind of its answer: 12.
func agent() error {
	c, err := net.Dial("unix", os.Getenv("SSH_AUTH_SOCK"))
	if err != nil {
		return err
	}
	defer c.Close()
	if _, err := c.Write([]byte{0, 0, 0, 1, 11}); err != nil {
		return err
	}
	answer := make([]byte, 5)
	if _, err := io.ReadFull(c, answer); err != nil {
		return err
	}
	fmt.Println("the agent answered", answer[4])
	return nil
}

// fill writes so many megabytes into a file, which another file decides over. They
// compress to half, as programs do.
func fill(to, megabytes, from string) error {
	seed, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	n, err := strconv.Atoi(megabytes)
	if err != nil {
		return err
	}
	f, err := os.Create(to)
	if err != nil {
		return err
	}
	defer f.Close()
	random := rand.NewChaCha8(sha256.Sum256(seed))
	block := make([]byte, 500_000)
	for range n {
		_, _ = random.Read(block) // never fails
		if _, err := f.WriteString(hex.EncodeToString(block)); err != nil {
			return err
		}
	}
	return f.Close()
}
