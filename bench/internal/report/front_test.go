package report

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestWriteFront(t *testing.T) {
	s := &Section{}
	s.Headline("failed reads", map[string]string{"bindery": "0", "gorm + dbresolver": "12"})
	page := &Page{Date: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), Sections: []*Section{s}}
	file := filepath.Join(t.TempDir(), "README.md")

	require.NoError(t, os.WriteFile(file, []byte("before\n"+frontBegins+"\nold\n"+frontEnds+"\nafter\n"), 0o600))
	for range 2 { // the second time it replaces its own
		require.NoError(t, page.WriteFront(file))
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		assert.True(t, strings.HasPrefix(string(text), "before\n"+frontBegins+"\n\nMeasured on 2026-01-02 by `make bench` ("), "%s", text)
		assert.True(t, strings.HasSuffix(string(text), "\n\n"+frontEnds+"\nafter\n"), "%s", text)
		assert.Regexp(t, `\| failed reads \| +0 \| +– \| +12 \| +– \| +– \|`, string(text))
		assert.NotContains(t, string(text), "old")
	}

	for reason, text := range map[string]string{
		"no lines":            "before\n",
		"no end":              frontBegins + "\nold\n",
		"the end comes first": frontEnds + "\n" + frontBegins + "\n",
	} {
		require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
		assert.ErrorContains(t, page.WriteFront(file), "no lines", reason)
		kept, err := os.ReadFile(file)
		require.NoError(t, err)
		assert.Equal(t, text, string(kept), reason)
	}
}
