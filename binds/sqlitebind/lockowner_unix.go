//go:build unix

package sqlitebind

import (
	"io/fs"
	"os"
	"syscall"
)

// giveTo gives f the owner of the file like, where the process may: a lock file that root made would
// keep the application out.
func giveTo(f *os.File, like fs.FileInfo) {
	if st, ok := like.Sys().(*syscall.Stat_t); ok && os.Geteuid() == 0 {
		_ = f.Chown(int(st.Uid), int(st.Gid)) // without it root can lock all the same
	}
}
