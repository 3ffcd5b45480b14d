//go:build !unix

package manager

import "os"

func notifyHangup(chan<- os.Signal) {}
