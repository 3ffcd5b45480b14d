package integration

import (
	"context"
	"fmt"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"sync"
	"time"
)

// A Version tells which server runs.
type Version struct {
	Product string // "PostgreSQL", "MySQL" or "MariaDB"
	Major   int
	Minor   int
	Patch   int // zero for PostgreSQL, whose versions have two numbers
}

// String returns product and numbers: "PostgreSQL 18.6", "MySQL 9.7.4".
func (v Version) String() string {
	text := fmt.Sprintf("%s %d.%d", v.Product, v.Major, v.Minor)
	if v.Product != "PostgreSQL" {
		text += fmt.Sprintf(".%d", v.Patch)
	}
	return text
}

// AtLeast reports whether v is of that product, and its numbers are these or later ones.
func (v Version) AtLeast(product string, numbers ...int) bool {
	have := []int{v.Major, v.Minor, v.Patch}
	return v.Product == product && slices.Compare(have[:min(len(numbers), 3)], numbers) >= 0
}

// versionNumbers finds "15.18" in "postgres (PostgreSQL) 15.18 (Debian …)", and "10.11.14" in
// "mariadbd  Ver 10.11.14-MariaDB-…".
var versionNumbers = regexp.MustCompile(`(?:Ver|\(PostgreSQL\)|PgBouncer|pgpool-II version) (\d+)\.?(\d+)?\.?(\d+)?`)

// programVersion asks a server's program for its version.
func programVersion(ctx context.Context, product, program string) (Version, error) {
	if v, asked := versions.Load(program); asked {
		return v.(Version), nil
	}
	v, err := askVersion(ctx, product, program)
	if err == nil {
		versions.Store(program, v)
	}
	return v, err
}

// versions are those that programs have told, by their paths: they stay while this process runs.
var versions sync.Map

func askVersion(ctx context.Context, product, program string) (Version, error) {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	args := []string{"--version"}
	if product == "MariaDB" || product == "MySQL" {
		args = []string{"--no-defaults", "--version"}
	}
	output, err := exec.CommandContext(ctx, program, args...).CombinedOutput()
	if err != nil {
		return Version{}, fmt.Errorf("integration: %w", commandError(program+" --version", err, string(output)))
	}
	found := versionNumbers.FindStringSubmatch(string(output))
	if found == nil {
		return Version{}, fmt.Errorf("integration: %s --version says no version: %s", program, output)
	}
	v := Version{Product: product}
	for i, into := range []*int{&v.Major, &v.Minor, &v.Patch} {
		*into, _ = strconv.Atoi(found[i+1]) // digits or nothing
	}
	return v, nil
}
