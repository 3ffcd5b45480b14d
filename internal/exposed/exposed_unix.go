//go:build unix

package exposed

import (
	"io/fs"
	"syscall"
)

func exposes(info fs.FileInfo) bool {
	stat, ok := info.Sys().(*syscall.Stat_t)
	return info.Mode().Perm()&forbidden(ok && stat.Uid == 0) != 0
}
