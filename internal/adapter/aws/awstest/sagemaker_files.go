package awstest

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
)

// split returns the bucket and the key of s3://bucket/key.
func split(uri string) (bucket, key string, err error) {
	rest, ok := strings.CutPrefix(uri, "s3://")
	bucket, key, _ = strings.Cut(rest, "/")
	if !ok || bucket == "" {
		return "", "", fmt.Errorf("%q is not s3://bucket/key", uri)
	}
	return bucket, key, nil
}

// source is an input of a job.
type source struct{ name, uri, dir string }

func (j *Job) sources() ([]source, error) {
	var in struct {
		InputDataConfig []struct {
			ChannelName string
			DataSource  struct {
				S3DataSource struct{ S3URI string }
			}
		}
		ProcessingInputs []struct {
			InputName string
			S3Input   struct{ S3URI, LocalPath string }
		}
	}
	text, err := json.Marshal(j.Input)
	if err == nil {
		err = json.Unmarshal(text, &in)
	}
	var all []source
	for _, ch := range in.InputDataConfig {
		all = append(all, source{ch.ChannelName, ch.DataSource.S3DataSource.S3URI, "input/data/" + ch.ChannelName})
	}
	for _, p := range in.ProcessingInputs {
		all = append(all, source{p.InputName, p.S3Input.S3URI, strings.TrimPrefix(p.S3Input.LocalPath, "/opt/ml/")})
	}
	return all, err
}

// download makes the inputs' folders: the objects whose keys begin with the prefix, by
// what follows its last slash.
func (c *Cloud) download(j *Job, root string) error {
	all, err := j.sources()
	if err != nil {
		return err
	}
	for _, s := range all {
		bucket, prefix, err := split(s.uri)
		if err != nil {
			return err
		}
		keys := c.Keys(bucket, prefix)
		if len(keys) == 0 {
			return fmt.Errorf("data download failed: S3 key: %s matched no files on s3://%s/", prefix, bucket)
		}
		for _, key := range keys {
			o, _ := c.Object(bucket, key)
			file := filepath.Join(root, filepath.FromSlash(s.dir), strings.TrimPrefix(key, prefix[:strings.LastIndex(prefix, "/")+1]))
			if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o755), os.WriteFile(file, o.Body, 0o644)); err != nil {
				return err
			}
		}
	}
	parameters, err := json.Marshal(j.HyperParameters)
	for _, dir := range []string{"input/config", "model", "output/data", "checkpoints"} {
		err = errors.Join(err, os.MkdirAll(filepath.Join(root, dir), 0o755))
	}
	return errors.Join(err, os.WriteFile(filepath.Join(root, "input/config/hyperparameters.json"), parameters, 0o644))
}

// modelURI is where a training job stores its model.
func (j *Job) modelURI() string {
	output, _ := j.Input["OutputDataConfig"].(map[string]any)
	at, _ := output["S3OutputPath"].(string)
	return strings.TrimSuffix(at, "/") + "/" + j.Name + "/output/model.tar.gz"
}

// kmsKey is the key that a member of the request names.
func (j *Job) kmsKey(member string) string {
	output, _ := j.Input[member].(map[string]any)
	key, _ := output["KmsKeyId"].(string)
	return key
}

// upload stores the model of a training job, or the outputs of a processing job.
func (c *Cloud) upload(j *Job, root string) error {
	if j.Kind == TrainingJob {
		files, err := readFiles(filepath.Join(root, "model"))
		if err != nil {
			return err
		}
		return c.storeModel(j, files)
	}
	var in struct {
		ProcessingOutputConfig struct {
			Outputs []struct {
				S3Output struct{ S3URI, LocalPath string }
			}
		}
	}
	text, err := json.Marshal(j.Input)
	if err == nil {
		err = json.Unmarshal(text, &in)
	}
	for _, o := range in.ProcessingOutputConfig.Outputs {
		bucket, prefix, splitErr := split(o.S3Output.S3URI)
		files, readErr := readFiles(filepath.Join(root, filepath.FromSlash(strings.TrimPrefix(o.S3Output.LocalPath, "/opt/ml/"))))
		if err = errors.Join(err, splitErr, readErr); err != nil {
			return err
		}
		for name, text := range files {
			if c.buckets[bucket] == nil {
				return fmt.Errorf("no bucket %s", bucket)
			}
			c.store(c.buckets[bucket], &Object{Key: path.Join(prefix, name), Body: []byte(text), KMSKey: j.kmsKey("ProcessingOutputConfig")})
		}
	}
	return err
}

func readFiles(dir string) (map[string]string, error) {
	files := map[string]string{}
	err := filepath.WalkDir(dir, func(file string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil || d.IsDir() {
			return err
		}
		text, err := os.ReadFile(file)
		rel, relErr := filepath.Rel(dir, file)
		files[filepath.ToSlash(rel)] = string(text)
		return errors.Join(err, relErr)
	})
	return files, err
}

// storeModel stores files as model.tar.gz, as SageMaker does at the end of a job.
func (c *Cloud) storeModel(j *Job, files map[string]string) error {
	if j.Kind != TrainingJob {
		return nil
	}
	body, err := TarGz(files)
	if err != nil {
		return err
	}
	bucket, key, err := split(j.modelURI())
	if err != nil || c.buckets[bucket] == nil {
		return fmt.Errorf("no bucket for %s: %w", j.modelURI(), err)
	}
	c.store(c.buckets[bucket], &Object{Key: key, Body: body, KMSKey: j.kmsKey("OutputDataConfig")})
	return nil
}
