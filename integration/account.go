package integration

import (
	"fmt"
	"os"
	"os/user"
	"strconv"
	"strings"
)

// An account is the operating system's user that the servers run as.
type account struct {
	uid, gid int
	switched bool // whether it is another than ours
}

// findAccount returns our own user, or the first of candidates that exists if we are root.
func findAccount(candidates []string) (*account, error) {
	if os.Geteuid() != 0 {
		return &account{uid: os.Geteuid(), gid: os.Getegid()}, nil
	}
	for _, name := range candidates {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, errUID := strconv.Atoi(u.Uid)
		gid, errGID := strconv.Atoi(u.Gid)
		if errUID == nil && errGID == nil && uid != 0 {
			return &account{uid: uid, gid: gid, switched: true}, nil
		}
	}
	return nil, fmt.Errorf("integration: a server must not run as root, and none of the users %s exists", strings.Join(candidates, ", "))
}

// give makes the account the owner of path, whose directory is not the account's. What is inside its own goes by [workspace.inside].
func (a *account) give(path string) error {
	if !a.switched {
		return nil
	}
	return os.Lchown(path, a.uid, a.gid)
}
