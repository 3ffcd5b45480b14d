package sqlitebind_test

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestStorage(t *testing.T) {
	dir := t.TempDir()
	w := open(t, "sqlite://"+dir+"/a.db")
	assert.NotEmpty(t, w.Storage())
	assert.Equal(t, w.Storage(), sibling(t, w).Storage())
	assert.Equal(t, w.Storage(), open(t, "sqlite://"+dir+"/../"+filepath.Base(dir)+"/a.db").Storage(), "the same file")
	assert.NotEqual(t, w.Storage(), open(t, "sqlite://"+dir+"/b.db").Storage(), "another file")
	assert.Empty(t, open(t, "sqlite::memory:").Storage(), "a memory database is its source's own")
	assert.Empty(t, open(t, "sqlite://"+dir+"/a.db?mode=ro&immutable=1").Storage(), "it is read as it was")
}
