// Package bindery_test holds the README to what it shows.
package bindery_test

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The README's program is examples/hello, which is compiled and run by its own test.
func TestReadmeShowsTheProgram(t *testing.T) {
	readme, err := os.ReadFile("README.md")
	require.NoError(t, err)
	program, err := os.ReadFile("examples/hello/main.go")
	require.NoError(t, err)
	assert.Contains(t, string(readme), "```go\n"+strings.TrimSpace(string(program))+"\n```")
}

// Every path that the README links to is there.
func TestReadmeLinks(t *testing.T) {
	readme, err := os.ReadFile("README.md")
	require.NoError(t, err)
	for _, link := range regexp.MustCompile(`\]\(([^)]+)\)`).FindAllStringSubmatch(string(readme), -1) {
		if strings.HasPrefix(link[1], "https://") {
			continue
		}
		_, err := os.Stat(link[1])
		assert.NoError(t, err, link[1])
	}
}

// The README's transaction is that of an example.
func TestReadmeShowsTheTransaction(t *testing.T) {
	readme, err := os.ReadFile("README.md")
	require.NoError(t, err)
	example, err := os.ReadFile("manager/intx_forupdate_example_test.go")
	require.NoError(t, err)
	_, code, _ := strings.Cut(string(example), "\terr := m.InTx(")
	code, _, _ = strings.Cut(code, "\n\tfmt.Println(account.Cents")
	assert.Contains(t, string(readme), "err := m.InTx("+strings.ReplaceAll(code, "\n\t", "\n"))
}
