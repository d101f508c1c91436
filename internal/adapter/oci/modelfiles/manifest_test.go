package modelfiles

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"
)

// layer is one entry of a manifest in the making.
type layer struct {
	Digest      string            `json:"digest"`
	Size        int64             `json:"size"`
	Annotations map[string]string `json:"annotations,omitempty"`
}

func entry(title, content string) layer {
	return layer{Digest([]byte(content)), int64(len(content)), map[string]string{TitleKey: title}}
}

func written(t testing.TB, layers ...layer) []byte {
	t.Helper()
	b, err := json.Marshal(map[string]any{"schemaVersion": 2, "mediaType": ManifestType, "artifactType": ArtifactType, "layers": layers})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestParse(t *testing.T) {
	files, err := Parse(written(t, entry("w/0.bin", "abc"), entry("a b/ü.txt", ""), entry("w.bin", "x")))
	if err != nil || len(files) != 3 {
		t.Fatalf("Parse = %v, %v, want 3 files", files, err)
	}
	if files[2] != (File{"w/0.bin", Digest([]byte("abc")), 3}) || files[0].Title != "a b/ü.txt" {
		t.Errorf("files = %v, want them sorted by title with digest and size", files)
	}
}

func TestParse_Invalid(t *testing.T) {
	minus := entry("a", "x")
	minus.Size = -1
	upper := entry("a", "x")
	upper.Digest = strings.ToUpper(upper.Digest)
	other := entry("a", "x")
	other.Digest = "sha512:" + upper.Digest[7:]
	cases := map[string]struct {
		raw  []byte
		want string
	}{
		"empty":             {nil, "corrupt"},
		"no JSON":           {[]byte("{"), "corrupt"},
		"two documents":     {append(written(t, entry("a", "")), "{}"...), "corrupt"},
		"too long":          {append(written(t, entry("a", "")), make([]byte, MaxManifest)...), "corrupt"},
		"no files":          {written(t), "not a model"},
		"an image":          {[]byte(`{"mediaType":"` + ManifestType + `","layers":[{}]}`), "not a model"},
		"no title":          {written(t, layer{Digest: Digest(nil)}), `""`},
		"outside":           {written(t, entry("../x", "")), `"../x"`},
		"outside, later":    {written(t, entry("a/../../x", "")), `"a/../../x"`},
		"absolute":          {written(t, entry("/etc/passwd", "")), `"/etc/passwd"`},
		"the folder itself": {written(t, entry(".", "")), `"."`},
		"backslash":         {written(t, entry(`a\b`, "")), `"a\\b"`},
		"line break":        {written(t, entry("a\nb", "")), `"a\nb"`},
		"zero":              {written(t, entry("a\x00", "")), `"a\x00"`},
		"long":              {written(t, entry(strings.Repeat("n", 1025), "")), "nnn"},
		"twice":             {written(t, entry("a", "x"), entry("a", "y")), "duplicate"},
		"file and folder":   {written(t, entry("a/b/c", "x"), entry("a", "y")), `"a" is both a file and a folder`},
		"size":              {written(t, minus), `"a"`},
		"upper case digest": {written(t, upper), `"a"`},
		"other algorithm":   {written(t, other), `"a"`},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			files, err := Parse(c.raw)
			if err == nil || files != nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("Parse = %v, %v, want an error with %q", files, err, c.want)
			}
		})
	}
}

func TestValidDigest(t *testing.T) {
	good := Digest(nil)
	for s, want := range map[string]bool{good: true, good + "0": false, good[:70]: false, "": false, "sha256:": false, "sha256:" + strings.Repeat("g", 64): false, good[7:]: false} {
		if ValidDigest(s) != want {
			t.Errorf("ValidDigest(%q) = %v", s, !want)
		}
	}
}

// FuzzManifest holds that no manifest leads out of the folder or makes two files
// of one.
func FuzzManifest(f *testing.F) {
	f.Add(written(f, entry("model.json", "x"), entry("w/0.bin", "y")))
	f.Add(written(f, entry("../x", "x")))
	f.Add(written(f, entry("a", "x"), entry("a/b", "y")))
	f.Add([]byte(`{"mediaType":1}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		files, err := Parse(raw)
		if err != nil {
			if files != nil {
				t.Errorf("Parse = %v with an error, want no files", files)
			}
			return
		}
		seen := map[string]bool{}
		for _, file := range files {
			at := filepath.Join("/model", filepath.FromSlash(file.Title))
			if !strings.HasPrefix(at, "/model/") || at != "/model/"+file.Title || seen[at] {
				t.Errorf("file %q is at %s, want a unique path below /model", file.Title, at)
			}
			seen[at] = true
			if file.Size < 0 || !ValidDigest(file.Digest) || strings.ContainsAny(file.Title, "\x00\n\\") {
				t.Errorf("file = %+v, want a valid size, digest and title", file)
			}
		}
		if len(files) == 0 {
			t.Error("Parse returned no files and no error")
		}
	})
}
