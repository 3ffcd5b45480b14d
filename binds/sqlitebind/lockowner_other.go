//go:build !unix

package sqlitebind

import (
	"io/fs"
	"os"
)

// giveTo does nothing: a file inherits its directory's permissions here.
func giveTo(*os.File, fs.FileInfo) {}
