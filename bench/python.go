package main

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/slipway-cd/slipway/bench/measure"
)

// measurePythonPredict measures the Python example's server on one core, like the Go
// one. Its packages are installed once, into a persistent folder.
func (b *bench) measurePythonPredict(ctx context.Context) error {
	if _, err := exec.LookPath("python3.11"); err != nil {
		b.Note("/predict of the Python Retail", "no python3.11 here")
		return nil //nolint:nilerr // the rest is still measured
	}
	dir := filepath.Join(b.root, "examples", "retail-python")
	python, err := b.pythonEnv(ctx, dir)
	if err != nil {
		return err
	}
	model, data := filepath.Join(b.work, "model-python"), filepath.Join(b.work, "p.csv")
	for _, args := range [][]string{
		{"-m", "training.generate", "--out", data},
		{"-m", "training.train", "--data", data, "--out", model},
	} {
		if _, err := measure.Exec(ctx, 0, dir, python, args...); err != nil {
			return err
		}
	}
	cmd := measure.Command(ctx, dir, python, "-m", "server")
	cmd.Env = append(cmd.Env, "MODEL_PATH="+model)
	return b.measureServer(ctx, "/predict, the Python Retail, one process, 8 clients", cmd)
}

// pythonEnv returns a Python with the example's dependencies.
func (b *bench) pythonEnv(ctx context.Context, dir string) (string, error) {
	lock := filepath.Join(dir, "requirements-dev.txt")
	env := filepath.Join(b.root, "bin", "bench", "python")
	python, mark := filepath.Join(env, "bin", "python"), filepath.Join(env, "requirements.txt")
	wanted, err := os.ReadFile(lock)
	if err != nil {
		return "", err
	}
	if have, err := os.ReadFile(mark); err == nil && string(have) == string(wanted) {
		return python, nil
	}
	if _, err := measure.Exec(ctx, 0, dir, "python3.11", "-m", "venv", "--clear", env); err != nil {
		return "", err
	}
	if _, err := measure.Exec(ctx, 0, dir, python, "-m", "pip", "install", "-q", "--require-hashes", "-r", lock); err != nil {
		return "", err
	}
	return python, os.WriteFile(mark, wanted, 0o644)
}
