package model

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"

	"example.com/retail/internal/atomicfile"
	"example.com/retail/internal/retail"
)

const (
	// FileName is the model's file inside its folder.
	FileName = "model.json"
	// MetricsName is the file next to it that an evaluation writes.
	MetricsName = "metrics.json"
	// Format names the layout of the file; another layout gets another number.
	Format = "retail-softmax/1"
)

// file is the layout of model.json.
type file struct {
	Format      string           `json:"format"`
	Target      string           `json:"target"`
	Classes     []string         `json:"classes"`
	Numeric     []fileNumeric    `json:"numeric"`
	Categorical []fileVocabulary `json:"categorical"`
	Training    Training         `json:"training"`
	// Weights: per class the bias, one per numeric, one per level of each categorical, in their order.
	Weights map[string][]float64 `json:"weights"`
}

type fileNumeric struct {
	Name  string  `json:"name"`
	Mean  float64 `json:"mean"`
	Scale float64 `json:"scale"`
}

type fileVocabulary struct {
	Name   string   `json:"name"`
	Levels []string `json:"levels"`
}

// Save writes m as model.json into the folder dir, which it makes if need be.
// The same model writes the same bytes.
func (m *Model) Save(dir string) error {
	out := file{Format: Format, Target: retail.Target, Training: m.Training, Weights: make(map[string][]float64)}
	for _, n := range m.Encoder.Numeric {
		out.Numeric = append(out.Numeric, fileNumeric(n))
	}
	for _, v := range m.Encoder.Vocabularies {
		out.Categorical = append(out.Categorical, fileVocabulary{v.Name, v.Levels})
	}
	for _, c := range retail.Classes() {
		out.Classes = append(out.Classes, c.String())
		for _, row := range m.Weights {
			out.Weights[c.String()] = append(out.Weights[c.String()], row[c])
		}
	}
	text, err := json.MarshalIndent(out, "", " ")
	if err != nil {
		return fmt.Errorf("encode model: %w", err)
	}
	return atomicfile.Write(filepath.Join(dir, FileName), append(text, '\n'))
}

// Load reads model.json from the folder dir and checks all of it: a model that
// loads can predict. Its errors name the file and what is wrong with it.
func Load(dir string) (*Model, error) {
	path := filepath.Join(dir, FileName)
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("open model: %w (make one with `go run ./cmd/train -data FILE -out %s`)", err, dir)
	}
	m, err := decode(text)
	if err != nil {
		return nil, fmt.Errorf("model %s: %w", path, err)
	}
	return m, nil
}

func decode(text []byte) (*Model, error) {
	in, err := parse(text)
	if err != nil {
		return nil, err
	}
	if in.Format != Format {
		return nil, fmt.Errorf("format is %q, this program reads %q: train again", in.Format, Format)
	}
	if in.Target != retail.Target {
		return nil, fmt.Errorf("target is %q, expected %s", in.Target, retail.Target)
	}
	encoder, err := in.encoder()
	if err != nil {
		return nil, err
	}
	weights, err := in.weights(encoder.Width())
	if err != nil {
		return nil, err
	}
	return &Model{Encoder: encoder, Training: in.Training, Weights: weights, digest: Digest(text)}, nil
}

// Digest is "sha256:<hex>" of text.
func Digest(text []byte) string { return fmt.Sprintf("sha256:%x", sha256.Sum256(text)) }

func parse(text []byte) (file, error) {
	var in file
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	err := d.Decode(&in)
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return file{}, fmt.Errorf("cut short after %d bytes: copy or train it again", len(text))
	}
	if bad, ok := errors.AsType[*json.SyntaxError](err); ok {
		return file{}, fmt.Errorf("corrupt at byte %d: %w", bad.Offset, err)
	}
	if err != nil {
		return file{}, fmt.Errorf("corrupt: %w", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return file{}, fmt.Errorf("corrupt: something follows the model at byte %d", d.InputOffset())
	}
	return in, nil
}

func (in *file) encoder() (Encoder, error) {
	var e Encoder
	if len(in.Numeric) != NumNumeric {
		return e, fmt.Errorf("%d numeric features, expected %d", len(in.Numeric), NumNumeric)
	}
	for i, name := range numericNames() {
		n := in.Numeric[i]
		if n.Name != name || !(n.Scale > 0) {
			return e, fmt.Errorf("numeric feature %d is %q with scale %g, expected %q with a scale above 0", i, n.Name, n.Scale, name)
		}
		e.Numeric[i] = Scaling(n)
	}
	if len(in.Categorical) != retail.NumCategories {
		return e, fmt.Errorf("%d categorical features, expected %d", len(in.Categorical), retail.NumCategories)
	}
	for i, name := range retail.CategoryNames() {
		c := in.Categorical[i]
		if c.Name != name {
			return e, fmt.Errorf("categorical feature %d is %q, expected %s", i, c.Name, name)
		}
		v := NewVocabulary(name, c.Levels)
		if !slices.Equal(v.Levels, c.Levels) || len(c.Levels) == 0 {
			return e, fmt.Errorf("levels of %s are not one or more distinct values in ascending order", name)
		}
		e.Vocabularies[i] = v
	}
	return e, nil
}

func (in *file) weights(width int) ([][retail.NumClasses]float64, error) {
	classes := retail.Classes()
	if len(in.Classes) != len(classes) || len(in.Weights) != len(classes) {
		return nil, fmt.Errorf("%d classes and weights for %d, expected LA, MM, UM", len(in.Classes), len(in.Weights))
	}
	weights := make([][retail.NumClasses]float64, width)
	for i, c := range classes {
		column := in.Weights[c.String()]
		if in.Classes[i] != c.String() || len(column) != width {
			return nil, fmt.Errorf("class %d is %q with %d weights, expected %s with %d", i, in.Classes[i], len(column), c, width)
		}
		for place, w := range column {
			if math.Abs(w) > 1e6 {
				return nil, fmt.Errorf("weight %d of %s is %g: no fitted model has such weights", place, c, w)
			}
			weights[place][c] = w
		}
	}
	return weights, nil
}
