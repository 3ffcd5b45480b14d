//go:build !unix

package exposed

import "io/fs"

func exposes(fs.FileInfo) bool { return false }
