package git

import (
	"strings"
	"testing"
)

// FuzzParseStatus: paths of a hostile repository come as they are, or the output is
// refused.
func FuzzParseStatus(f *testing.F) {
	f.Add("# branch.oid (initial)\x00# branch.head main\x00", "")
	f.Add("1 .M N... 100644 100644 100644 aaaa bbbb a b\nc\x00? new\x00! ignored\x00", "dir/")
	f.Add("u UU N... 1 2 3 4 5 6 7 both\x001 .M S.M. 1 2 3 4 5 sub\x00", "dir/")
	f.Add("1 too few\x00", "")
	f.Add("? ../../up\x00", "dir/")
	f.Add("?\x00\x001\x00", "/")
	f.Fuzz(func(t *testing.T, out, prefix string) {
		st, err := Source{}.parseStatus(out, prefix)
		if err != nil {
			return
		}
		for _, path := range st.paths {
			if strings.ContainsRune(path, 0) || strings.HasPrefix(path, "../") {
				t.Errorf("path %q of %q below %q", path, out, prefix)
			}
		}
	})
}

// FuzzParseTree: every file of the list has a path, in order.
func FuzzParseTree(f *testing.F) {
	f.Add("100644 blob aaaa\tb\x00120000 blob bbbb\ta\tc\n\x00")
	f.Add("160000 commit aaaa\tsub\x00")
	f.Add("100644 blob aaaa\t\x00")
	f.Add("100644 blob aaaa\tnot ended")
	f.Add("\t\x00\x00")
	f.Fuzz(func(t *testing.T, out string) {
		files, err := parseTree(out)
		if err != nil {
			return
		}
		if len(files) != strings.Count(out, "\x00") {
			t.Errorf("%d files of %q", len(files), out)
		}
		for i, file := range files {
			if file.Path == "" || strings.ContainsRune(file.Path, 0) || i > 0 && files[i-1].Path > file.Path {
				t.Errorf("file %d is %q of %q", i, file.Path, out)
			}
		}
	})
}

// FuzzParsePointer: a Git LFS pointer names an object by its digest, and nothing else.
func FuzzParsePointer(f *testing.F) {
	f.Add("version https://git-lfs.github.com/spec/v1\noid sha256:" + strings.Repeat("a", 64) + "\nsize 12\n")
	f.Add("version https://git-lfs.github.com/spec/v1\noid sha256:../../../etc/passwd\nsize -1\n")
	f.Add("")
	f.Fuzz(func(t *testing.T, text string) {
		oid, size, ok := parsePointer(text)
		if ok && (len(oid) != 64 || strings.Trim(oid, "0123456789abcdef") != "" || size < 0) {
			t.Errorf("oid %q, size %d of %q", oid, size, text)
		}
	})
}
