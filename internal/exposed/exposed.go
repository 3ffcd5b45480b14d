// Package exposed tells of files with secrets that others than their owner can read.
package exposed

import (
	"io/fs"
	"os"
)

// Cure is what to do about a file of which [File] says so.
const Cure = "chmod 600, or, if it is root's, 640"

// File reports whether others can read or write the file at a path. It goes by the rule of libpq (manual section 34.19.1, of sslkey): mode
// 0600 or less, and of a file that root owns, as Kubernetes mounts secrets, 0640 or less. It is false of a file that cannot be
// looked at, and where modes mean nothing: on Windows.
func File(path string) bool {
	info, err := os.Stat(path)
	return err == nil && exposes(info)
}

// forbidden are the bits that a secret's mode must not have.
func forbidden(ownedByRoot bool) fs.FileMode {
	if ownedByRoot {
		return 0o037
	}
	return 0o077
}
